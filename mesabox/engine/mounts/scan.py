"""Reading what was written in a mount: a walk of the overlay's upper folder, as edits of the tree below it.

The sandbox decides what is in there, so nothing is trusted: every folder is opened beneath the root without following
symlinks, files are opened without following and read only if they are regular, and every size has a bound.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO

from mesabox.engine.mesa.objects import Edits, Entry, Objects
from mesabox.engine.mounts.hashes import Known, Stamp
from mesabox.engine.mounts.placing import BENEATH, is_temporary
from mesabox.engine.sandbox import syscalls
from mesabox.wire.mesa_ignore import BUILT_IN, MOST_RULES_TEXT, Rules, is_ignored, parse_rules
from mesabox.wire.mesa_paths import can_hold

MOST_FILE = 2 << 30
"""Bytes; a larger file stays local, and the commit keeps what it had."""
_LARGE = 8 << 20
_BATCH = 64 << 20
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO)


@dataclass(frozen=True, slots=True)
class Lower:
    """What the walk is compared with: the tree that lies under the folder, and the one last committed."""

    objects: Objects
    base: str
    committed: str

    def in_base(self, path: str) -> Entry | None:
        return self.objects.entry(self.base, path)

    def in_committed(self, path: str) -> Entry | None:
        return self.objects.entry(self.committed, path)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to be walked. path: ``""``, or with a slash at its end. rules: (folder, rules), outermost first.

    hidden: nothing of the base shows through any more. ignored: only what is committed already is kept here.
    """

    path: str
    rules: tuple[tuple[str, Rules], ...]
    hidden: bool = False
    ignored: bool = False

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        return self.ignored or is_ignored(self.rules, path, is_folder=is_folder)


class Scanner:
    """Walks one folder again and again; what it read is remembered from walk to walk.

    userxattr: which extended attribute marks a folder that hides the one below it. watch is told of every folder that
    is walked, by descriptor, before its entries are read.
    """

    def __init__(self, root: int, *, userxattr: bool, watch: Callable[[int], None] = lambda fd: None) -> None:
        self._root = root
        self._opaque = _OPAQUE[userxattr]
        self._watch = watch
        self._known: Mapping[str, Known] = {}
        self._outermost = _Folder("", (("", parse_rules(BUILT_IN)),))

    def scan(self, lower: Lower, *, unchanged_for: int = 0) -> Edits:
        """Edits of the base. unchanged_for: nanoseconds a file must have been left alone to be taken as known."""
        walk = _Walk(lower, self._known, unchanged_for)
        waiting = [self._outermost]
        while waiting:
            folder = waiting.pop()
            try:
                with self._opened(folder) as fd:
                    self._watch(fd)
                    waiting += walk.folder(fd, folder, opaque=self._is_opaque(fd))
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone meanwhile: the next walk sees what became of it
            except OSError as error:
                if error.errno not in _UNREADABLE:
                    raise
                walk.keep_committed(folder.path.rstrip("/"))
        walk.write_waiting()
        self._known = walk.known
        return walk.edits

    @contextmanager
    def _opened(self, folder: _Folder) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY
        fd = syscalls.openat2(folder.path or ".", flags, dir_fd=self._root, resolve=BENEATH)
        try:
            yield fd
        finally:
            os.close(fd)

    def _is_opaque(self, fd: int) -> bool:
        try:
            return os.getxattr(fd, self._opaque) == b"y"
        except OSError:
            return False


class _Walk:
    """One walk in progress."""

    def __init__(self, lower: Lower, before: Mapping[str, Known], unchanged_for: int) -> None:
        self.edits: dict[str, Entry | None] = {}
        self.known: dict[str, Known] = {}
        self._lower = lower
        self._before = before
        self._unchanged_for = unchanged_for
        self._waiting: list[_Read] = []
        self._waiting_bytes = 0

    def folder(self, fd: int, folder: _Folder, *, opaque: bool) -> list[_Folder]:
        """Take in the files of one folder; the folders in it that are to be walked too."""
        path = folder.path.rstrip("/")
        below = self._lower.in_base(path) if path and not folder.hidden else None
        if below is not None and (opaque or not below.is_tree):
            self.edits[path] = None
        hidden = folder.hidden or opaque or (bool(path) and (below is None or not below.is_tree))
        here = _Folder(folder.path, self._rules(fd, folder, hidden), hidden, folder.ignored)
        with os.scandir(fd) as entries:
            return [child for entry in entries if (child := self._entry(fd, here, entry)) is not None]

    def _rules(self, fd: int, folder: _Folder, hidden: bool) -> tuple[tuple[str, Rules], ...]:
        """With the folder's own .gitignore, from the walked folder or, where it has none, from the base."""
        name = ".gitignore"
        text = _small_file(fd, name)
        if text is None and not hidden and (entry := self._lower.in_base(folder.path + name)) and not entry.is_tree:
            text = self._lower.objects.blob(entry.oid)[:MOST_RULES_TEXT]
        return (*folder.rules, (folder.path, parse_rules(text.decode(errors="replace")))) if text else folder.rules

    def _entry(self, fd: int, folder: _Folder, entry: "os.DirEntry[str]") -> _Folder | None:
        path = folder.path + entry.name
        with suppress(FileNotFoundError):
            found = entry.stat(follow_symlinks=False)
            known = self._before.get(path)
            if known is not None and known.rules == folder.rules and known.still(found, self._unchanged_for):
                self._take_known(path, known)
            elif not is_temporary(entry.name) and can_hold(path):
                return self._judged(fd, folder, entry.name, found)
        return None

    def _judged(self, fd: int, folder: _Folder, name: str, found: os.stat_result) -> _Folder | None:
        """One entry that is new or altered, or a folder, or lies where nothing new is taken."""
        path, is_folder = folder.path + name, stat.S_ISDIR(found.st_mode)
        ignored = folder.ignores(path, is_folder=is_folder)
        if ignored and self._lower.in_committed(path) is None:
            self._leave_out(path, folder.hidden)
        elif is_folder:
            return _Folder(f"{path}/", folder.rules, folder.hidden, ignored)
        else:
            self._take(fd, name, found, _Read(path, Stamp.of(found), None if ignored else folder.rules))
        return None

    def _leave_out(self, path: str, hidden: bool) -> None:
        """Nothing of it is committed; should the base have it, that was removed before."""
        if not hidden and self._lower.in_base(path) is not None:
            self.edits[path] = None

    def keep_committed(self, path: str) -> None:
        """What cannot be read stays as it was."""
        if path:
            self.edits[path] = self._lower.in_committed(path)

    def _take_known(self, path: str, known: Known) -> None:
        self.known[path] = known
        self.edits[path] = known.entry

    def _take(self, fd: int, name: str, found: os.stat_result, read: "_Read") -> None:
        known = self._before.get(read.path)
        if known is not None and known.still(found, self._unchanged_for):
            self._take_known(read.path, known)
        elif stat.S_ISLNK(found.st_mode):
            self._wait(read, os.fsencode(os.readlink(name, dir_fd=fd)))
        elif not stat.S_ISREG(found.st_mode):
            self.edits[read.path] = None  # a whiteout (character device 0:0), or what no repo can hold
        elif found.st_size > MOST_FILE:
            self.keep_committed(read.path)
        else:
            self._take_file(fd, name, read)

    def _take_file(self, fd: int, name: str, read: "_Read") -> None:
        try:
            with _regular_file(fd, name) as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > _LARGE:
                    self._learn(read, self._lower.objects.write_blob_from(stream))
                else:
                    self._wait(read, stream.read(size + 1))
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
            self.keep_committed(read.path)

    def _wait(self, read: "_Read", content: bytes) -> None:
        """Blobs are written many at a time."""
        read.content = content
        self._waiting.append(read)
        self._waiting_bytes += len(content)
        if self._waiting_bytes > _BATCH:
            self.write_waiting()

    def write_waiting(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        oids = self._lower.objects.write_blobs([read.content for read in waiting])
        for read, oid in zip(waiting, oids, strict=True):
            self._learn(read, oid)

    def _learn(self, read: "_Read", oid: str) -> None:
        self._take_known(read.path, Known(read.stamp, read.age, Entry(oid, read.stamp.tree_mode()), read.rules))


class _Read:
    """A file about to be read, as it was just before."""

    def __init__(self, path: str, stamp: Stamp, rules: object) -> None:
        self.path = path
        self.stamp = stamp
        self.age = stamp.age()
        self.rules = rules
        self.content = b""


@contextmanager
def _regular_file(fd: int, name: str) -> Iterator[FileIO]:
    """OSError ENXIO for whatever became something else since its folder was read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with FileIO(os.open(name, flags, dir_fd=fd)) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        yield stream


def _small_file(fd: int, name: str) -> bytes | None:
    try:
        with _regular_file(fd, name) as stream:
            return stream.read(MOST_RULES_TEXT)
    except OSError:
        return None
