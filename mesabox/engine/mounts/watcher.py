"""inotify on the walked folders: hints that a walk would find something. What it misses, the next walk finds anyway."""

import asyncio
import errno
import os
import struct
from collections.abc import Callable

from mesabox.engine.sandbox import syscalls

_HEADER = struct.Struct("iIII")
_MASK = (
    syscalls.IN_MODIFY | syscalls.IN_ATTRIB | syscalls.IN_CLOSE_WRITE | syscalls.IN_MOVED_FROM | syscalls.IN_MOVED_TO
    | syscalls.IN_CREATE | syscalls.IN_DELETE | syscalls.IN_ONLYDIR | syscalls.IN_EXCL_UNLINK
)  # fmt: skip


class Watcher:
    """One inotify instance for all mounts: a user may have 128 of them, and as many mounts as they like."""

    def __init__(self) -> None:
        self._fd = syscalls.inotify_init1()
        self._wakes: dict[int, Callable[[], None]] = {}

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._fd, self._events)

    def watch(self, folder: int, wake: Callable[[], None]) -> None:
        """Call ``wake`` (in the loop) when something happens in the folder. Any thread may ask, and ask again."""
        try:
            number = syscalls.inotify_add_watch(self._fd, f"/proc/self/fd/{folder}", _MASK)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                raise
        else:
            self._wakes[number] = wake

    def _events(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return
        woken: set[Callable[[], None]] = set()
        place = 0
        while place < len(data):
            number, mask, _, length = _HEADER.unpack_from(data, place)
            place += _HEADER.size + length
            if mask & syscalls.IN_IGNORED:
                self._wakes.pop(number, None)
            elif mask & syscalls.IN_Q_OVERFLOW:
                woken.update(self._wakes.values())
            elif wake := self._wakes.get(number):
                woken.add(wake)
        for wake in woken:
            wake()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
