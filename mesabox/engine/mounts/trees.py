"""The live trees there are: opened once for each mounted change, kept committed, recovered after a crash, closed."""

import asyncio
import secrets
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from mesabox.engine.mesa.changes import Change
from mesabox.engine.mesa.history import new_change_id
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import Problem
from mesabox.engine.mesa.repos import Repo
from mesabox.engine.mesa.service import Mesa
from mesabox.engine.mounts.checkouts import Checkouts
from mesabox.engine.mounts.hashes import MAPPED
from mesabox.engine.mounts.live_tree import Attachment, LiveTree
from mesabox.engine.mounts.records import MountRecord
from mesabox.engine.mounts.requests import Revision
from mesabox.engine.mounts.surfaces import OverlaySurface, PlainSurface
from mesabox.engine.mounts.watcher import Watcher
from mesabox.engine.removal import remove_folder
from mesabox.engine.sandbox.host import SandboxHost
from mesabox.wire.mesa import EMPTY_TREE_OID


class Commit(Protocol):
    def __call__(self, tree: LiveTree, *, last: bool = False) -> Awaitable[None]: ...


class Trees:
    """``open``, ``of`` and ``close`` are called with the repo's lock held."""

    def __init__(self, mesa: Mesa, host: SandboxHost, state: Path, cache: Path) -> None:
        self._mesa = mesa
        self._host = host
        self._state = state
        self._owner = (host.ids.sprite_uid, host.ids.sprite_gid) if host.isolated else None
        self._checkouts = Checkouts(cache, self._owner)
        self._watcher = Watcher()
        self._trees: dict[str, list[LiveTree]] = {}
        self._keepers: dict[LiveTree, asyncio.Task[None]] = {}
        state.mkdir(mode=0o700, parents=True, exist_ok=True)

    def of(self, repo_id: str) -> list[LiveTree]:
        return self._trees.get(repo_id, [])

    async def open(self, repo: Repo, revision: Revision, *, kept: bool) -> LiveTree:
        """The live tree of the change that the revision names now. kept False: a reader's.

        An overlay is shared by readers and writers, since each mount of it says which it is; plain folders are not.
        """
        bookmark = revision.bookmark or ("" if revision.change_id else repo.default_bookmark)
        change = await self._mesa.in_thread(repo.id, lambda opened: _change(opened, revision, bookmark))
        kept = kept or self._host.isolated
        for tree in self.of(repo.id):
            unwritten = change.is_root and tree.record.bookmark != bookmark
            if tree.record.change_id == change.id and tree.record.kept == kept and not unwritten:
                return tree
        tree = await self._mesa.in_thread(repo.id, lambda opened: self._make(opened, repo, change, bookmark, kept))
        self._trees.setdefault(repo.id, []).append(tree)
        return tree

    def _make(self, repo: OpenRepo, at: Repo, change: Change, bookmark: str, kept: bool) -> LiveTree:
        folder = self._state / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        base = change.tree_oid if self._host.isolated else EMPTY_TREE_OID
        record = MountRecord(
            at.id, change.id, base, change.tree_oid, bookmark, new_change_id(), self._host.isolated, kept
        )
        record.write(folder)
        surface, wakes = self._surface(folder, record)
        try:
            if isinstance(surface, OverlaySurface):
                surface.mount(repo.objects, self._checkouts)
            else:
                surface.fill(repo.objects, change.tree_oid)
        except BaseException:
            surface.close()
            remove_folder(folder)
            raise
        tree = LiveTree(self._mesa, record, folder, surface)
        wakes.append(tree.wake)
        return tree

    def _surface(
        self, folder: Path, record: MountRecord
    ) -> tuple[OverlaySurface | PlainSurface, list[Callable[[], None]]]:
        """The files of a mount, and the place for whom to wake when something happens to them."""
        wakes: list[Callable[[], None]] = []

        def watch(fd: int) -> None:
            for wake in wakes:
                self._watcher.watch(fd, wake)

        if not record.isolated:
            return PlainSurface(folder, watch), wakes
        userxattr = self._host.userxattr
        return OverlaySurface(folder, record.base, self._owner, watch, userxattr=userxattr), wakes

    def keep(self, tree: LiveTree, commit: Commit, end_writing: Callable[[Attachment], Awaitable[None]]) -> None:
        """Let the tree be committed by itself from now on."""
        if tree not in self._keepers:
            self._keepers[tree] = asyncio.create_task(tree.keep(lambda: commit(tree), end_writing))

    async def close(self, tree: LiveTree) -> None:
        """Its files go: what was to be committed has been."""
        if keeper := self._keepers.pop(tree, None):
            keeper.cancel()
        self._trees[tree.record.repo_id].remove(tree)
        tree.surface.close()
        await asyncio.to_thread(self._remove, tree.folder)

    def _remove(self, folder: Path) -> None:
        try:
            remove_folder(folder)
        except OSError as error:
            print(f"mounts: {folder.name} goes at the next start: {error}", file=sys.stderr)
        self._checkouts.trim()

    async def recover(self) -> None:
        """What a crash left: committed, then removed. What cannot be committed stays for the next start."""
        self._watcher.start()
        for folder in await asyncio.to_thread(lambda: list(self._state.iterdir())):
            try:
                if record := MountRecord.read(folder):
                    await self._commit_left(folder, record)
                await asyncio.to_thread(remove_folder, folder)
            except Exception:  # one folder that cannot be read must not keep the engine from starting
                print(f"mounts: {folder.name} is left as it is\n{traceback.format_exc()}", file=sys.stderr)
        await asyncio.to_thread(self._checkouts.trim)

    async def _commit_left(self, folder: Path, record: MountRecord) -> None:
        try:
            self._mesa.repos.by_id(record.repo_id)
        except Problem:
            return  # the repo was deleted, and nobody can want what was written in it
        files = folder / ("upper" if record.isolated else "files")
        if not record.kept or not files.exists():
            return
        surface, _ = self._surface(folder, record)
        tree = LiveTree(self._mesa, record, folder, surface)

        def commit(repo: OpenRepo) -> None:
            tree.commit_in(repo, MAPPED, mounted=False)
            repo.take_evolved()

        try:
            await self._mesa.critically(record.repo_id, lambda: self._mesa.in_thread(record.repo_id, commit))
        finally:
            surface.close()

    async def end(self) -> None:
        for keeper in self._keepers.values():
            keeper.cancel()
        self._watcher.close()


def _change(repo: OpenRepo, revision: Revision, bookmark: str) -> Change:
    if revision.change_id is not None:
        return repo.history.get(revision.change_id)
    return repo.history.get(repo.bookmarks.get(bookmark))
