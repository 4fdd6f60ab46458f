"""Where a sprite's redirected TCP connections arrive: asked where they were going, they are taken there or refused."""

import socket
import struct
from contextlib import closing
from ipaddress import IPv4Address

from mesabox.engine.network.gateway import Gateway
from mesabox.engine.network.guide import NoSuchName, Refused
from mesabox.engine.network.relay import connect, reset

_SO_ORIGINAL_DST = 80


class Egress(Gateway):
    """Where the kernel redirects: a connection's first destination is asked of the socket."""

    async def carry(self, client: socket.socket) -> None:
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
            await self.relay(client, server, self._guide.name_of(destination) or "")


def original_destination(client: socket.socket) -> tuple[IPv4Address, int]:
    """Where a redirected connection was going; OSError for one that came here straight."""
    told = client.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
    port, address = struct.unpack_from(">H4s", told, 2)
    return IPv4Address(address), port
