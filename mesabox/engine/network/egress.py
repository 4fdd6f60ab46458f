"""Where a sprite's redirected TCP connections arrive: asked where they were going, they are taken there or refused."""

import asyncio
import socket
import struct
from contextlib import closing
from ipaddress import IPv4Address

from mesabox.engine.network.guide import Guide, NoSuchName, Refused
from mesabox.engine.network.relay import connect, relay, reset
from mesabox.engine.network.tasks import Tasks, visitors

_SO_ORIGINAL_DST = 80
_MOST_CONNECTIONS = 512


class Egress:
    """Owns the listening socket, which was made inside the sprite's network namespace."""

    def __init__(self, guide: Guide, listening: socket.socket) -> None:
        self._guide, self._listening = guide, listening
        self._open: dict[asyncio.Task[None], str] = {}
        self._tasks = Tasks(_MOST_CONNECTIONS)
        self._tasks.keep(self._serve())

    async def close(self) -> None:
        await self._tasks.close()
        self._listening.close()

    def drop_forbidden(self) -> None:
        """After the policy changed: connections that it would not permit now are cut."""
        for task, name in list(self._open.items()):
            if not (self._guide.policy.allows(name) if name else self._guide.policy.is_open):
                task.cancel()

    async def _serve(self) -> None:
        async for client in visitors(self._listening):
            if not self._tasks.start(self._carry(client)):
                reset(client)

    async def _carry(self, client: socket.socket) -> None:
        try:
            destination, port = original_destination(client)
            addresses = await self._guide.way_to(destination, port)
            server = await connect(addresses, port)
        except (OSError, Refused, NoSuchName):
            reset(client)
            return
        except BaseException:
            client.close()
            raise
        with closing(client), closing(server):
            await self._relay(client, server, self._guide.name_of(destination) or "")

    async def _relay(self, client: socket.socket, server: socket.socket, name: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = name
        try:
            await relay(client, server)
        except* OSError:
            reset(client)
        finally:
            del self._open[task]


def original_destination(client: socket.socket) -> tuple[IPv4Address, int]:
    """Where a redirected connection was going; OSError for one that came here straight."""
    told = client.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
    port, address = struct.unpack_from(">H4s", told, 2)
    return IPv4Address(address), port
