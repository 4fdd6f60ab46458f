"""Bytes both ways between a sprite's connection and the one made for it, until both have ended."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from mesabox.engine.network.addresses import Address

_BLOCK = 1 << 18
_CONNECT_SECONDS = 20.0


async def connect(addresses: Sequence[Address], port: int) -> socket.socket:
    """To the first of these very addresses that answers; the last one's OSError otherwise."""
    failure: OSError = OSError("no address")
    for address in addresses:
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
            return sock
        except (OSError, TimeoutError) as error:
            failure = error if isinstance(error, OSError) else failure
            sock.close()
        except BaseException:
            sock.close()
            raise
    raise failure


async def relay(left: socket.socket, right: socket.socket) -> None:
    """Half-closes are passed on; a break on one side ends both."""
    for sock in (left, right):
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with asyncio.TaskGroup() as both:
        both.create_task(_pump(left, right))
        both.create_task(_pump(right, left))


async def _pump(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _BLOCK):
        await loop.sock_sendall(target, data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def reset(sock: socket.socket) -> None:
    """Close it so that the peer sees an error and not an end: the connection was refused."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
