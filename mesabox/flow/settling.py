"""Waiting until Mesa has what was written in a mount: asked of both sides, since nothing tells it (wire/mesa §4)."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from mesabox.clients.base import Change, RepoHost, TreeEntry
from mesabox.errors import MesaboxError
from mesabox.flow.held import MountState, held_in
from mesabox.flow.services import Services
from mesabox.wire.mesa import VIRTUAL_ROOT_CHANGE_ID

Tree = Mapping[str, TreeEntry]

_DEEPEST = 10
"""What ``depth`` of a folder's content may be (wire/mesa §2.5)."""
_SHORTEST, _LONGEST = 0.05, 0.5
_QUIET = 2.0
_LOOK_AGAIN = (1.0, 4.0, 12.0, math.inf)
"""Seconds after which the mount is asked again, for what others have written there meanwhile."""


@dataclass(frozen=True, slots=True)
class Settled:
    """change: the bookmark's, None while the repo is empty. missing: paths that Mesa has otherwise, or not at all, in
    the end. unsure: why it is not known what is missing.
    """

    change: Change | None
    missing: tuple[str, ...] = ()
    unsure: MesaboxError | None = None


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
    limit: float,
    quiet: float = _QUIET,
) -> Change | None:
    """The bookmark's change once its tree has all, or its commit has come to rest for ``quiet`` seconds.

    None while the repo is still empty.
    """
    growth = _Growth(repos, repo, bookmark, change)
    async for tree in growth:
        if has_all(tree) or growth.at_rest > quiet or growth.seconds > limit:
            break
    return growth.change


async def settled_mount(
    services: Services, repo: str, bookmark: str, *, sprite: str, folder: str, run: str, limit: float
) -> Settled:
    """Once Mesa's tree is what the mount holds, or after ``limit`` seconds.

    The mount is asked once, at the same time as Mesa, whose tree is read only if anything was written there.
    """
    asking = asyncio.wait_for(held_in(services, sprite, folder, run), limit)
    head = head_of(services.repos, repo, bookmark)
    state, change = await asyncio.gather(asking, head, return_exceptions=True)
    if isinstance(change, BaseException):
        raise change
    if isinstance(state, TimeoutError):
        state = MesaboxError("its sprite did not tell in time what is in the mount", code="timeout")
    if isinstance(state, MesaboxError):
        return Settled(change, unsure=state)
    if isinstance(state, BaseException):
        raise state
    if state is None:
        return Settled(change)
    growth = _Growth(services.repos, repo, bookmark, change)
    missing = await _until_equal(growth, state, lambda: held_in(services, sprite, folder, run), limit)
    return Settled(growth.change, tuple(sorted(missing)))


async def _until_equal(
    growth: "_Growth", state: MountState, again: Callable[[], Awaitable[MountState | None]], limit: float
) -> set[str]:
    """What is still missing in the end. What others have altered in the mount since is not waited for."""
    altered: set[str] = set()
    looks = [*_LOOK_AGAIN]
    async for tree in growth:
        missing, ignored = state.lacking(tree)
        missing -= altered
        if not missing and (ignored <= altered or growth.at_rest > _QUIET):
            break
        if growth.seconds > limit:
            return missing
        if growth.seconds > looks[0]:
            looks.pop(0)
            with suppress(MesaboxError):
                altered |= state.altered_in(await again() or state)
    return set()


class _Growth:
    """The trees of a bookmark's change, again and again, each read once. change: the one of the last tree.

    seconds: since it began; at_rest: since the commit was last another.
    """

    def __init__(self, repos: RepoHost, repo: str, bookmark: str, change: Change | None) -> None:
        self.change = change
        self._repos, self._repo, self._bookmark = repos, repo, bookmark
        self._began = self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def at_rest(self) -> float:
        return time.monotonic() - self._since

    async def __aiter__(self) -> AsyncIterator[Tree]:
        commit, tree, pause = None, dict[str, TreeEntry](), _SHORTEST
        while True:
            if self.change is not None and self.change.commit_oid != commit:
                tree = await tree_at(self._repos, self._repo, self.change.id)
                commit, self._since = self.change.commit_oid, time.monotonic()
            yield tree
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST)
            self.change = await head_of(self._repos, self._repo, self._bookmark)
