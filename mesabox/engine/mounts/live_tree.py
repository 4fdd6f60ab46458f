"""One mounted change: its files, who has them mounted, and the committing of what they write."""

import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mesabox.engine.mesa.changes import ROOT, Change
from mesabox.engine.mesa.conflicts import WholeFile, resolved
from mesabox.engine.mesa.grants import Grant
from mesabox.engine.mesa.history import By
from mesabox.engine.mesa.merging import merge_trees
from mesabox.engine.mesa.objects import Edits, Signature
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.service import Mesa
from mesabox.engine.mounts.hashes import MAPPED
from mesabox.engine.mounts.records import MountRecord
from mesabox.engine.mounts.surfaces import Surface
from mesabox.engine.sandbox.host import Sandbox

_DEBOUNCE = 0.010
_POLL = (0.050, 1.0)
_AFTER_AN_ERROR = 1.0
_POLL_SHARE = 20
"""A walk may take a twentieth of the time: the poll waits so many times as long as the last one took, and longer and
longer while hints do not come."""


@dataclass(slots=True, eq=False)
class Attachment:
    """A place in a sandbox where the tree is mounted, and the right by which."""

    sprite: str
    sandbox: Sandbox
    path: str
    org: str
    repo: str
    grant: Grant
    read_only: bool


class LiveTree:
    """Every method but ``wake`` and ``keep`` is called with the repo's lock held."""

    def __init__(self, mesa: Mesa, record: MountRecord, folder: Path, surface: Surface) -> None:
        self.record = record
        self.folder = folder
        self.surface = surface
        self.attachments: list[Attachment] = []
        self.grant: Grant | None = None
        self.held_back: Callable[[], bool] = lambda: False
        """Whether an edit that was found is not to be committed yet: a fault of the engine's."""
        self._mesa = mesa
        self._woken = asyncio.Event()
        self._edits: Edits = {}
        self._scanned = record.base
        self._took = 0.0
        self._quiet = 0

    @property
    def has_writers(self) -> bool:
        return self.record.kept and any(not attachment.read_only for attachment in self.attachments)

    def wake(self) -> None:
        self._woken.set()

    def attach(self, attachment: Attachment) -> None:
        self.attachments.append(attachment)
        if not attachment.read_only:
            self.grant = attachment.grant
        self.wake()

    async def keep(
        self, commit: Callable[[], Awaitable[None]], end_writing: Callable[[Attachment], Awaitable[None]]
    ) -> None:
        """For ever: commit after each hint and, should hints be missed, every now and then; end what has expired."""
        while True:
            try:
                await self._pause()
                for attachment in [one for one in self.attachments if self._has_expired(one)]:
                    await end_writing(attachment)
                if self.has_writers:
                    await self._mesa.critically(self.record.repo_id, commit)
            except Exception:  # whatever it was: who writes in the mount must not lose more than this turn
                print(f"mounts: a commit failed\n{traceback.format_exc()}", file=sys.stderr)
                await asyncio.sleep(_AFTER_AN_ERROR)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._patience())
        except TimeoutError:
            self._quiet += 1
            return
        self._quiet = 0
        self._woken.clear()
        await asyncio.sleep(max(_DEBOUNCE, self._took))

    def _patience(self) -> float | None:
        if not self.has_writers:
            return None
        shortest, longest = _POLL
        poll: float = min(max(_POLL_SHARE * self._took, shortest) * 2 ** min(self._quiet, 10), longest)
        ends = [one.grant.expires_at for one in self.attachments if one.grant.expires_at and not one.read_only]
        return max(0.0, min([poll, *(end - self._mesa.clock() for end in ends)]))

    def _has_expired(self, attachment: Attachment) -> bool:
        end = attachment.grant.expires_at
        return not attachment.read_only and end is not None and end <= self._mesa.clock()

    async def commit(self, *, last: bool = False) -> None:
        """What was written until now becomes the change. last: nobody writes any more, so it reads with more care."""
        await self._mesa.in_thread(self.record.repo_id, lambda repo: self.commit_in(repo, MAPPED if last else 0))

    def commit_in(self, repo: OpenRepo, unchanged_for: int = 0, *, mounted: bool = True) -> None:
        """In a thread. Where the change was edited elsewhere too, both are kept; of the same lines, the mount's."""
        started = time.monotonic()
        change = self._change(repo)
        written = self._written(repo, unchanged_for)
        if written != self.record.committed and not unchanged_for and self.held_back():
            return
        tree = written
        if change.tree_oid != self.record.committed:
            tree = self._joined(repo, change.tree_oid, written)
        if tree != change.tree_oid:
            self._save(repo, change, tree)
        if tree != written and mounted:
            self.surface.place(repo.objects, repo.objects.changed_paths(written, tree))
        if tree != self.record.committed:
            self.record.committed = tree
            self.record.write(self.folder)
        self._took = time.monotonic() - started

    def _change(self, repo: OpenRepo) -> Change:
        """The mounted change; an empty repo's first one as soon as there is any."""
        if self.record.change_id != ROOT.id:
            return repo.history.get(self.record.change_id)
        first = repo.first_change(self.record.seed, self.record.bookmark)
        self.record.change_id = first.id
        return first

    def _written(self, repo: OpenRepo, unchanged_for: int) -> str:
        """The tree of what is in the mount now."""
        edits = self.surface.scan(repo.objects, self.record.committed, unchanged_for=unchanged_for)
        if edits != self._edits:
            self._scanned = self._tree(repo, edits)
            self._edits = edits
        return self._scanned

    def _tree(self, repo: OpenRepo, edits: Edits) -> str:
        """Where files were only added or altered since the last walk, that alone is put into the last tree."""
        altered = {path: entry for path, entry in edits.items() if self._edits.get(path, self) != entry}
        if None in altered.values() or not self._edits.keys() <= edits.keys():
            return repo.objects.edit_tree(self.surface.base, edits)
        return repo.objects.edit_tree(self._scanned, altered)

    def _joined(self, repo: OpenRepo, elsewhere: str, written: str) -> str:
        merged = merge_trees(repo.objects, self.record.committed, elsewhere, written)
        ours = [WholeFile(path, None, "source") for path in merged.conflicts]
        return repo.objects.edit_tree(merged.tree, resolved(repo.objects, merged.conflicts, ours))

    def _save(self, repo: OpenRepo, change: Change, tree: str) -> None:
        by = self._by()
        if not change.is_root:
            repo.evolve(change, tree, by)
            return
        first = By(by.committer, self.grant.authors if self.grant else ())
        seeded = repo.seed(self.record.bookmark, tree, first, change_id=self.record.seed)
        self.record.change_id = seeded.id

    def _by(self) -> By:
        identity = self.grant.identity() if self.grant else Grant("", "api key", "mesa", ()).identity()
        return By(Signature(identity, int(self._mesa.clock())))

    async def shows(self, change_id: str) -> bool:
        """Whether it is that change; the mount of an empty repo is what its bookmark was put on."""
        if self.record.change_id == ROOT.id:
            await self._mesa.in_thread(self.record.repo_id, self._change)
        return self.record.change_id == change_id

    async def take_in(self, tree: str) -> None:
        """The change is at this tree by an edit from elsewhere: put the difference into the mount."""

        def place(repo: OpenRepo) -> None:
            self.surface.place(repo.objects, repo.objects.changed_paths(self.record.committed, tree))
            self.record.committed = tree
            self.record.write(self.folder)

        await self._mesa.in_thread(self.record.repo_id, place)


def described(attachment: Attachment, tree: LiveTree) -> dict[str, object]:
    """For ``mesa status`` and the engine's own."""
    return {
        "org": attachment.org,
        "repo": attachment.repo,
        "path": attachment.path,
        "read_only": attachment.read_only,
        "change_id": tree.record.change_id,
        "bookmark": tree.record.bookmark or None,
    }
