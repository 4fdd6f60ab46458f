"""A local folder as a repo would be seeded with it: which files, and what is left out and why."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mesabox.errors import UsageProblem
from mesabox.wire.mesa_ignore import BUILT_IN, is_ignored, parse_rules
from mesabox.wire.mesa_paths import can_hold

if TYPE_CHECKING:  # 50 ms, which most commands do not need
    import pygit2

_MESAS_OWN = (("", parse_rules(BUILT_IN)),)
_SUBMODULE = 0o160000
_SPECIAL = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a named pipe", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """path: relative, with slashes. size: bytes; of a symlink, its target's length. target: a symlink's.

    forced: git tracks it though it is ignored, so that Mesa's mount would keep it to itself.
    """

    path: str
    kind: Literal["file", "symlink"]
    executable: bool
    size: int
    target: str = ""
    forced: bool = False

    @property
    def mode(self) -> str:
        """As a tree has it."""
        return "120000" if self.kind == "symlink" else "100755" if self.executable else "100644"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """path: a folder's ends with a slash, and stands for all in it. why: as part of a sentence."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """commit: of the git tree that the folder is in, None outside of one or before its first commit.

    dirty: files in the folder differ from that commit, or are not tracked.
    """

    folder: Path
    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    dirty: bool = False
    commit: str | None = None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def read_source(folder: Path) -> Source:
    """What git would take of the folder, and Mesa can hold. No file's content is read. UsageProblem names a bad one."""
    root = _checked(folder)
    with _repository(root) as (repo, prefix):
        walk = _Walk(root, repo, "" if prefix is None else prefix)
        walk.folder("", "")
        files = tuple(sorted(walk.files, key=lambda file: file.path))
        commit = None if prefix is None or repo.head_is_unborn else str(repo.head.target)
        dirty = prefix is not None and (walk.untracked or _differs(repo, prefix))
    return Source(root, files, tuple(_outermost(walk.left_out)), dirty, commit)


def left_out_summary(source: Source, most: int = 5) -> str:
    """One sentence for a person; empty when nothing is left out."""
    if not source.left_out:
        return ""
    named = [f"{one.path} ({one.why})" for one in source.left_out[:most]]
    more = len(source.left_out) - len(named)
    return "left out: " + ", ".join(named) + (f", and {more} more" if more > 0 else "")


def _outermost(left_out: list[LeftOut]) -> Iterator[LeftOut]:
    """Sorted, without the empty folders in empty folders."""
    last = ""
    for one in sorted(left_out, key=lambda one: one.path):
        if not (last and one.path.startswith(last)):
            yield one
            last = one.path if one.path.endswith("/") else ""


def _checked(folder: Path) -> Path:
    if not folder.exists():
        why = "it is a symlink that leads nowhere" if folder.is_symlink() else "there is no such folder"
        raise UsageProblem(f"{folder} cannot be seeded from", why=why, fix="name a folder that is there")
    if not folder.is_dir():
        raise UsageProblem(
            f"{folder} cannot be seeded from", why="it is no folder", fix="name the folder that it is in"
        )
    root = folder.resolve()
    if root in (Path("/"), Path.home().resolve()):
        why = "all of this machine, or all of a home, is hardly meant, and secrets are in it"
        raise UsageProblem(f"{folder} is not taken as a source", why=why, fix="name the project's own folder")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageProblem(f"{folder} cannot be read", why="permission denied", fix=f"ls -ld {folder}")
    return root


@contextmanager
def _repository(root: Path) -> Iterator[tuple[pygit2.Repository, str | None]]:
    """The git repository that the folder is in, and the folder's place there ("" or ending with a slash).

    Outside of one, or where its repository ignores the folder itself, a temporary one with the same rules, and None.
    """
    found = _opened(root)
    if found is not None:
        yield found
        return
    import pygit2

    place = tempfile.mkdtemp(prefix="mesabox-")
    try:
        repo = pygit2.init_repository(place, bare=True)
        repo.workdir = str(root)
        yield repo, None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _opened(root: Path) -> tuple[pygit2.Repository, str] | None:
    import pygit2

    try:
        place = pygit2.discover_repository(str(root))
        repo = pygit2.Repository(place) if place else None
    except pygit2.GitError as error:
        fix = f"git config --global --add safe.directory {root}"
        raise UsageProblem(f"the git repository of {root} cannot be read", why=str(error), fix=fix) from None
    if repo is None or repo.is_bare or repo.workdir is None:
        return None
    workdir = Path(repo.workdir).resolve()
    if root == workdir:
        return repo, ""
    if not root.is_relative_to(workdir):
        return None
    prefix = root.relative_to(workdir).as_posix() + "/"
    return None if repo.path_is_ignored(prefix) else (repo, prefix)


def _differs(repo: pygit2.Repository, prefix: str) -> bool:
    from pygit2.enums import FileStatus

    passed = (FileStatus.CURRENT, FileStatus.IGNORED, FileStatus.WT_NEW)
    status = repo.status(untracked_files="no")
    return any(path.startswith(prefix) and flags not in passed for path, flags in status.items())


class _Walk:
    """One walk over the folder: every name is looked at once, no symlink is followed."""

    def __init__(self, root: Path, repo: pygit2.Repository, prefix: str) -> None:
        self.files: list[SourceFile] = []
        self.left_out: list[LeftOut] = []
        self.untracked = False
        self._root = root
        self._repo = repo
        self._prefix = prefix
        entries = [(entry.path, entry.mode) for entry in repo.index if entry.path.startswith(prefix)]
        self._tracked = {path[len(prefix) :] for path, _ in entries}
        self._modules = {path[len(prefix) :] for path, mode in entries if mode == _SUBMODULE}
        self._above_tracked = {above for path in self._tracked for above in _above(path)}

    def folder(self, path: str, ignored: str) -> bool:
        """path: "" or ending with a slash. ignored: why all in it is that git does not track, if it is.

        Whether there was anything in it.
        """
        try:
            with os.scandir(self._root / path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self._leave(path, f"cannot be read: {error.strerror}")
            return True
        seen = [self._entry(path + entry.name, entry, ignored) for entry in entries if path or entry.name != ".git"]
        return any(seen)

    def _entry(self, path: str, entry: os.DirEntry[str], ignored: str) -> bool:
        is_folder = entry.is_dir(follow_symlinks=False)
        name = f"{path}/" if is_folder else path
        if (why := self._unfit(path, name, is_folder)) is not None:
            return self._leave(name, why)
        if path not in self._tracked:
            ignored = ignored or self._ignored(path, name, is_folder=is_folder)
            if ignored and path not in self._above_tracked:
                return self._leave(name, ignored)
        if is_folder:
            return self.folder(name, ignored) or self._leave(name, "empty")
        return self._file(path, entry)

    def _ignored(self, path: str, name: str, *, is_folder: bool) -> str:
        """By whom, if at all."""
        if self._repo.path_is_ignored(self._prefix + name):
            return "ignored by git"
        return "Mesa keeps no such file" if is_ignored(_MESAS_OWN, path, is_folder=is_folder) else ""

    def _unfit(self, path: str, name: str, is_folder: bool) -> str | None:
        """Why nothing at this path can be taken."""
        if not _is_utf8(path):
            return "its name is not UTF-8"
        if path in self._modules:
            return "a git submodule"
        if not can_hold(path):
            return "no repo can hold such a name"
        if is_folder and path not in self._above_tracked and (self._root / path / ".git").exists():
            return "a git repository of its own"
        return None

    def _file(self, path: str, entry: os.DirEntry[str]) -> bool:
        about = entry.stat(follow_symlinks=False)
        tracked = path in self._tracked
        forced = tracked and self._is_ignored_by_mesa(path)
        if stat.S_ISLNK(about.st_mode):
            target = os.readlink(entry.path)  # noqa: PTH115 (a Path would alter "a/" and "./a")
            if not _is_utf8(target):
                return self._leave(path, "its target is not UTF-8")
            self.files.append(SourceFile(path, "symlink", False, len(os.fsencode(target)), target, forced))
        elif not stat.S_ISREG(about.st_mode):
            return self._leave(path, _SPECIAL.get(stat.S_IFMT(about.st_mode), "no file"))
        elif not os.access(entry.path, os.R_OK):
            return self._leave(path, "cannot be read: Permission denied")
        else:
            executable = bool(about.st_mode & stat.S_IXUSR)
            self.files.append(SourceFile(path, "file", executable, about.st_size, forced=forced))
        self.untracked |= not tracked
        return True

    def _is_ignored_by_mesa(self, path: str) -> bool:
        """By its own list, at the file or at a folder above it, or by git's rules."""
        above = any(is_ignored(_MESAS_OWN, folder, is_folder=True) for folder in _above(path))
        return above or is_ignored(_MESAS_OWN, path, is_folder=False) or self._repo.path_is_ignored(self._prefix + path)

    def _leave(self, path: str, why: str) -> bool:
        self.left_out.append(LeftOut(path, why))
        return why != "empty"


def _above(path: str) -> Iterator[str]:
    """The folders that it is in, innermost first."""
    while path := path.rpartition("/")[0]:
        yield path


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
