"""Who lives in a sandbox, seen from outside of it."""

import os
from contextlib import suppress


def descendants(pid: int, proc: int) -> list[int]:
    """All that descend from ``pid``, by number; ``proc``: an fd of the /proc in which ``pid`` is counted."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = _children(waiting.pop(), proc)
        found += children
        waiting += children
    return found


def _children(pid: int, proc: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):  # it has ended meanwhile
        tasks = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc)
        try:
            for thread in os.listdir(tasks):
                children += map(int, _read(f"{thread}/children", tasks).split())
        finally:
            os.close(tasks)
    return children


def _read(path: str, folder: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def open_proc() -> int:
    return os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
