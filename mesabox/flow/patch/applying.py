"""A run's patch applied to a local folder: all of it or nothing, never over newer edits without saying so.

By content, not by libgit2's apply, which knows neither offsets, renames with edits, nor what is there already.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mesabox.errors import Conflict, Failed, NotFound
from mesabox.flow.patch.format import FilePatch, PatchProblem, parse_patch
from mesabox.flow.patch.hunks import placed
from mesabox.flow.patch.local_tree import Local, LocalTree, Put
from mesabox.flow.patch.writing import blob_oid
from mesabox.wire.mesa_paths import check_path

How = Literal["applied", "merged", "overwritten", "already there"]
_MOST_NAMED = 10
_KINDS = {0o120: "symlink", 0o100: "file"}


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """status: added | deleted | modified | renamed | copied. how: ``merged`` into a file with edits of its own."""

    path: str
    status: str
    how: How
    old_path: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    folder: Path
    files: tuple[AppliedFile, ...]

    @property
    def changed(self) -> int:
        return sum(file.how != "already there" for file in self.files)


def apply_patch(patch: bytes, folder: Path, *, force: bool = False, dry_run: bool = False) -> Applied:
    """force: files that collide get the run's version. The git index of the folder is not touched.

    Conflict (exit 5) names each file that collides; Failed when the patch cannot be read, or leads out of the folder.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is no folder to apply changes to", fix="name a folder that is there")
    try:
        files = parse_patch(patch)
    except PatchProblem as problem:
        raise Failed("the patch cannot be read", why=str(problem), code="bad_patch") from None
    _check_paths(files)
    judge = _Judge(LocalTree(folder), files, force)
    steps = [judge.step(file) for file in files]
    if judge.collisions:
        raise _conflict(folder, judge.collisions, force)
    if not dry_run:
        _carry_out(judge, steps)
    return Applied(folder, tuple(step.told for step in steps))


@dataclass(frozen=True, slots=True)
class _Step:
    told: AppliedFile
    remove: str | None = None
    put: Put | None = None


@dataclass(frozen=True, slots=True)
class _Collision:
    path: str
    why: str
    forceable: bool


@dataclass(slots=True)
class _Judge:
    """Looks at what is there, and says what is to be done."""

    tree: LocalTree
    files: Sequence[FilePatch]
    force: bool
    collisions: list[_Collision] = field(default_factory=list)
    seen: dict[str, Local] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.leaving = {file.old_path for file in self.files if file.status in ("deleted", "renamed") and file.old_path}

    def step(self, file: FilePatch) -> _Step:
        judged = {"added": self._added, "deleted": self._deleted}.get(file.status, self._edited)
        return judged(file)

    def look(self, path: str) -> Local:
        """OSError as our own error; what was seen is what may be replaced."""
        if path not in self.seen:
            try:
                self.seen[path] = self.tree.look(path)
            except OSError as error:
                raise Failed(f"{path} cannot be read", why=error.strerror or str(error)) from None
        return self.seen[path]

    def _added(self, file: FilePatch) -> _Step:
        path, mode = _required(file.new_path), file.new_mode or 0o100644
        content = _whole(file)
        if content is None:
            return self._collide(file, path, file.unreadable or "the patch has no content for it")
        wanted = Put(path, content, mode)
        here = self.look(path)
        if here.mode == mode and here.content == content:
            return _told(file, "already there")
        return self._put(file, wanted, here, "applied")

    def _deleted(self, file: FilePatch) -> _Step:
        path = _required(file.old_path)
        here = self.look(path)
        comes_back = any(other.status == "added" and other.new_path == path for other in self.files)
        if here.kind in ("none", "folder", "blocked") or (comes_back and not _same_kind(here, file.old_mode)):
            return _told(file, "already there")
        if _same_kind(here, file.old_mode) and _is_old(here.content, file):
            return _told(file, "applied", remove=path)
        if self.force and here.kind != "special":
            return _told(file, "overwritten", remove=path)
        return self._collide(file, path, "it was deleted by the run and edited here", forceable=here.kind != "special")

    def _edited(self, file: FilePatch) -> _Step:
        """Modified, renamed or copied."""
        old, new = _required(file.old_path), _required(file.new_path)
        here = self.look(old)
        if old != new and here.kind in ("none", "blocked", "folder") and self._is_renamed(file, self.look(new)):
            return _told(file, "already there")
        if here.kind not in ("file", "symlink") or not _same_kind(here, file.old_mode):
            return self._replaced(file, new, _not_a_file(here))
        how, content = self._edit(file, here)
        if content is None:
            return self._replaced(file, new, "the same lines were edited here")
        changes_mode = file.new_mode is not None and file.new_mode != file.old_mode
        mode = file.new_mode if changes_mode and file.new_mode else here.mode
        if old == new:
            if (content, mode) == (here.content, here.mode):
                return _told(file, "already there")
            how = "applied" if how == "already there" else how
            return _told(file, how, put=Put(new, content, mode, here.permissions))
        remove = old if file.status == "renamed" else None
        put = Put(new, content, mode, here.permissions)
        there = self.look(new)
        if (there.content, there.mode) == (content, mode):
            return _told(file, how, remove=remove)
        return replace(self._put(file, put, there, how), remove=remove)

    def _edit(self, file: FilePatch, here: Local) -> tuple[How, bytes | None]:
        """The content it becomes; None when the patch does not fit."""
        if _is(here.content, file.new_oid):
            return "already there", here.content
        as_before = _is(here.content, file.old_oid)
        if file.literal is not None:
            return "applied", file.literal if as_before or here.content == file.literal else None
        if file.unreadable:
            return "applied", None
        if not file.hunks:
            return "applied", here.content
        forward = placed(here.content, file.hunks)
        backward = None if as_before else placed(here.content, [hunk.reversed() for hunk in file.hunks])
        if backward is not None and (forward is None or backward[1] < forward[1]):
            return "already there", here.content
        return "applied" if as_before else "merged", None if forward is None else forward[0]

    def _is_renamed(self, file: FilePatch, there: Local) -> bool:
        if there.kind not in ("file", "symlink"):
            return False
        if not file.hunks and file.literal is None:
            return not file.new_oid or _is(there.content, file.new_oid)
        backward = placed(there.content, [hunk.reversed() for hunk in file.hunks]) if file.hunks else None
        return _is(there.content, file.new_oid) or backward is not None

    def _replaced(self, file: FilePatch, path: str, why: str) -> _Step:
        """Where an edit does not fit: the run's own version, if that is wanted and known."""
        content = _whole(file) if file.unreadable or file.literal is not None else self._from_git(file)
        here = self.look(path)
        if content is None or not self.force or here.kind in ("special", "folder", "blocked"):
            return self._collide(file, path, file.unreadable or why, forceable=content is not None)
        mode = file.new_mode or here.mode or 0o100644
        old = file.old_path if file.status == "renamed" and file.old_path else None
        remove = old if old and self.look(old).kind in ("file", "symlink") else None
        return _told(file, "overwritten", remove=remove, put=Put(path, content, mode))

    def _from_git(self, file: FilePatch) -> bytes | None:
        """The run's version by way of the old one, should the folder's own git repository have that."""
        import pygit2

        try:
            place = pygit2.discover_repository(str(self.tree.folder))
            old = pygit2.Repository(place)[file.old_oid] if place and len(file.old_oid) > 6 else None
        except (pygit2.GitError, KeyError, ValueError):
            return None
        made = placed(old.data, file.hunks) if isinstance(old, pygit2.Blob) else None
        return None if made is None or not _is(made[0], file.new_oid) else made[0]

    def _put(self, file: FilePatch, put: Put, here: Local, how: How) -> _Step:
        """Where nothing is, or what is there leaves by the same patch; else it collides."""
        leaves = here.kind == "none" or put.path in self.leaving or (here.kind == "blocked" and here.by in self.leaving)
        if here.kind == "folder":
            leaves = set(self.tree.files_below(put.path)) <= self.leaving
        if leaves:
            return _told(file, how, put=put)
        if self.force and here.kind in ("file", "symlink"):
            return _told(file, "overwritten", put=put)
        way = f"{here.by} is in the way" if here.kind == "blocked" else f"another {here.kind} is there"
        return self._collide(file, put.path, way, forceable=here.kind in ("file", "symlink"))

    def _collide(self, file: FilePatch, path: str, why: str, *, forceable: bool = False) -> _Step:
        self.collisions.append(_Collision(path, why, forceable))
        return _told(file, "applied")


def _carry_out(judge: _Judge, steps: Sequence[_Step]) -> None:
    puts = [step.put for step in steps if step.put is not None]
    removed = [step.remove for step in steps if step.remove is not None]
    if not puts and not removed:
        return
    try:
        judge.tree.change(removed, puts, judge.seen)
    except OSError as error:
        why = f"{error.strerror or error}; nothing was changed"
        raise Failed(f"the changes cannot be written to {judge.tree.folder}", why=why, code="not_written") from None


def _check_paths(files: Sequence[FilePatch]) -> None:
    written: set[str] = set()
    for file in files:
        for path in {file.old_path, file.new_path} - {None}:
            try:
                check_path(_required(path))
            except ValueError as error:
                raise _unsafe(f"the path {path!r} {error}") from None
        if file.new_path is not None and file.new_path in written:
            raise _unsafe(f"it writes {file.new_path!r} twice")
        written |= {file.new_path} if file.new_path is not None else set()
        if any(mode is not None and mode // 0o1000 not in _KINDS for mode in (file.old_mode, file.new_mode)):
            raise _unsafe(f"{file.path!r} is of a kind that is not applied (a submodule)")


def _unsafe(why: str) -> Failed:
    return Failed("the patch is not applied", why=why, code="unsafe_patch")


def _conflict(folder: Path, collisions: Sequence[_Collision], force: bool) -> Conflict:
    stuck = [one for one in collisions if not one.forceable]
    many = len(collisions)
    if not stuck:
        fix = "--force to overwrite them with the run's version, or move your own edits away first"
    elif force or len(stuck) == many:
        fix = "move them away, or set them back to what the run began with, and apply again"
    else:
        fix = f"--force overwrites all but {', '.join(one.path for one in stuck[:3])}: move those away first"
    why = "; ".join(_named(collisions))
    what = f"{many} file{'s' if many > 1 else ''} in {folder} collide{'' if many > 1 else 's'} with the run's changes"
    return Conflict(f"{what}; nothing was applied", why=why, fix=fix, code="collision")


def _named(collisions: Sequence[_Collision]) -> Iterator[str]:
    for one in collisions[:_MOST_NAMED]:
        yield f"{one.path}: {one.why}"
    if (more := len(collisions) - _MOST_NAMED) > 0:
        yield f"and {more} more"


def _told(file: FilePatch, how: How, *, remove: str | None = None, put: Put | None = None) -> _Step:
    old_path = file.old_path if file.status in ("renamed", "copied") else None
    return _Step(AppliedFile(file.path, file.status, how, old_path), remove, put)


def _whole(file: FilePatch) -> bytes | None:
    """The new content, where the patch has all of it."""
    if file.literal is not None or file.unreadable:
        return file.literal
    if file.status != "added":
        return None
    return b"".join(line for hunk in file.hunks for line in hunk.new)


def _is_old(content: bytes, file: FilePatch) -> bool:
    if file.hunks:
        return content == b"".join(line for hunk in file.hunks for line in hunk.old)
    return _is(content, file.old_oid) or (not file.old_oid and not content)


def _is(content: bytes, oid: str) -> bool:
    """By git's oid, which the patch may have cut to seven digits or more."""
    return len(oid) > 6 and bool(oid.strip("0")) and blob_oid(content).startswith(oid)


def _same_kind(here: Local, mode: int | None) -> bool:
    return mode is None or _KINDS[mode // 0o1000] == here.kind


def _not_a_file(here: Local) -> str:
    return {"none": "it is not there", "blocked": f"{here.by} is no folder here"}.get(here.kind, f"it is a {here.kind}")


def _required(path: str | None) -> str:
    assert path is not None, "the reader names both sides"
    return path
