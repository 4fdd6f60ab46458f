"""What the last walk read of each file, known again by its stat: a walk reads only what changed."""

import os
import stat
import time
from typing import NamedTuple

from mesabox.engine.mesa.objects import Entry

_RACY = 20_000_000
"""Nanoseconds: a file changed this shortly before it was read may change again within the same tick of its clock."""
MAPPED = 60_000_000_000
"""Nanoseconds in which a store through a memory map may still come without the kernel touching the file's time."""


class Stamp(NamedTuple):
    """A file as it was before it was read; it has altered if any of these has."""

    inode: int
    mode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        return cls(found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def tree_mode(self) -> int:
        if stat.S_ISLNK(self.mode):
            return stat.S_IFLNK
        return 0o100755 if self.mode & stat.S_IXUSR else 0o100644

    def age(self) -> int:
        """How long the file has been left alone (nanoseconds)."""
        return time.time_ns() - max(self.mtime, self.ctime)


class Known(NamedTuple):
    """age: how long the file had been left alone when it was read. rules: those that did not ignore it."""

    stamp: Stamp
    age: int
    entry: Entry
    rules: object

    def still(self, found: os.stat_result, unchanged_for: int) -> bool:
        return self.stamp == Stamp.of(found) and self.age > max(_RACY, unchanged_for)
