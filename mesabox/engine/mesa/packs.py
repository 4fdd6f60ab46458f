"""Many blobs written at once, as one git pack with its index (gitformat-pack(5), version 2)."""

import hashlib
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_BLOB = 3


@dataclass(frozen=True, slots=True)
class _Packed:
    oid: bytes
    crc: int
    offset: int


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha1()
        self.offset = 0

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._hash.update(data)
        self.offset += len(data)

    def finish(self) -> bytes:
        """Write the checksum, and return it."""
        digest = self._hash.digest()
        self._stream.write(digest)
        return digest


def write_pack(folder: Path, contents: Sequence[bytes]) -> list[str]:
    """The blobs' oids in order. The index appears last: until then git does not see the pack."""
    oids = [hashlib.sha1(b"blob %d\0" % len(data) + data).digest() for data in contents]
    unique = dict(zip(oids, contents, strict=True))
    folder.mkdir(exist_ok=True)
    beside = folder / f"tmp_{os.getpid()}"
    with beside.open("wb") as stream:
        packed, checksum = _write_objects(_Hashed(stream), unique)
    name = folder / f"pack-{checksum.hex()}"
    beside.rename(name.with_suffix(".pack"))
    with beside.open("wb") as stream:
        _write_index(_Hashed(stream), sorted(packed, key=lambda one: one.oid), checksum)
    beside.rename(name.with_suffix(".idx"))
    return [oid.hex() for oid in oids]


def _write_objects(pack: _Hashed, contents: dict[bytes, bytes]) -> tuple[list[_Packed], bytes]:
    pack.write(struct.pack(">4sII", b"PACK", 2, len(contents)))
    packed = []
    for oid, data in contents.items():
        record = _header(len(data)) + zlib.compress(data, 1)
        packed.append(_Packed(oid, zlib.crc32(record), pack.offset))
        pack.write(record)
    return packed, pack.finish()


def _header(size: int) -> bytes:
    """Type and size: four bits of it in the first byte, seven in each that follows."""
    first, size = (_BLOB << 4) | (size & 15), size >> 4
    octets = bytearray()
    while size:
        octets.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    return bytes([*octets, first])


def _write_index(index: _Hashed, packed: Sequence[_Packed], checksum: bytes) -> None:
    index.write(struct.pack(">4sI", b"\377tOc", 2))
    counts = [0] * 256
    for one in packed:
        counts[one.oid[0]] += 1
    totals = [sum(counts[: byte + 1]) for byte in range(256)]
    index.write(struct.pack(">256I", *totals))
    index.write(b"".join(one.oid for one in packed))
    index.write(b"".join(struct.pack(">I", one.crc) for one in packed))
    far = [one.offset for one in packed if one.offset >= 1 << 31]
    place = {offset: (1 << 31) | position for position, offset in enumerate(far)}
    index.write(b"".join(struct.pack(">I", place.get(one.offset, one.offset)) for one in packed))
    index.write(b"".join(struct.pack(">Q", offset) for offset in far))
    index.write(checksum)
    index.finish()
