"""Mounts that come and go while a sandbox lives; by the spawner that is root inside."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mesabox.engine.sandbox import syscalls

_NOFOLLOW = 8  # UMOUNT_NOFOLLOW
_TRIES = 20
_PAUSE = 0.01


def place(mount_fd: int, path: str, *, read_only: bool, uid: int) -> None:
    """Attach at ``path``, whose missing folders are made as ``uid``; a mount that is there already is replaced."""
    with _as_user(uid):
        os.makedirs(path, exist_ok=True)
    remove(path)
    if read_only:
        syscalls.mount_setattr(mount_fd, set_flags=syscalls.MOUNT_ATTR_RDONLY)
    syscalls.move_mount(mount_fd, path)


def remove(path: str) -> None:
    """Lazily, so that an open file is no obstacle. Nothing mounted there is fine."""
    try:
        syscalls.umount2(path, syscalls.MNT_DETACH | _NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


def make_read_only(path: str) -> None:
    """No more writing below ``path``, whatever it takes: the processes that write there are killed."""
    for _ in range(_TRIES):
        try:
            syscalls.mount_setattr(syscalls.AT_FDCWD, path=path, set_flags=syscalls.MOUNT_ATTR_RDONLY)
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        for process in _writers(os.path.realpath(path)):
            _kill(process)
        time.sleep(_PAUSE)
    remove(path)


def link(target: str, path: str) -> None:
    """Without isolation: a symlink is the mount."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unlink(path)
    with suppress(FileNotFoundError):
        os.rmdir(path)
    os.symlink(target, path)


def unlink(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)


@contextmanager
def _as_user(uid: int) -> Iterator[None]:
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _writers(folder: str) -> list[Path]:
    return [process for process in Path("/proc").iterdir() if process.name.isdecimal() and _writes(process, folder)]


def _writes(process: Path, folder: str) -> bool:
    """Whether a process holds a file below ``folder`` open for writing, or has one mapped so."""
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            if _below(os.readlink(link), folder) and _opened_for_writing(process / "fdinfo" / link.name):
                return True
    with suppress(OSError):
        for line in (process / "maps").read_text(errors="replace").splitlines():
            _, mode, *_, name = line.split(maxsplit=5)
            if mode[1::2] == "ws" and _below(name, folder):
                return True
    return False


def _opened_for_writing(info: Path) -> bool:
    flags = next(line.split()[1] for line in info.read_text().splitlines() if line.startswith("flags:"))
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _kill(process: Path) -> None:
    # Our own /proc numbers are not the sandbox's; a folder of its /proc stands for the process itself.
    with suppress(OSError):
        fd = os.open(process, os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        finally:
            os.close(fd)
