"""Writing a tree's files into a folder that a sandbox may be changing at the same time: a checkout, or a live mount.

Every parent folder is opened beneath the root without following symlinks, and a file appears whole, by rename. What
the sandbox has changed since is left as it is: its edit is the newer one.
"""

import errno
import os
import secrets
import stat
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from mesabox.engine.mesa.objects import Entry, Objects
from mesabox.engine.sandbox import syscalls

BENEATH = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS
_TEMPORARY = ".mesa-placing-"
_OPEN_FOLDERS = 64
_IN_THE_WAY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR)


def is_temporary(name: str) -> bool:
    """A file on its way into a mount, or one that a crash left there."""
    return name.startswith(_TEMPORARY)


class Placer:
    """Puts entries below ``root``, a folder's descriptor; owner: the uid and gid they get, None for one's own."""

    def __init__(self, root: int, objects: Objects, owner: tuple[int, int] | None) -> None:
        self._root = root
        self._objects = objects
        self._owner = owner
        self._folders: OrderedDict[str, int] = OrderedDict()

    def __enter__(self) -> "Placer":
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()

    def check_out(self, tree: str) -> None:
        """Every file of the tree, into an empty folder."""
        for path, entry in self._objects.walk(tree):
            folder, _, name = path.rpartition("/")
            self._make(self._folder(folder, make=True), name, entry)

    def apply(self, changed: Mapping[str, tuple[Entry | None, Entry | None]]) -> None:
        """Path -> (old, new). A path that no longer is the old is skipped: somebody wrote it meanwhile."""
        gone = [path for path, (_, new) in changed.items() if new is None]
        for path in sorted(gone, key=lambda path: path.count("/"), reverse=True):
            with suppress(FileNotFoundError, NotADirectoryError):
                self._remove(path, changed[path][0])
        for path, (old, new) in changed.items():
            if new is not None:
                self._replace(path, old, new)

    def _replace(self, path: str, old: Entry | None, new: Entry) -> None:
        folder, _, name = path.rpartition("/")
        try:
            fd = self._folder(folder, make=True)
            if self._found(fd, name) not in (old, new):
                return
            temporary = _TEMPORARY + secrets.token_hex(8)
            self._make(fd, temporary, new)
            try:
                os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
            except OSError:
                os.unlink(temporary, dir_fd=fd)
                raise
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise

    def _remove(self, path: str, old: Entry | None) -> None:
        folder, _, name = path.rpartition("/")
        fd = self._folder(folder, make=False)
        if self._found(fd, name) == old:
            os.unlink(name, dir_fd=fd)
            self._remove_if_empty(folder)

    def _remove_if_empty(self, folder: str) -> None:
        """A tree has no empty folders, so one that this left empty goes too."""
        while folder:
            parent, _, name = folder.rpartition("/")
            self._forget(folder)
            try:
                os.rmdir(name, dir_fd=self._folder(parent, make=False))
            except OSError:
                return
            folder = parent

    def _found(self, fd: int, name: str) -> Entry | None:
        """What is there now, as a tree would have it; a folder or a special file is an entry no tree has."""
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            target = os.fsencode(os.readlink(name, dir_fd=fd))
            return Entry(self._objects.hash_of(target), stat.S_IFLNK)
        if not stat.S_ISREG(found.st_mode):
            return Entry("", found.st_mode)
        mode = 0o100755 if found.st_mode & stat.S_IXUSR else 0o100644
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=fd), "rb") as stream:
            return Entry(self._objects.hash_of(stream.read()), mode)

    def _make(self, fd: int, name: str, entry: Entry) -> None:
        content = self._objects.blob(entry.oid)
        if entry.is_symlink:
            os.symlink(content, name, dir_fd=fd)
            if self._owner:
                os.chown(name, *self._owner, dir_fd=fd, follow_symlinks=False)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=fd), "wb") as stream:
            stream.write(content)
            if self._owner:
                os.fchown(stream.fileno(), *self._owner)
            os.fchmod(stream.fileno(), entry.mode & 0o777)

    def _folder(self, path: str, *, make: bool) -> int:
        """A descriptor of the folder; a few stay open, since neighbours come one after the other."""
        if path in self._folders:
            self._folders.move_to_end(path)
            return self._folders[path]
        if make and path:
            self._make_folders(path)
        fd = syscalls.openat2(path or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._root, resolve=BENEATH)
        self._folders[path] = fd
        if len(self._folders) > _OPEN_FOLDERS:
            os.close(self._folders.popitem(last=False)[1])
        return fd

    def _make_folders(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        fd = self._folder(parent, make=True)
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=fd)
            if self._owner:
                os.chown(name, *self._owner, dir_fd=fd, follow_symlinks=False)

    def _forget(self, path: str) -> None:
        if (fd := self._folders.pop(path, None)) is not None:
            os.close(fd)
