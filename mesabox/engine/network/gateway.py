"""What both ways out share: connections taken in bounded number, carried to their end, cut when the policy changes."""

import asyncio
import socket
from abc import ABC, abstractmethod

from mesabox.engine.network.guide import Guide
from mesabox.engine.network.relay import relay, reset
from mesabox.engine.network.tasks import Tasks, visitors

_MOST_CONNECTIONS = 512


class Gateway(ABC):
    """Owns the listening socket, which was made inside the sprite's network namespace."""

    def __init__(self, guide: Guide, listening: socket.socket) -> None:
        self._guide, self._listening = guide, listening
        self._open: dict[asyncio.Task[None], str] = {}
        self._tasks = Tasks(_MOST_CONNECTIONS)
        self._tasks.keep(self._serve())

    @abstractmethod
    async def carry(self, client: socket.socket) -> None:
        """Find out where a connection goes, and relay it there: each way out has its own means."""

    async def close(self) -> None:
        await self._tasks.close()
        self._listening.close()

    def drop_forbidden(self) -> None:
        """After the policy changed: connections that it would not permit now are cut."""
        for task, name in list(self._open.items()):
            if not (self._guide.policy.allows(name) if name else self._guide.policy.is_open):
                task.cancel()

    def drop_all(self) -> None:
        for task in list(self._open):
            task.cancel()

    async def _serve(self) -> None:
        async for client in visitors(self._listening):
            client.setblocking(False)
            if not self._tasks.start(self.carry(client)):
                reset(client)

    async def relay(self, client: socket.socket, server: socket.socket, name: str) -> None:
        """name: that the policy goes by; empty for a bare address."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = name
        try:
            await relay(client, server)
        except* OSError:
            reset(client)
        finally:
            del self._open[task]
