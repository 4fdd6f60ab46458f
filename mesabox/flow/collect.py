"""What a run changed: from the commit noted when the repo was mounted to the one that holds the last edit."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from mesabox.clients.base import Change, DiffEntry, RepoHost, TreeEntry
from mesabox.errors import MesaboxError
from mesabox.flow import scripts
from mesabox.flow.asking import ask
from mesabox.flow.services import Services

_DEEPEST = 10
_SETTLE_LIMIT = 10.0
_QUIET = 0.5
_EMPTY_ROOT = "z" * 32


@dataclass(frozen=True, slots=True)
class Base:
    """The state of a bookmark before the run. tree is None when the service shows commits themselves."""

    bookmark: str
    change_id: str
    commit_oid: str
    tree: Mapping[str, TreeEntry] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """additions and deletions are lines, None when the service could not tell. patch is the unified diff, or None."""

    change_id: str
    commit_oid: str
    base_commit_oid: str
    entries: tuple[DiffEntry, ...]
    additions: int | None
    deletions: int | None
    patch: str | None = None


async def note_base(repos: RepoHost, repo: str, bookmark: str, change_id: str) -> Base:
    """Before the mount. Where a service does not take a commit for a change id, the tree is noted as well."""
    if change_id == _EMPTY_ROOT:
        return Base(bookmark, change_id, "", {})
    change = await repos.change(repo, change_id)
    try:
        await repos.diff(repo, change.commit_oid, change.commit_oid)
    except MesaboxError:
        return Base(bookmark, change_id, change.commit_oid, await _tree(repos, repo, change_id))
    return Base(bookmark, change_id, change.commit_oid)


async def collect(services: Services, repo: str, base: Base, *, sprite: str, folder: str) -> Changes:
    """Wait until Mesa has every file that was written in the mount, then compare."""
    written, head = await asyncio.gather(_written(services, sprite, folder), _head(services.repos, repo, base.bookmark))
    change = await _settled(services.repos, repo, base, written, head)
    if change is None or change.commit_oid == base.commit_oid:
        return Changes(base.change_id, base.commit_oid, base.commit_oid, (), 0, 0, "")
    if base.tree is None:
        return await _by_commits(services.repos, repo, base, change)
    return await _by_trees(services.repos, repo, base, change)


async def _written(services: Services, sprite: str, folder: str) -> dict[str, int]:
    """path -> bytes of the files written since the mount, as the sprite sees them."""
    done = await ask(services.sandboxes, sprite, scripts.sh(scripts.WRITTEN, folder), timeout=30.0)
    lines = [line.strip().partition(" ") for line in done.stdout.decode(errors="surrogateescape").splitlines()]
    return {path.strip().removeprefix("./"): int(size) for size, _, path in lines if size.isdecimal()}


async def _settled(
    repos: RepoHost, repo: str, base: Base, written: Mapping[str, int], change: Change | None
) -> Change | None:
    """The bookmark's change once each written file is there with its size, or the commit has come to rest.

    Ignored files never arrive, so rest is enough; None while the repo is still empty.
    """
    loop = asyncio.get_running_loop()
    deadline, seen, since = loop.time() + _SETTLE_LIMIT, "", loop.time()
    while True:
        commit = change.commit_oid if change else ""
        if not written or (change and await _has_all(repos, repo, change, written)):
            return change
        now = loop.time()
        if commit != seen:
            seen, since = commit, now
        if now - since > _QUIET or now > deadline:
            return change
        await asyncio.sleep(0.1)
        change = await _head(repos, repo, base.bookmark)


async def _head(repos: RepoHost, repo: str, bookmark: str) -> Change | None:
    head = await repos.bookmark(repo, bookmark)
    return None if head.change_id == _EMPTY_ROOT else await repos.change(repo, head.change_id)


async def _has_all(repos: RepoHost, repo: str, change: Change, written: Mapping[str, int]) -> bool:
    tree = await _tree(repos, repo, change.id)
    return all(path in tree and tree[path].size == size for path, size in written.items())


async def _by_commits(repos: RepoHost, repo: str, base: Base, change: Change) -> Changes:
    before = base.commit_oid or _EMPTY_ROOT
    diff, patch = await asyncio.gather(
        repos.diff(repo, before, change.commit_oid), repos.patch(repo, before, change.commit_oid)
    )
    return Changes(change.id, change.commit_oid, base.commit_oid, diff.entries, diff.additions, diff.deletions, patch)


async def _by_trees(repos: RepoHost, repo: str, base: Base, change: Change) -> Changes:
    """From an empty repo the service's own diff tells all; else paths and kinds, without lines."""
    if base.change_id == _EMPTY_ROOT:
        diff, patch = await asyncio.gather(
            repos.diff(repo, _EMPTY_ROOT, change.id), repos.patch(repo, _EMPTY_ROOT, change.id)
        )
        return Changes(change.id, change.commit_oid, "", diff.entries, diff.additions, diff.deletions, patch)
    entries = _compare(base.tree or {}, await _tree(repos, repo, change.id))
    return Changes(change.id, change.commit_oid, base.commit_oid, entries, None, None)


async def _tree(repos: RepoHost, repo: str, change_id: str) -> dict[str, TreeEntry]:
    entries = await repos.tree(repo, change_id=change_id, depth=_DEEPEST)
    return {entry.path: entry for entry in entries if entry.type != "dir"}


def _compare(before: Mapping[str, TreeEntry], after: Mapping[str, TreeEntry]) -> tuple[DiffEntry, ...]:
    def status(path: str) -> str:
        return "added" if path not in before else "deleted" if path not in after else "modified"

    def facts(tree: Mapping[str, TreeEntry], path: str) -> tuple[str, str | None] | None:
        return (tree[path].sha, tree[path].mode) if path in tree else None

    paths = sorted({*before, *after})
    changed = [path for path in paths if facts(before, path) != facts(after, path)]
    return tuple(DiffEntry(path, status(path), None, None, None) for path in changed)
