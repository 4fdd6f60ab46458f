"""What to build, as values that describe themselves.

``prepare`` runs before pivot_root and returns a detached mount, or None. ``place`` runs after it, so that no symlink a
sprite left in its own root can lead to the host.
"""

import errno
import os
import shutil
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mesabox.engine.sandbox import syscalls
from mesabox.engine.sandbox.overlay import Layer, overlay
from mesabox.engine.sandbox.values import Ids

QUIET = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
SILENT = QUIET | syscalls.MOUNT_ATTR_NOEXEC


@dataclass(frozen=True, slots=True)
class Step(ABC):
    target: str

    @abstractmethod
    def describe(self) -> str: ...

    def prepare(self) -> int | None:
        return None

    @abstractmethod
    def place(self, mount_fd: int | None) -> None: ...


def make_folder(path: str) -> None:
    """A real folder at ``path``: what a sprite put in its place goes."""
    if path == "/":
        return
    with suppress(FileExistsError):
        Path(path).mkdir(mode=0o755, parents=True)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        os.mkdir(path, 0o755)


@dataclass(frozen=True, slots=True)
class Mount(Step):
    """What ends as a mount on a folder."""

    def describe(self) -> str:
        return f"mount {self.target}"

    def place(self, mount_fd: int | None) -> None:
        if mount_fd is not None:
            make_folder(self.target)
            syscalls.move_mount(mount_fd, self.target)


@dataclass(frozen=True, slots=True)
class Overlay(Mount):
    """lowers: top first. host_lower: one more at the bottom, whose files carry the host's ids and are seen through
    ``userns`` where the kernel can do that; elsewhere they belong to nobody inside, and cannot be changed there."""

    lowers: tuple[Path, ...]
    upper: Path
    work: Path
    userxattr: bool
    host_lower: Path | None = None
    userns: int | None = None

    def describe(self) -> str:
        lowers = [*self.lowers, *([self.host_lower] if self.host_lower else [])]
        return f"overlay {self.target} lower={':'.join(map(str, lowers))} upper={self.upper}"

    def prepare(self) -> int:
        with ExitStack() as opened:
            lowers: list[Layer] = list(self.lowers)
            if self.host_lower is not None:
                fd = _shifted(self.host_lower, self.userns)
                opened.callback(os.close, fd)
                lowers.append(fd)
            return overlay(lowers, self.upper, self.work, userxattr=self.userxattr)


def _shifted(path: Path, userns: int | None) -> int:
    """A folder with its owners shifted, attached over itself, because older kernels take no detached lower."""
    if userns is not None:
        detached = syscalls.open_tree(path)
        try:
            syscalls.mount_setattr(detached, set_flags=syscalls.MOUNT_ATTR_IDMAP, userns_fd=userns)
            syscalls.move_mount(detached, path)
        except OSError:  # a file system without idmapped mounts, such as a container's overlay
            os.close(detached)
        else:
            return detached
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


@dataclass(frozen=True, slots=True)
class Bind(Mount):
    """A host folder or file, without setuid and devices. optional: what the host lacks is left out."""

    source: Path
    read_only: bool = True
    optional: bool = False

    def describe(self) -> str:
        return f"bind {self.source} {self.target}{' ro' if self.read_only else ''}"

    def prepare(self) -> int | None:
        try:
            fd = syscalls.open_tree(self.source)
        except FileNotFoundError:
            if self.optional:
                return None
            raise
        syscalls.mount_setattr(fd, set_flags=QUIET | (syscalls.MOUNT_ATTR_RDONLY if self.read_only else 0))
        return fd

    def place(self, mount_fd: int | None) -> None:
        if mount_fd is None:
            return
        if not stat.S_ISDIR(os.fstat(mount_fd).st_mode):
            _make_file(self.target)
        syscalls.move_mount(mount_fd, self.target)


@dataclass(frozen=True, slots=True)
class Device(Mount):
    """A harmless device node of the host's."""

    def describe(self) -> str:
        return f"device {self.target}"

    def prepare(self) -> int:
        fd = syscalls.open_tree(self.target)
        syscalls.mount_setattr(fd, set_flags=syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NOEXEC)
        return fd

    def place(self, mount_fd: int | None) -> None:
        assert mount_fd is not None
        _make_file(self.target)
        syscalls.move_mount(mount_fd, self.target)


@dataclass(frozen=True, slots=True)
class FileSystem(Mount):
    """A new file system of the kernel's own. optional: where the kernel refuses it, an empty folder stays."""

    kind: str
    options: tuple[tuple[str, str], ...] = ()
    attributes: int = SILENT
    optional: bool = False

    def describe(self) -> str:
        return f"{self.kind} {self.target} {','.join(f'{key}={value}' for key, value in self.options)}".rstrip()

    def prepare(self) -> int | None:
        fs = syscalls.fsopen(self.kind)
        try:
            for key, value in self.options:
                syscalls.fsconfig_string(fs, key, value)
            syscalls.fsconfig_create(fs)
            return syscalls.fsmount(fs, self.attributes)
        except OSError:
            if self.optional:
                return None
            raise
        finally:
            os.close(fs)


def tmpfs(target: str, mode: str, owner: Ids, *, size: str = "50%") -> FileSystem:
    ids = (("uid", str(owner.root_uid)), ("gid", str(owner.root_gid)))
    return FileSystem(target, "tmpfs", (("mode", mode), ("size", size), *ids), QUIET)


@dataclass(frozen=True, slots=True)
class Folder(Step):
    mode: int = 0o755

    def describe(self) -> str:
        return f"folder {self.target} {self.mode:o}"

    def place(self, mount_fd: int | None) -> None:
        make_folder(self.target)
        os.chmod(self.target, self.mode)


@dataclass(frozen=True, slots=True)
class Symlink(Step):
    points_to: str

    def describe(self) -> str:
        return f"symlink {self.target} -> {self.points_to}"

    def place(self, mount_fd: int | None) -> None:
        os.symlink(self.points_to, self.target)


@dataclass(frozen=True, slots=True)
class FuseNode(Step):
    """/dev/fuse, which its user may chmod; where no node can be made, a plain file stands in for it."""

    uid: int
    gid: int

    def describe(self) -> str:
        return f"fuse node {self.target} {self.uid}:{self.gid}"

    def place(self, mount_fd: int | None) -> None:
        try:
            os.mknod(self.target, stat.S_IFCHR | 0o600, os.makedev(10, 229))
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            _make_file(self.target)
            os.chmod(self.target, 0o600)
        os.chown(self.target, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class Mask(Step):
    """Nothing to see: an empty read-only folder, or /dev/null, over what is there."""

    def describe(self) -> str:
        return f"mask {self.target}"

    def place(self, mount_fd: int | None) -> None:
        try:
            kind = os.stat(self.target).st_mode
        except OSError:
            return
        cover = syscalls.open_tree("", dir_fd=empty_folder()) if stat.S_ISDIR(kind) else syscalls.open_tree("/dev/null")
        syscalls.move_mount(cover, self.target)
        os.close(cover)


@dataclass(frozen=True, slots=True)
class ReadOnly(Step):
    """A part of what is mounted already, made read-only."""

    def describe(self) -> str:
        return f"read-only {self.target}"

    def place(self, mount_fd: int | None) -> None:
        try:
            copy = syscalls.open_tree(self.target, recursive=True)
        except FileNotFoundError:
            return
        syscalls.mount_setattr(copy, set_flags=syscalls.MOUNT_ATTR_RDONLY | SILENT, recursive=True)
        syscalls.move_mount(copy, self.target)
        os.close(copy)


@cache
def empty_folder() -> int:
    """One detached empty read-only folder, of which every mask is a copy."""
    empty = FileSystem("", "tmpfs", (("mode", "555"), ("size", "4k"))).prepare()
    assert empty is not None
    syscalls.mount_setattr(empty, set_flags=syscalls.MOUNT_ATTR_RDONLY)
    return empty


def _make_file(path: str) -> None:
    """A place to put a mount on a file."""
    with suppress(FileNotFoundError):
        kind = os.lstat(path).st_mode
        if stat.S_ISREG(kind):
            return
        shutil.rmtree(path) if stat.S_ISDIR(kind) else os.unlink(path)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644))


@contextmanager
def naming(step: Step) -> Iterator[None]:
    """An error says in which step it happened."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{step.describe()}: {error.strerror}") from error


def prepare(steps: Sequence[Step]) -> list[int | None]:
    prepared = []
    for step in steps:
        with naming(step):
            prepared.append(step.prepare())
    return prepared


def place(steps: Sequence[Step], prepared: Sequence[int | None]) -> None:
    for step, mount_fd in zip(steps, prepared, strict=True):
        with naming(step):
            step.place(mount_fd)
        if mount_fd is not None:
            os.close(mount_fd)
