"""A patch made whole: what a service's unified diff leaves out (binary files, kinds, large files) put in from contents.

What is good in the service's text stays as it is. The rest is written anew by the two versions of the file; where
the old one cannot be had, its oid is enough (see patch_writing).
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mesabox.clients.base import Diff, DiffEntry, RepoHost, TreeEntry
from mesabox.errors import MesaboxError
from mesabox.flow.patch.format import FilePatch, PatchProblem, parse_section, sections
from mesabox.flow.patch.writing import Version, section
from mesabox.flow.settling import Tree, tree_at

_AT_ONCE = 8
_MOST_BYTES, _LARGEST_FILE = 256 << 20, 64 << 20
"""Of contents that are put into one patch: it is made in memory."""
_OID = re.compile(r"[0-9a-f]{40}")
_MODES = {"file": 0o100644, "symlink": 0o120000}


@dataclass(frozen=True, slots=True)
class Missing:
    """A changed file whose change is not in the patch."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class WholePatch:
    data: bytes
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class _Part:
    """A section of a patch. They are sorted as git does; of two of the same path, the deletion comes first."""

    path: str
    stays: bool
    text: bytes


@dataclass(frozen=True, slots=True)
class _Side:
    """A version of a file that is to be read. oid: whole, or "" where it is not known."""

    path: str
    mode: int
    oid: str = ""


@dataclass(frozen=True, slots=True)
class _Pair:
    """size: bytes of the larger one, as far as it is known."""

    old: _Side | None
    new: _Side | None
    size: int = 0

    @property
    def path(self) -> str:
        one = self.new or self.old
        assert one is not None
        return one.path


async def whole_patch(repos: RepoHost, repo: str, text: bytes, diff: Diff, *, base: str, head: str) -> WholePatch:
    """text and diff: as the service tells them, from ``base`` to ``head`` (change ids, or commits where it takes
    them). What had to be left out is still named in the patch, in a form that is refused when it is applied.
    """
    told = [(one, file) for one in sections(text) if (file := _parsed(one)) is not None]
    entering = {file.new_path for _, file in told if file.new_path}
    good = [_Part(file.path, file.status != "deleted", one) for one, file in told if _is_whole(file, entering)]
    poor = [(one, file) for one, file in told if not _is_whole(file, entering)]
    named = {file.path for _, file in told}
    untold = [entry for entry in diff.entries if entry.path not in named]
    trees: tuple[Tree, Tree] = ({}, {})
    if untold or any(_lacks_modes(file) for _, file in poor):
        trees = await _trees(repos, repo, base, head)
    maker = _Maker(repos, repo, base, head)
    sizes = {entry.path: entry.size or 0 for entry in diff.entries}
    made = await maker.make([_of_file(file, trees, sizes.get(file.path, 0)) for _, file in poor])
    made += await maker.make([_of_entry(entry, trees) for entry in untold])
    left = [
        _Part(file.path, file.status != "deleted", one)
        for (one, file), new in zip(poor, made, strict=False)
        if isinstance(new, Missing)
    ]
    return _put_together([*good, *left], made)


async def patch_between_trees(repos: RepoHost, repo: str, before: Tree, after: Tree, *, head: str) -> WholePatch:
    """Where nothing of the base but its tree is known: its contents are told by their oids alone."""
    changed = [path for path in sorted({*before, *after}) if _facts(before.get(path)) != _facts(after.get(path))]
    pairs = [
        _Pair(_side(before.get(path)), _side(new := after.get(path)), new.size or 0 if new else 0) for path in changed
    ]
    return _put_together([], await _Maker(repos, repo, None, head).make(pairs))


class _Maker:
    """Writes sections from contents, a few files at a time."""

    def __init__(self, repos: RepoHost, repo: str, base: str | None, head: str) -> None:
        self._repos = repos
        self._repo = repo
        self._base = base
        self._head = head
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._bytes = 0

    async def make(self, pairs: Iterable[_Pair]) -> list[_Part | Missing]:
        return list(await asyncio.gather(*(self._section(pair) for pair in pairs)))

    async def _section(self, pair: _Pair) -> _Part | Missing:
        async with self._turns:
            if pair.size > _LARGEST_FILE or self._bytes + pair.size > _MOST_BYTES:
                return Missing(pair.path, "it is too large to be put into a patch")
            try:
                old, new = await self._versions(pair)
            except MesaboxError as error:
                return Missing(pair.path, error.why or error.what)
            return _Part(pair.path, new is not None, await asyncio.to_thread(section, old, new))

    async def _versions(self, pair: _Pair) -> tuple[Version | None, Version | None]:
        old, new = pair.old, pair.new
        if old is not None and new is not None and _differ_in_mode_alone(old, new):
            return Version(old.path, old.mode, old.oid, None), Version(new.path, new.mode, new.oid, None)
        after = None if new is None else Version.of(new.path, new.mode, await self._read(new.path, self._head))
        return await self._before(old), after

    async def _before(self, old: _Side | None) -> Version | None:
        """By its oid alone, where its content cannot be had."""
        if old is None:
            return None
        try:
            if self._base is None:
                raise MesaboxError(f"{old.path} as it was before is not known")
            return Version.of(old.path, old.mode, await self._read(old.path, self._base))
        except MesaboxError:
            if not _OID.fullmatch(old.oid):
                raise
            return Version(old.path, old.mode, old.oid, None)

    async def _read(self, path: str, revision: str) -> bytes:
        content = await self._repos.read_file(self._repo, path, change_id=revision)
        self._bytes += len(content)
        return content


async def _trees(repos: RepoHost, repo: str, base: str, head: str) -> tuple[Tree, Tree]:
    """Empty where the service does not tell: what needs them is then missing."""

    async def read(revision: str) -> Tree:
        try:
            return await tree_at(repos, repo, revision)
        except MesaboxError:
            return {}

    before, after = await asyncio.gather(read(base), read(head))
    return before, after


def _parsed(one: bytes) -> FilePatch | None:
    try:
        return parse_section(one)
    except PatchProblem:
        return None


def _is_whole(file: FilePatch, entering: set[str]) -> bool:
    """Not: binary without content; a file that became a symlink; a renaming from where a folder comes to be."""
    if file.unreadable or (file.old_mode and file.new_mode and _is_link(file.old_mode) != _is_link(file.new_mode)):
        return False
    way = f"{file.old_path}/"
    return file.status != "renamed" or not any(path.startswith(way) for path in entering)


def _lacks_modes(file: FilePatch) -> bool:
    return (file.status != "added" and file.old_mode is None) or (file.status != "deleted" and file.new_mode is None)


def _differ_in_mode_alone(old: _Side, new: _Side) -> bool:
    same = _OID.fullmatch(old.oid) is not None and old.oid == new.oid
    return same and old.path == new.path and _is_link(old.mode) == _is_link(new.mode)


def _is_link(mode: int) -> bool:
    return mode == _MODES["symlink"]


def _of_file(file: FilePatch, trees: Sequence[Tree], size: int) -> _Pair:
    def side(path: str | None, mode: int | None, oid: str, tree: Mapping[str, TreeEntry]) -> _Side | None:
        if path is None:
            return None
        known = _side(tree.get(path)) or _Side(path, _MODES["file"])
        return _Side(path, mode or known.mode, oid if _OID.fullmatch(oid) else known.oid)

    old = side(file.old_path, file.old_mode, file.old_oid, trees[0])
    return _Pair(old, side(file.new_path, file.new_mode, file.new_oid, trees[1]), size)


def _of_entry(entry: DiffEntry, trees: Sequence[Tree]) -> _Pair:
    """A file that the text does not tell of."""
    old_path, file = entry.old_path or entry.path, _MODES["file"]
    old = None if entry.status == "added" else _side(trees[0].get(old_path)) or _Side(old_path, file)
    new = None if entry.status == "deleted" else _side(trees[1].get(entry.path)) or _Side(entry.path, file)
    return _Pair(old, new, entry.size or 0)


def _side(entry: TreeEntry | None) -> _Side | None:
    if entry is None:
        return None
    mode = int(entry.mode, 8) if entry.mode else _MODES.get(entry.type, _MODES["file"])
    return _Side(entry.path, mode, entry.sha)


def _facts(entry: TreeEntry | None) -> tuple[str, str | None] | None:
    return None if entry is None else (entry.sha, entry.mode)


def _put_together(kept: Sequence[_Part], made: Sequence[_Part | Missing]) -> WholePatch:
    parts = sorted([*kept, *(one for one in made if isinstance(one, _Part))])
    return WholePatch(b"".join(one.text for one in parts), tuple(one for one in made if isinstance(one, Missing)))
