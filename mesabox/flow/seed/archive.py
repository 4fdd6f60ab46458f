"""A source as a tar that is never whole in memory, for a `tar x` in a sprite.

GNU's format, whose long and non-ASCII names busybox reads too, while it passes over pax headers.
"""

import asyncio
import os
import stat
import tarfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

from mesabox.errors import Failed
from mesabox.flow.seed.source import Source, SourceFile

_PIECE = 256 << 10


async def tar_of(source: Source, files: Iterable[SourceFile] | None = None) -> AsyncIterator[bytes]:
    """In pieces of about 256 KiB; files: some of the source's, None for all. Owners and times are nobody's.

    Failed when a file is not there any more, or shrinks while it is read.
    """
    pieces = _joined(_blocks(source, source.files if files is None else files))
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _joined(blocks: Iterator[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for block in blocks:
        waiting += block
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _blocks(source: Source, files: Iterable[SourceFile]) -> Iterator[bytes]:
    for file in files:
        if file.kind == "symlink":
            yield _header(file, 0)
        else:
            yield from _file(source, file)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _file(source: Source, file: SourceFile) -> Iterator[bytes]:
    with opened(source, file) as fd:
        size = left = os.fstat(fd).st_size
        yield _header(file, size)
        while left:
            piece = os.read(fd, min(left, _PIECE))
            if not piece:
                raise _changed(file, "it became shorter")
            left -= len(piece)
            yield piece
    yield bytes(-size % tarfile.BLOCKSIZE)


@contextmanager
def opened(source: Source, file: SourceFile) -> Iterator[int]:
    """The descriptor of a file of the source; Failed when it is none any more."""
    try:
        fd = os.open(source.folder / file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _changed(file, error.strerror or str(error)) from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _changed(file, "it is no file any more")
        yield fd
    finally:
        os.close(fd)


def _header(file: SourceFile, size: int) -> bytes:
    info = tarfile.TarInfo(file.path)
    info.mode = 0o755 if file.executable else 0o644
    info.size = size
    if file.kind == "symlink":
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, file.target, 0o777
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _changed(file: SourceFile, why: str) -> Failed:
    return Failed(f"{file.path} changed while it was read", why=why, fix="try again", code="source_changed")
