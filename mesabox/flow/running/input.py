"""A command's input on its way through connections that may break: sent in pieces, kept until they arrived.

A piece is ``<bytes>\\n`` and so many bytes; ``0\\n`` is the end (``inside/job.sh``, ``feed``). Only whole pieces reach
the command, and each is acknowledged, so that a new connection sends what the last one did not bring over.
"""

import asyncio
from collections import deque
from contextlib import suppress

from mesabox.clients.base import Execution
from mesabox.errors import MesaboxError

_PIECE = 1024 * 1024
_UNDER_WAY = 2 * 1024 * 1024
"""Bytes on their way that are not acknowledged; so many more wait here before ``put`` keeps its caller waiting."""


class Input:
    def __init__(self) -> None:
        self._waiting = bytearray()
        self._sent: deque[bytes] = deque()
        self._arrived = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._greeted = asyncio.Event()
        self.over = False

    async def put(self, data: bytes) -> None:
        """Waits while the command is slow to read: back-pressure."""
        while len(self._waiting) >= _UNDER_WAY and not self.over:
            await self._change()
        self._waiting += data
        self._tell()

    async def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._tell()

    def arrived(self, count: str) -> None:
        """``fed`` was told: so many bytes reached the command in all; ``end``: the end did, too."""
        if count == "end":
            self.over = True
            self._sent.clear()
            self._waiting.clear()
        else:
            while self._sent and self._arrived + len(self._sent[0]) <= int(count):
                self._arrived += len(self._sent.popleft())
        self._greeted.set()
        self._tell()

    def connected(self, execution: Execution) -> None:
        """A connection is there; what the last one did not bring over goes again once the sprite said how far it is."""
        if self.over:
            return
        self._greeted.clear()
        self._sending = asyncio.create_task(self._send(execution))

    async def disconnected(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            with suppress(asyncio.CancelledError, MesaboxError):
                await sending

    async def _send(self, execution: Execution) -> None:
        await self._greeted.wait()
        for piece in tuple(self._sent):
            await _one(execution, piece)
        while not (self._ended and not self._waiting):
            if self._waiting and sum(map(len, self._sent)) < _UNDER_WAY:
                piece = bytes(self._waiting[:_PIECE])
                del self._waiting[: len(piece)]
                self._sent.append(piece)
                self._tell()
                await _one(execution, piece)
            else:
                await self._change()
        await execution.write(b"0\n")

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()


async def _one(execution: Execution, piece: bytes) -> None:
    await execution.write(b"%d\n%b" % (len(piece), piece))
