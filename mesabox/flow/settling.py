"""Waiting until Mesa has what was written in a mount: asked of both sides, since nothing tells it (wire/mesa §4)."""

import asyncio
from collections.abc import Callable, Mapping

from mesabox.clients.base import Change, RepoHost, TreeEntry
from mesabox.flow import scripts
from mesabox.flow.running.asking import ask
from mesabox.flow.services import Services
from mesabox.wire.mesa import VIRTUAL_ROOT_CHANGE_ID

Tree = Mapping[str, TreeEntry]

_DEEPEST = 10
"""What ``depth`` of a folder's content may be (wire/mesa §2.5)."""
_LIMIT = 10.0
_QUIET = 0.5


async def written(services: Services, sprite: str, folder: str) -> dict[str, int]:
    """path -> bytes of the files written since the mount, as the sprite sees them."""
    done = await ask(services.sandboxes, sprite, scripts.sh(scripts.WRITTEN, folder), timeout=30.0)
    lines = [line.strip().partition(" ") for line in done.stdout.decode(errors="surrogateescape").splitlines()]
    return {path.strip().removeprefix("./"): int(size) for size, _, path in lines if size.isdecimal()}


async def head_of(repos: RepoHost, repo: str, bookmark: str) -> Change | None:
    """The change that the bookmark is at; None while the repo is still empty."""
    head = await repos.bookmark(repo, bookmark)
    return None if head.change_id == VIRTUAL_ROOT_CHANGE_ID else await repos.change(repo, head.change_id)


async def tree_at(repos: RepoHost, repo: str, revision: str) -> dict[str, TreeEntry]:
    """Every file and symlink by its path. revision: a change id; a commit where the service takes one."""
    if revision == VIRTUAL_ROOT_CHANGE_ID:
        return {}
    found: dict[str, TreeEntry] = {}
    waiting = [""]
    while waiting:
        place = waiting.pop()
        entries = await repos.tree(repo, place, change_id=revision, depth=_DEEPEST)
        found.update({entry.path: entry for entry in entries if entry.type != "dir"})
        deepest = place.count("/") + bool(place) + _DEEPEST
        waiting += [entry.path for entry in entries if entry.type == "dir" and entry.path.count("/") + 1 == deepest]
    return found


async def settled(
    repos: RepoHost,
    repo: str,
    bookmark: str,
    change: Change | None,
    has_all: Callable[[Tree], bool],
    *,
    quiet: float = _QUIET,
    limit: float = _LIMIT,
) -> Change | None:
    """The bookmark's change once its tree has all, or its commit has come to rest for ``quiet`` seconds.

    Ignored files never arrive, so rest is enough; None while the repo is still empty.
    """
    loop = asyncio.get_running_loop()
    deadline, seen, since = loop.time() + limit, "", loop.time()
    while True:
        commit = change.commit_oid if change else ""
        if has_all(await tree_at(repos, repo, change.id) if change else {}):
            return change
        now = loop.time()
        if commit != seen:
            seen, since = commit, now
        if now - since > quiet or now > deadline:
            return change
        await asyncio.sleep(0.1)
        change = await head_of(repos, repo, bookmark)


def with_sizes(sizes: Mapping[str, int]) -> Callable[[Tree], bool]:
    """Whether a tree has these files at these sizes."""
    return lambda tree: all(path in tree and tree[path].size == size for path, size in sizes.items())
