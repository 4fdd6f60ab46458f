"""The way out where the kernel cannot redirect: an HTTP and SOCKS5 proxy on the sprite's loopback."""

import asyncio
import socket
import struct
from contextlib import closing
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from mesabox.engine.network.gateway import Gateway
from mesabox.engine.network.guide import NoSuchName, Refused
from mesabox.engine.network.relay import connect

_LARGEST_HEAD = 65_536
_GREETING_SECONDS = 30
_SOCKS, _NO_AUTHENTICATION, _CONNECT = 5, 0, 1
_BY_ADDRESS, _BY_NAME = 1, 3
_SUCCEEDED, _NOT_ALLOWED, _UNREACHABLE, _NOT_SUPPORTED = 0, 2, 4, 7
_HOP_BY_HOP = ("proxy-connection", "proxy-authorization", "connection", "keep-alive")


class Proxy(Gateway):
    """Where the kernel cannot redirect: each connection says itself where it goes."""

    async def carry(self, client: socket.socket) -> None:
        with closing(client):
            async with asyncio.timeout(_GREETING_SECONDS):
                first = await _exactly(client, 1)
                server, name, rest = await (self._socks(client) if first[0] == _SOCKS else self._http(client, first))
            with closing(server):
                await asyncio.get_running_loop().sock_sendall(server, rest)
                await self.relay(client, server, name)

    async def _connect(self, host: str, port: int) -> socket.socket:
        try:
            addresses = await self._guide.way_to(IPv4Address(host), port)
        except AddressValueError:
            addresses = await self._guide.way_to_name(host, port)
        return await connect(addresses, port)

    async def _socks(self, client: socket.socket) -> tuple[socket.socket, str, bytes]:
        """RFC 1928, CONNECT only, without authentication: who is on this loopback is the sprite itself."""
        loop = asyncio.get_running_loop()
        await _exactly(client, (await _exactly(client, 1))[0])
        await loop.sock_sendall(client, bytes([_SOCKS, _NO_AUTHENTICATION]))
        _, command, _, kind = await _exactly(client, 4)
        if command != _CONNECT or kind not in (_BY_ADDRESS, _BY_NAME):
            await _socks_answer(client, _NOT_SUPPORTED)
            raise OSError("not supported")
        length = 4 if kind == _BY_ADDRESS else (await _exactly(client, 1))[0]
        host = await _exactly(client, length)
        (port,) = struct.unpack(">H", await _exactly(client, 2))
        name = str(IPv4Address(host)) if kind == _BY_ADDRESS else host.decode("ascii", "replace")
        try:
            server = await self._connect(name, port)
        except (Refused, NoSuchName, OSError) as error:
            await _socks_answer(client, _NOT_ALLOWED if isinstance(error, Refused) else _UNREACHABLE)
            raise OSError(str(error)) from error
        await _socks_answer(client, _SUCCEEDED)
        return server, name, b""

    async def _http(self, client: socket.socket, first: bytes) -> tuple[socket.socket, str, bytes]:
        """CONNECT, or one plain request whose connection is not kept."""
        loop = asyncio.get_running_loop()
        head, body = await _head(client, first)
        method, target, version = ([*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""])[:3]
        tunnel = method == "CONNECT"
        try:
            parts = urlsplit(f"//{target}" if tunnel else target)
            if not parts.hostname:
                raise Refused("not a proxy request")
            server = await self._connect(parts.hostname, parts.port or (443 if tunnel else 80))
        except (Refused, NoSuchName, OSError, ValueError) as error:
            status = "403 Forbidden" if isinstance(error, Refused) else "502 Bad Gateway"
            answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\nX-Mesabox: {error}\r\n\r\n"
            await loop.sock_sendall(client, answer.encode("latin-1", "replace"))
            raise OSError(str(error)) from error
        if tunnel:
            await loop.sock_sendall(client, b"HTTP/1.1 200 Connection established\r\n\r\n")
            return server, parts.hostname, body
        path = parts._replace(scheme="", netloc="").geturl() or "/"
        return server, parts.hostname, _forwarded(f"{method} {path} {version}", head) + body


def _forwarded(request_line: str, head: bytes) -> bytes:
    """The request's head as the server is to see it."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    kept = [line for line in lines if line.partition(":")[0].strip().lower() not in _HOP_BY_HOP and line]
    return "\r\n".join([request_line, *kept, "Connection: close", "", ""]).encode("latin-1")


async def _head(client: socket.socket, first: bytes) -> tuple[bytes, bytes]:
    """Up to the empty line, and what came after it already."""
    data = first
    while b"\r\n\r\n" not in data:
        piece = await asyncio.get_running_loop().sock_recv(client, 4096)
        if not piece or len(data) > _LARGEST_HEAD:
            raise OSError("not an HTTP request")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


async def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await asyncio.get_running_loop().sock_recv(client, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


async def _socks_answer(client: socket.socket, code: int) -> None:
    answer = struct.pack(">4B4sH", _SOCKS, code, 0, _BY_ADDRESS, bytes(4), 0)
    await asyncio.get_running_loop().sock_sendall(client, answer)
