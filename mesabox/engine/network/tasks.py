"""A bounded crowd of tasks that end together: a sprite may ask as often as it likes, we do not follow without limit."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

_AGAIN = 0.1


async def visitors(listening: socket.socket) -> AsyncIterator[socket.socket]:
    """Connections as they arrive. Nothing a visitor does, nor a lack of descriptors for a moment, ends it."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            client, _ = await loop.sock_accept(listening)
        except OSError:
            await asyncio.sleep(_AGAIN)
        else:
            yield client


class Tasks:
    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: set[asyncio.Task[None]] = set()
        self._running: set[asyncio.Task[None]] = set()

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """A task for as long as this lives."""
        self._kept.add(asyncio.create_task(_quietly(work)))

    def start(self, work: Coroutine[Any, Any, None]) -> bool:
        """One more, or False if there are too many already."""
        if len(self._running) >= self._most:
            work.close()
            return False
        task = asyncio.create_task(_quietly(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def close(self) -> None:
        everyone = self._kept | self._running
        for task in everyone:
            task.cancel()
        await asyncio.gather(*everyone, return_exceptions=True)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """A connection that breaks is its peers' affair."""
    with suppress(OSError, EOFError, TimeoutError):
        await work
