"""What a run changed: from the commit noted when the repo was mounted to the one that holds the last edit."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mesabox.clients.base import Change, DiffEntry, RepoHost, TreeEntry
from mesabox.errors import Failed, MesaboxError
from mesabox.flow.patch.whole import Missing, patch_between_trees, whole_patch
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.services import Services
from mesabox.flow.settling import settled_mount, tree_at
from mesabox.wire.mesa import VIRTUAL_ROOT_CHANGE_ID

_NAMED = 5
_COMPARING, _COMPARING_SHARE = 5.0, 0.4
"""Seconds, and part of the limit, that are left for the comparison when Mesa does not get all."""
_UNSURE = "it is not known whether Mesa has all that the run changed"


@dataclass(frozen=True, slots=True)
class Base:
    """The state of a bookmark before the run. tree is None when the service shows commits themselves."""

    bookmark: str
    change_id: str
    commit_oid: str
    tree: Mapping[str, TreeEntry] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """additions and deletions are lines, None when the service could not tell.

    patch: as `git apply` takes it, whole but for the files in ``missing``; None when there is none.
    late: paths that Mesa did not have as the mount has them; unsure: why it is not known whether there are such.
    """

    change_id: str
    commit_oid: str
    base_commit_oid: str
    entries: tuple[DiffEntry, ...]
    additions: int | None
    deletions: int | None
    patch: bytes | None = None
    missing: tuple[Missing, ...] = ()
    late: tuple[str, ...] = ()
    unsure: MesaboxError | None = None

    @property
    def incomplete(self) -> MesaboxError | None:
        """What to say when these may not be all."""
        if not self.late and self.unsure is None:
            return None
        some = ", ".join(self.late[:_NAMED]) + (f" and {len(self.late) - _NAMED} more" if self.late[_NAMED:] else "")
        why = f"it does not have {some} as the mount has it" if self.unsure is None else _reason(self.unsure)
        what = "Mesa does not have all that the run changed" if self.late else _UNSURE
        return Failed(what, why=why, fix="mesabox repo diff shows what arrives later", code="collect_incomplete")

    def put_on_record(self, ledger: Ledger) -> None:
        if self.patch is not None:
            patch = ledger.folder / "changes.patch"
            patch.touch(mode=0o600)
            patch.write_bytes(self.patch)
        ledger.write(
            "changes",
            change_id=self.change_id,
            commit_oid=self.commit_oid,
            base_commit_oid=self.base_commit_oid,
            files=[{"path": entry.path, "status": entry.status} for entry in self.entries],
            missing=[{"path": one.path, "why": one.why} for one in self.missing],
            late=list(self.late),
        )


async def note_base(repos: RepoHost, repo: str, bookmark: str, change_id: str) -> Base:
    """Before the command. Where a service does not take a commit for a change id, the tree is noted as well."""
    if change_id == VIRTUAL_ROOT_CHANGE_ID:
        return Base(bookmark, change_id, "", {})
    change = await repos.change(repo, change_id)
    try:
        await repos.diff(repo, change.commit_oid, change.commit_oid)
    except MesaboxError:
        return Base(bookmark, change_id, change.commit_oid, await tree_at(repos, repo, change_id))
    return Base(bookmark, change_id, change.commit_oid)


async def collect(
    services: Services, repo: str, base: Base, *, sprite: str, folder: str, run: str, limit: float = 30.0
) -> Changes:
    """Wait until Mesa has what the mount holds, then compare; at the end of ``limit`` what there is.

    TimeoutError when even that takes longer. run: whose mount it is.
    """
    async with asyncio.timeout(limit):
        wait = limit - min(_COMPARING, limit * _COMPARING_SHARE)
        settled = await settled_mount(services, repo, base.bookmark, sprite=sprite, folder=folder, run=run, limit=wait)
        changes = await _changes(services.repos, repo, base, settled.change)
        return replace(changes, late=settled.missing, unsure=settled.unsure)


async def _changes(repos: RepoHost, repo: str, base: Base, change: Change | None) -> Changes:
    if change is None or change.commit_oid == base.commit_oid:
        return Changes(base.change_id, base.commit_oid, base.commit_oid, (), 0, 0, b"")
    if base.tree is None:
        return await _compared(repos, repo, base, change, change.commit_oid)
    if base.change_id == VIRTUAL_ROOT_CHANGE_ID:
        return await _compared(repos, repo, base, change, change.id)
    return await _by_trees(repos, repo, base, change)


async def _compared(repos: RepoHost, repo: str, base: Base, change: Change, head: str) -> Changes:
    """By the service's own diff. head: the commit, or where a service takes none the change."""
    before = base.commit_oid or VIRTUAL_ROOT_CHANGE_ID
    diff, text = await asyncio.gather(repos.diff(repo, before, head), repos.patch(repo, before, head))
    patch = await whole_patch(repos, repo, text, diff, base=before, head=head)
    lines = (diff.additions, diff.deletions)
    return Changes(change.id, change.commit_oid, base.commit_oid, diff.entries, *lines, patch.data, patch.missing)


async def _by_trees(repos: RepoHost, repo: str, base: Base, change: Change) -> Changes:
    """Paths and kinds, without lines: of the old contents nothing but the oids is known."""
    before, after = base.tree or {}, await tree_at(repos, repo, change.id)
    patch = await patch_between_trees(repos, repo, before, after, head=change.id)
    entries = _entries(before, after)
    return Changes(
        change.id, change.commit_oid, base.commit_oid, entries, None, None, patch.data, missing=patch.missing
    )


def _entries(before: Mapping[str, TreeEntry], after: Mapping[str, TreeEntry]) -> tuple[DiffEntry, ...]:
    def status(path: str) -> str:
        return "added" if path not in before else "deleted" if path not in after else "modified"

    def facts(tree: Mapping[str, TreeEntry], path: str) -> tuple[str, str | None] | None:
        return (tree[path].sha, tree[path].mode) if path in tree else None

    paths = sorted({*before, *after})
    changed = [path for path in paths if facts(before, path) != facts(after, path)]
    return tuple(DiffEntry(path, status(path), None, None, None) for path in changed)


def _reason(error: MesaboxError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what
