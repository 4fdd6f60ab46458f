"""Messages with descriptors over a unix stream socket (length, count of fds, JSON); blocking, for small processes."""

import array
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Message = dict[str, Any]

MAX_FDS = 16
_HEADER = struct.Struct(">IB")
_CHUNK = 1 << 16
_ANCILLARY = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)


def encode(message: Mapping[str, Any], fds: Sequence[int] = ()) -> bytes:
    body = json.dumps(message).encode()
    return _HEADER.pack(len(body), len(fds)) + body


def send_start(sock: socket.socket, data: bytes, fds: Sequence[int]) -> int:
    """Send the descriptors with as many bytes as fit; how many those were."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    return sock.sendmsg([data], rights)


def receive_some(sock: socket.socket) -> tuple[bytes, list[int]]:
    """A piece of the stream and the descriptors that came with it, close-on-exec."""
    data, ancillary, _, _ = sock.recvmsg(_CHUNK, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return data, list(fds)


class Decoder:
    """Puts messages together again. The kernel hands descriptors over no later than their message's first byte."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._fds: deque[int] = deque()

    def feed(self, data: bytes, fds: Sequence[int]) -> Iterator[tuple[Message, list[int]]]:
        self._bytes += data
        self._fds.extend(fds)
        while len(self._bytes) >= _HEADER.size:
            length, count = _HEADER.unpack_from(self._bytes)
            end = _HEADER.size + length
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[_HEADER.size : end])
            del self._bytes[:end]
            yield json.loads(body), [self._fds.popleft() for _ in range(count)]


class Channel:
    """One end of a socket pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._decoder = Decoder()
        self._ready: deque[tuple[Message, list[int]]] = deque()

    @classmethod
    def adopt(cls, fd: int) -> "Channel":
        """A channel that owns the descriptor from now on."""
        return cls(socket.socket(fileno=fd))

    @classmethod
    def pair(cls) -> tuple["Channel", "Channel"]:
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(left), cls(right)

    def send(self, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        data = encode(message, fds)
        sent = send_start(self.sock, data, fds)
        if sent < len(data):  # who has read it all may have closed already
            self.sock.sendall(memoryview(data)[sent:])

    def receive(self) -> tuple[Message, list[int]]:
        """The next message. EOFError when the other end is gone."""
        while not self._ready:
            data, fds = receive_some(self.sock)
            if not data:
                raise EOFError
            self._ready.extend(self._decoder.feed(data, fds))
        return self._ready.popleft()

    @property
    def waiting(self) -> bool:
        """Whether a message has been received already that ``receive`` would give at once."""
        return bool(self._ready)

    def close(self) -> None:
        self.sock.close()


def close_all(fds: Sequence[int | None]) -> None:
    for fd in fds:
        if fd is not None:
            os.close(fd)
