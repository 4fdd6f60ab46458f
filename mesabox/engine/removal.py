"""Removing folders that a sandbox filled: however deep, and whatever is in them, without following anything."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def remove_folder(folder: Path) -> None:
    """Gone afterwards; absent is fine. Depth costs nothing: folders are moved up to the top before they are emptied."""
    with suppress(FileNotFoundError):
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while names := _names(top):
                for name in names:
                    _flatten(top, name)
        finally:
            os.close(top)
        folder.rmdir()


def _names(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return [entry.name for entry in entries]


def _flatten(top: int, name: str) -> None:
    """Remove one entry of the top, its own folders becoming entries of the top instead."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    fd = _opened(top, name)
    try:
        for child in _names(fd):
            if stat.S_ISDIR(os.stat(child, dir_fd=fd, follow_symlinks=False).st_mode):
                os.rename(child, secrets.token_hex(8), src_dir_fd=fd, dst_dir_fd=top)
            else:
                os.unlink(child, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=top)


def _opened(top: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(PermissionError):
        return os.open(name, flags, dir_fd=top)
    os.chmod(name, 0o700, dir_fd=top)
    return os.open(name, flags, dir_fd=top)
