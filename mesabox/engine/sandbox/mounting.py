"""Mounts that come and go while a sandbox lives; by the spawner that is root inside."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mesabox.engine.sandbox import syscalls

_TRIES = 20
_PAUSE = 0.01


class Mounts:
    """What has been placed, each held by its descriptor: a sprite may rename the folders above a mount, and does not
    get rid of it by that. ``proc``: the host's /proc, in which this process can be seen."""

    def __init__(self, proc: int) -> None:
        self._proc = proc
        self._placed: dict[str, int] = {}

    def place(self, mount_fd: int, path: str, *, read_only: bool, uid: int) -> None:
        """Attach at ``path``, whose missing folders are made as ``uid``; a mount that is there already is replaced."""
        self.remove(path)
        with _as_user(uid):
            os.makedirs(path, exist_ok=True)
        if read_only:
            syscalls.mount_setattr(mount_fd, set_flags=syscalls.MOUNT_ATTR_RDONLY)
        syscalls.move_mount(mount_fd, path)
        self._placed[path] = os.dup(mount_fd)

    def remove(self, path: str) -> None:
        """Lazily, so that an open file is no obstacle. Nothing placed there is fine."""
        fd = self._placed.pop(path, None)
        if fd is not None:
            try:
                os.fchdir(fd)
                syscalls.umount2(".", syscalls.MNT_DETACH)
            finally:
                os.chdir("/")
                os.close(fd)

    def make_read_only(self, path: str) -> None:
        """No more writing to what was placed at ``path``, whatever it takes: processes that write there are killed."""
        for _ in range(_TRIES):
            try:
                syscalls.mount_setattr(self._placed[path], set_flags=syscalls.MOUNT_ATTR_RDONLY)
                return
            except KeyError:
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            for process in _writers(self._present_path(path)):
                _kill(process)
            time.sleep(_PAUSE)
        self.remove(path)

    def _present_path(self, path: str) -> str:
        return os.readlink(f"self/fd/{self._placed[path]}", dir_fd=self._proc)


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
