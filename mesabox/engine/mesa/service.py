"""Mesa as one object: credentials, repos, and the lock under which each repo is worked on."""

import asyncio
import os
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from mesabox.engine.mesa.changes import Changes
from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.grants import Grant
from mesabox.engine.mesa.keys import Keys
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import not_found
from mesabox.engine.mesa.repos import Repo, Repos
from mesabox.wire.mesa_tokens import PrivateKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The first credentials of an organization, in plaintext: for a 0600 file, never for the database."""

    org: str
    api_key: str
    private_key: str

    def __repr__(self) -> str:
        return f"Bootstrap({self.org}, ***, ***)"


@dataclass(frozen=True, slots=True)
class Organization:
    slug: str
    id: str
    name: str
    created_at: float


class LiveTrees(Protocol):
    """The mounts, as Mesa sees them. The first two are called with the repo's lock held."""

    async def settle(self, repo_id: str) -> None:
        """Commit what was written in mounts of the repo until now."""
        ...

    async def evolved(self, repo_id: str, change_id: str, tree: str) -> None:
        """Put an edit made through the API into the live mounts of that change."""
        ...

    async def revoked(self, key_id: str) -> None:
        """End the writing under that key, and under tokens signed with it."""
        ...

    async def deleted(self, repo_id: str) -> None:
        """Take the mounts of a repo away that is going to be deleted."""
        ...


class Mesa:
    """One organization's service under ``state``: ``mesa.db`` and bare git repositories.

    clock gives Unix seconds and may be moved by tests. The credentials in ``bootstrap`` are made at the first start;
    hand them back in at the next, or new ones are made beside the old.
    """

    def __init__(
        self,
        state: Path,
        *,
        org: str = "my-org",
        clock: Callable[[], float] = time.time,
        bootstrap: Bootstrap | None = None,
    ) -> None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clock = clock
        self.database = Database(state / "mesa.db")
        self.keys = Keys(self.database, clock)
        self.repos = Repos(self.database, state / "repos", clock)
        self.live: LiveTrees | None = None
        self.lifetime: Callable[[str, int | None], float | None] = lambda _, asked: asked
        """(path of the request, seconds asked for) -> seconds that a new key lives; None is for ever."""
        self._changes = Changes(self.database)
        self._open: dict[str, OpenRepo] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.repos.sweep()
        self.bootstrap = self._settle_in(org, bootstrap)

    def _settle_in(self, org: str, kept: Bootstrap | None) -> Bootstrap:
        """The organization and its first credentials on record, made where they are missing."""
        sql = "INSERT OR IGNORE INTO org (slug, id, name, created_at) VALUES (?, ?, ?, ?)"
        self.database.execute(sql, org, f"org_{uuid.uuid4().hex}", org, self.clock())
        if kept is None or kept.org != org:
            private_key = PrivateKey(org, os.urandom(32))
            kept = Bootstrap(org, f"mesa_{secrets.token_urlsafe(32)}", private_key.reveal())
        if not self.keys.knows(kept.api_key):
            self.keys.create(org, secret=kept.api_key, name="bootstrap", scopes=("read", "write", "admin"))
        self.keys.register_public_key(org, PrivateKey.parse(kept.private_key).public_x())
        return kept

    def organization(self, slug: str) -> Organization:
        row = self.database.row("SELECT slug, id, name, created_at FROM org WHERE slug = ?", slug)
        if row is None:
            raise not_found(f"organization '{slug}'")
        return Organization(**dict(row))

    def authenticate(self, credential: str) -> Grant:
        """Problem 401 for whatever is not live."""
        return self.keys.authenticate(credential)

    async def read(self, repo: Repo, work: Callable[[OpenRepo], T]) -> T:
        """``work`` in a thread, under the repo's lock, after what was written in its mounts is committed."""
        return await self.critically(repo.id, lambda: self._work(repo.id, work))

    async def edit(self, repo: Repo, work: Callable[[OpenRepo], T]) -> T:
        """As `read`; what evolved by it is put into the live mounts before anybody else has a turn."""

        async def section() -> T:
            result = await self._work(repo.id, work)
            for change in self._opened(repo.id).take_evolved():
                if self.live is not None:
                    await self.live.evolved(repo.id, change.id, change.tree_oid)
            return result

        return await self.critically(repo.id, section)

    async def critically(self, repo_id: str, section: Callable[[], Awaitable[T]]) -> T:
        """A section under the repo's lock that runs to its end even if the one who asked goes away."""

        async def locked() -> T:
            async with self._locks.setdefault(repo_id, asyncio.Lock()):
                return await section()

        return await asyncio.shield(asyncio.ensure_future(locked()))

    async def in_thread(self, repo_id: str, work: Callable[[OpenRepo], T]) -> T:
        """For a section that holds the repo's lock already."""
        return await asyncio.to_thread(lambda: work(self._opened(repo_id)))

    async def revoke(self, org: str, key_id: str) -> None:
        await asyncio.to_thread(self.keys.revoke, org, key_id)
        if self.live is not None:
            await self.live.revoked(key_id)

    async def delete_repo(self, repo: Repo) -> None:
        async def section() -> None:
            if self.live is not None:
                await self.live.deleted(repo.id)
            if opened := self._open.pop(repo.id, None):
                opened.objects.close()
            await asyncio.to_thread(self.repos.delete, repo)

        await self.critically(repo.id, section)

    def close(self) -> None:
        for opened in self._open.values():
            opened.objects.close()
        self.database.close()

    async def _work(self, repo_id: str, work: Callable[[OpenRepo], T]) -> T:
        if self.live is not None:
            await self.live.settle(repo_id)
        return await self.in_thread(repo_id, work)

    def _opened(self, repo_id: str) -> OpenRepo:
        """Problem 404 when the repo was deleted while somebody waited for its lock."""
        if repo_id not in self._open:
            self.repos.by_id(repo_id)
            objects = self.repos.objects(repo_id)
            self._open[repo_id] = OpenRepo(repo_id, objects, self.database, self._changes, self.clock)
        return self._open[repo_id]
