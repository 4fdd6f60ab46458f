"""Files below one local folder: looked at and changed without following a symlink, and never outside of it.

Changes are staged: new contents are written beside first, what they replace is moved away, and all of it is put back
when anything fails.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mesabox.errors import Conflict

LINK_MODE = 0o120000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Local:
    """What is at a path. mode: as a tree has it, 0 for what no tree holds. content: a file's, or a symlink's target.

    kind ``blocked``: something that is no folder, or is a symlink, is where a folder above it would be: ``by``.
    """

    kind: Literal["none", "file", "symlink", "folder", "special", "blocked"]
    mode: int = 0
    content: bytes = b""
    permissions: int = 0
    stamp: tuple[int, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class Put:
    """A file to be there. permissions: those of the one it replaces, None for the umask's."""

    path: str
    content: bytes
    mode: int
    permissions: int | None = None


class LocalTree:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def look(self, path: str) -> Local:
        """OSError when it is there and cannot be read."""
        try:
            with self._parent(path) as (fd, name):
                return _look(fd, name)
        except _Blocked as blocked:
            return Local("blocked" if blocked.exists else "none", by=blocked.path)

    def files_below(self, path: str) -> list[str]:
        """All that is not a folder, in a folder that is there."""
        found = []
        for place, folders, names in os.walk(self.folder / path):
            links = [name for name in folders if (Path(place) / name).is_symlink()]
            found += [(Path(place) / name).relative_to(self.folder).as_posix() for name in (*names, *links)]
        return found

    def change(self, remove: Sequence[str], put: Sequence[Put], seen: dict[str, Local]) -> None:
        """All or nothing. seen: what was at each path that is replaced or removed; Conflict when that has altered."""
        staging = Path(os.path.realpath(self.folder)) / f".mesabox-apply-{secrets.token_hex(6)}"
        staging.mkdir(mode=0o700)
        undo: list[Callable[[], None]] = []
        try:
            for number, one in enumerate(put):
                _write(staging / f"new-{number}", one)
            for number, path in enumerate(dict.fromkeys([*remove, *(one.path for one in put)])):
                self._move_away(path, staging / f"old-{number}", seen, undo)
            for number, one in enumerate(put):
                self._move_in(staging / f"new-{number}", one.path, undo)
            for path in remove:
                self._drop_empty_folders(path.rpartition("/")[0], undo)
        except BaseException:
            for step in reversed(undo):
                with suppress(OSError):
                    step()
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _move_away(self, path: str, to: Path, seen: dict[str, Local], undo: list[Callable[[], None]]) -> None:
        now = self.look(path)
        if path in seen and now.stamp != seen[path].stamp:
            raise Conflict(f"{path} was changed while the run's changes were applied", fix="try again")
        if now.kind not in ("file", "symlink"):
            return
        with self._parent(path) as (fd, name):
            os.rename(name, to, src_dir_fd=fd)
        undo.append(lambda: self._move_back(to, path))

    def _move_back(self, place: Path, path: str) -> None:
        with self._parent(path, make=True) as (fd, name):
            os.rename(place, name, dst_dir_fd=fd)

    def _move_in(self, place: Path, path: str, undo: list[Callable[[], None]]) -> None:
        for above in reversed([*_above(path)]):
            with suppress(FileExistsError), self._parent(above) as (fd, name):
                os.mkdir(name, dir_fd=fd)
                undo.append(lambda above=above: self._rmdir(above))  # type: ignore[misc]
        self._clear_folder(path, undo)
        with self._parent(path) as (fd, name):
            os.rename(place, name, dst_dir_fd=fd)
        undo.append(lambda: self._unlink(path))

    def _clear_folder(self, path: str, undo: list[Callable[[], None]]) -> None:
        """An empty folder, or one of empty folders, that is where a file is to be."""
        if self.look(path).kind != "folder":
            return
        places = [place for place, _, _ in os.walk(self.folder / path, topdown=False)]
        for place in places:
            self._drop(Path(place).relative_to(self.folder).as_posix(), undo)

    def _drop_empty_folders(self, path: str, undo: list[Callable[[], None]]) -> None:
        with suppress(OSError, _Blocked):
            while path:
                self._drop(path, undo)
                path = path.rpartition("/")[0]

    def _drop(self, path: str, undo: list[Callable[[], None]]) -> None:
        self._rmdir(path)
        undo.append((self.folder / path).mkdir)

    def _rmdir(self, path: str) -> None:
        with self._parent(path) as (fd, name):
            os.rmdir(name, dir_fd=fd)

    def _unlink(self, path: str) -> None:
        with self._parent(path) as (fd, name):
            os.unlink(name, dir_fd=fd)

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """(descriptor of the folder it is in, its name there). _Blocked when that is no folder."""
        *folders, name = path.split("/")
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for number, folder in enumerate(folders):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=fd)
                below = _open_folder(folder, fd, "/".join(folders[: number + 1]))
                os.close(fd)
                fd = below
            yield fd, name
        finally:
            os.close(fd)


class _Blocked(OSError):
    def __init__(self, path: str, *, exists: bool) -> None:
        super().__init__(f"{path} is not a folder")
        self.path = path
        self.exists = exists


def _open_folder(name: str, fd: int, path: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=fd)
    except FileNotFoundError:
        raise _Blocked(path, exists=False) from None
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise _Blocked(path, exists=True) from None


def _look(fd: int, name: str) -> Local:
    try:
        about = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return Local("none")
    stamp = (about.st_ino, about.st_mode, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    if stat.S_ISDIR(about.st_mode):
        return Local("folder")
    if stat.S_ISLNK(about.st_mode):
        return Local("symlink", LINK_MODE, os.fsencode(os.readlink(name, dir_fd=fd)), stamp=stamp)
    if not stat.S_ISREG(about.st_mode):
        return Local("special", stamp=stamp)
    mode = 0o100755 if about.st_mode & stat.S_IXUSR else 0o100644
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd), "rb") as file:
        return Local("file", mode, file.read(), stat.S_IMODE(about.st_mode), stamp)


def _write(place: Path, one: Put) -> None:
    if one.mode == LINK_MODE:
        place.symlink_to(os.fsdecode(one.content))
        return
    executable = one.mode == 0o100755
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if executable else 0o666), "wb") as file:
        file.write(one.content)
        if one.permissions is not None:
            readers = (one.permissions & 0o444) >> 2
            os.fchmod(file.fileno(), one.permissions & 0o777 | readers if executable else one.permissions & 0o666)


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
