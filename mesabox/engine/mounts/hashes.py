"""The blobs of files already read, known again by their stat: a walk reads only what changed."""

import os
import time
from typing import NamedTuple

_RACY = 20_000_000
"""Nanoseconds: a file changed this shortly before it was read may change again within the same tick of its clock."""
MAPPED = 60_000_000_000
"""Nanoseconds in which a store through a memory map may still come without the kernel touching the file's time."""


class Stamp(NamedTuple):
    """A file's identity and times, and how long it had been left alone when they were read (nanoseconds)."""

    inode: int
    mtime: int
    size: int
    ctime: int
    age: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        age = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns)
        return cls(found.st_ino, found.st_mtime_ns, found.st_size, found.st_ctime_ns, age)


class HashCache:
    """(inode, mtime, size, ctime) -> blob oid, for one tree of files."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], tuple[str, int]] = {}
        self._seen: set[tuple[int, ...]] = set()

    def get(self, stamp: Stamp, *, unchanged_for: int = 0) -> str | None:
        """The oid, if the file had been left alone for that long (nanoseconds) when it was read."""
        oid, age = self._known.get(stamp[:4], (None, 0))
        self._seen.add(stamp[:4])
        return oid if age > max(_RACY, unchanged_for) else None

    def put(self, stamp: Stamp, oid: str) -> None:
        """stamp: as it was before the file was read."""
        self._seen.add(stamp[:4])
        self._known[stamp[:4]] = (oid, stamp.age)

    def forget_unseen(self) -> None:
        """At the end of a walk: what it did not meet is gone."""
        self._known = {key: known for key, known in self._known.items() if key in self._seen}
        self._seen = set()
