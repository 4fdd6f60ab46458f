"""The file operations of the protocol, done by a process of the sandbox's own user, inside its root."""

import errno
import fcntl
import fnmatch
import grp
import os
import pwd
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

from mesabox.engine.sandbox import privileges, syscalls
from mesabox.engine.sandbox.channel import Channel, Message
from mesabox.engine.sandbox.places import Places

_MOST_ENTRIES = 100_000
_MEMORY = 1 << 30
_CHUNK = 1 << 24
_SAFE = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Entry = dict[str, Any]


def open_file(path: str, flags: int, mode: int) -> int:
    """An fd of a regular file or a folder; never waits for a FIFO's other end, never follows /proc's magic links."""
    try:
        fd = syscalls.openat2(
            path, flags | _SAFE, mode if flags & os.O_CREAT else 0, resolve=syscalls.RESOLVE_NO_MAGICLINKS
        )
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a FIFO that nobody reads
            raise OSError(errno.EINVAL, "not a regular file", path) from None
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
    kind = os.fstat(fd).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", path)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags & os.O_APPEND)
    return fd


def answer(fd: int, message: Message, places: Places) -> NoReturn:
    """Run one operation in this child and send its result on ``fd``."""
    channel = Channel.adopt(os.dup(fd))
    try:
        privileges.die_with_parent()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        result = FileOperations(places).run(message["name"], message["arguments"])
        channel.send({"result": result})
    except OSError as error:
        path = error.filename if isinstance(error.filename, str) else ""
        channel.send({"errno": error.errno, "text": error.strerror, "path": places.shown(path)})
    except (ValueError, KeyError, TypeError, LookupError) as error:
        channel.send({"errno": errno.EINVAL, "text": str(error), "path": ""})
    finally:
        os._exit(0)


class FileOperations:
    """Each operation takes paths of the protocol, and gives the shapes of wire/sprites.md §2.9."""

    def __init__(self, places: Places) -> None:
        self._real = places.real
        self._shown = places.shown

    def run(self, name: str, arguments: dict[str, Any]) -> Any:
        operations: dict[str, Callable[..., Any]] = {
            "list": self.entries,
            "stat": self.stat,
            "mkdirs": self.mkdirs,
            "delete": self.delete,
            "rename": self.rename,
            "copy": self.copy,
            "chmod": self.chmod,
            "chown": self.chown,
        }
        return operations[name](**arguments)

    def entries(self, path: str, recursive: bool = False, pattern: str | None = None) -> list[Entry]:
        """A folder's children; of anything else, the entry itself."""
        real = self._real(path)
        if not stat.S_ISDIR(os.stat(real, follow_symlinks=os.path.isdir(real)).st_mode):
            return [self._entry(real)]
        names = _tree(real) if recursive else _children(real)
        wanted = (name for name in names if not pattern or fnmatch.fnmatch(os.path.basename(name), pattern))
        return [entry for name in wanted if (entry := self._entry_if_there(name))]

    def stat(self, path: str) -> Entry:
        return self._entry(self._real(path))

    def mkdirs(self, path: str, mode: int = 0o755) -> str:
        try:
            os.makedirs(self._real(path), mode, exist_ok=True)
        except FileExistsError as error:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from None
        return path

    def delete(self, path: str, recursive: bool = False) -> list[str]:
        real = self._real(path)
        if not stat.S_ISDIR(os.lstat(real).st_mode):
            os.unlink(real)
        elif recursive:
            shutil.rmtree(real)
        else:
            os.rmdir(real)
        return [path]

    def rename(self, source: str, dest: str) -> dict[str, str]:
        os.rename(self._real(source), self._real(dest))
        return {"source": source, "dest": dest}

    def copy(self, source: str, dest: str, recursive: bool = False, preserve: bool = False) -> dict[str, Any]:
        origin, target = self._real(source), self._real(dest)
        if os.path.isdir(target) and not os.path.isdir(origin):
            target = os.path.join(target, os.path.basename(origin))
        folder = stat.S_ISDIR(os.lstat(origin).st_mode)
        if folder and not recursive:
            raise OSError(errno.EISDIR, "is a directory", source)
        pairs = [(origin, target)]
        if folder:
            pairs += [(name, target + name.removeprefix(origin)) for name in _tree(origin)]
        total = sum(_copy_one(old, new, preserve) for old, new in pairs)
        copied = [{"source": self._shown(old), "dest": self._shown(new)} for old, new in pairs]
        return {"copied": copied, "totalBytes": total}

    def chmod(self, path: str, mode: int, recursive: bool = False) -> list[Entry]:
        affected = [name for name in self._affected(path, recursive) if not os.path.islink(name)]
        for name in affected:
            os.chmod(name, mode)
        return [{"path": self._shown(name), "mode": f"{mode:04o}"} for name in affected]

    def chown(
        self, path: str, uid: int | str | None = None, gid: int | str | None = None, recursive: bool = False
    ) -> list[Entry]:
        """``uid`` and ``gid`` by number or name; None leaves it as it is."""
        user, group = _user_id(uid), _group_id(gid)
        affected = list(self._affected(path, recursive))
        for name in affected:
            os.chown(name, user, group, follow_symlinks=False)
        return [self._ownership(name) for name in affected]

    def _affected(self, path: str, recursive: bool) -> Iterator[str]:
        real = self._real(path)
        yield real
        if recursive and stat.S_ISDIR(os.lstat(real).st_mode):
            yield from _tree(real)

    def _ownership(self, real: str) -> Entry:
        found = os.lstat(real)
        return {"path": self._shown(real), "uid": found.st_uid, "gid": found.st_gid}

    def _entry_if_there(self, real: str) -> Entry | None:
        """None for what went while the others were looked at."""
        try:
            return self._entry(real)
        except FileNotFoundError:
            return None

    def _entry(self, real: str) -> Entry:
        found = os.lstat(real)
        kinds = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
        shown = self._shown(real)
        return {
            "name": os.path.basename(shown.rstrip("/")) or "/",
            "path": shown,
            "type": kinds.get(stat.S_IFMT(found.st_mode), "file"),
            "size": found.st_size,
            "mode": f"{stat.S_IMODE(found.st_mode):04o}",
            "modTime": datetime.fromtimestamp(found.st_mtime, UTC).isoformat().replace("+00:00", "Z"),
            "isDir": stat.S_ISDIR(found.st_mode),
        }


def _children(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(_at_most(entry.path for entry in entries))


def _tree(folder: str) -> list[str]:
    """All below a folder, parents first; symlinks are not followed, what may not be looked into is left closed."""
    return list(_at_most(_walk(folder)))


def _walk(folder: str) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        found = _sorted(waiting.pop(), must=folder)
        yield from (entry.path for entry in found)
        waiting += [entry.path for entry in reversed(found) if entry.is_dir(follow_symlinks=False)]


def _sorted(folder: str, *, must: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (PermissionError, FileNotFoundError):
        if folder == must:
            raise
        return []


def _at_most(names: Iterator[str]) -> Iterator[str]:
    for count, name in enumerate(names):
        if count == _MOST_ENTRIES:
            raise OSError(errno.EFBIG, f"more than {_MOST_ENTRIES} entries")
        yield name


def _copy_one(source: str, target: str, preserve: bool) -> int:
    """Bytes copied. Symlinks are copied as such; FIFOs, sockets and devices are refused."""
    kind = os.lstat(source).st_mode
    if stat.S_ISLNK(kind):
        os.symlink(os.readlink(source), target)
        return 0
    if stat.S_ISDIR(kind):
        os.makedirs(target, exist_ok=True)
        size = 0
    else:
        size = _copy_bytes(source, target)
    shutil.copystat(source, target) if preserve else os.chmod(target, stat.S_IMODE(kind))
    return size


def _copy_bytes(source: str, target: str) -> int:
    origin = open_file(source, os.O_RDONLY | os.O_NOFOLLOW, 0)
    try:
        copy = open_file(target, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            if os.path.sameopenfile(origin, copy):
                raise OSError(errno.EINVAL, "source and destination are the same file", target)
            os.ftruncate(copy, 0)
            total = 0
            while sent := os.sendfile(copy, origin, total, _CHUNK):
                total += sent
            return total
        finally:
            os.close(copy)
    finally:
        os.close(origin)


def _user_id(user: int | str | None) -> int:
    return _number(user, lambda name: pwd.getpwnam(name).pw_uid)


def _group_id(group: int | str | None) -> int:
    return _number(group, lambda name: grp.getgrnam(name).gr_gid)


def _number(value: int | str | None, look_up: Callable[[str], int]) -> int:
    if value is None or value == "":
        return -1
    if isinstance(value, int) or value.isdecimal():
        return int(value)
    try:
        return look_up(value)
    except KeyError:
        raise OSError(errno.EINVAL, f"no such user or group: {value}") from None
