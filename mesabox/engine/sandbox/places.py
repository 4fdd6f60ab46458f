"""Where the paths of the protocol are: inside a sandbox they are what they say; without isolation, in a folder."""

import errno
import os
from pathlib import PurePosixPath
from typing import Protocol

HOME = "/home/sprite"


class Places(Protocol):
    def real(self, path: str) -> str:
        """The path this process uses for an absolute path of the protocol's; OSError where there is none."""
        ...

    def shown(self, real: str) -> str: ...


class Inside:
    """The sandbox has a root of its own."""

    def real(self, path: str) -> str:
        if not path.startswith("/"):
            raise OSError(errno.EINVAL, "not an absolute path", path)
        return path

    def shown(self, real: str) -> str:
        return real


class InFolder:
    """No isolation: /home/sprite is a folder, /tmp is the host's, and there is nothing else."""

    def __init__(self, home: str) -> None:
        self._home = home

    def real(self, path: str) -> str:
        normal = os.path.normpath(path)
        if _within(normal, HOME):
            return self._home + normal.removeprefix(HOME)
        if _within(normal, "/tmp") or _within(normal, self._home):
            return normal
        raise OSError(errno.EACCES, "outside the sprite's folder (running without isolation)", path)

    def shown(self, real: str) -> str:
        return HOME + real.removeprefix(self._home) if _within(real, self._home) else real


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
