"""The name server a sprite sees on 127.0.0.1:53, over UDP and TCP."""

import asyncio
import socket
import struct
from contextlib import closing

from mesabox.engine.network import dns
from mesabox.engine.network.guide import Guide, NoSuchName, Refused
from mesabox.engine.network.tasks import Tasks, visitors

_LARGEST = 4096
_MOST_AT_ONCE = 256
_TCP_SECONDS = 10


class Stub:
    """Owns both sockets, which were made inside the sprite's network namespace."""

    def __init__(self, guide: Guide, udp: socket.socket, tcp: socket.socket) -> None:
        self._guide, self._udp, self._tcp = guide, udp, tcp
        self._tasks = Tasks(_MOST_AT_ONCE)
        self._tasks.keep(self._serve_udp())
        self._tasks.keep(self._serve_tcp())

    async def close(self) -> None:
        await self._tasks.close()
        self._udp.close()
        self._tcp.close()

    async def _serve_udp(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message, asker = await loop.sock_recvfrom(self._udp, _LARGEST)
            self._tasks.start(self._answer_udp(message, asker))

    async def _answer_udp(self, message: bytes, asker: object) -> None:
        answer = await self._answer(message)
        if answer:
            await asyncio.get_running_loop().sock_sendto(self._udp, answer, asker)  # type: ignore[arg-type]

    async def _serve_tcp(self) -> None:
        async for client in visitors(self._tcp):
            if not self._tasks.start(self._answer_tcp(client)):
                client.close()

    async def _answer_tcp(self, client: socket.socket) -> None:
        with closing(client):
            reader, writer = await asyncio.open_connection(sock=client)
            async with asyncio.timeout(_TCP_SECONDS):
                (length,) = struct.unpack(">H", await reader.readexactly(2))
                answer = await self._answer(await reader.readexactly(length))
                writer.write(struct.pack(">H", len(answer)) + answer)
                await writer.drain()
            writer.close()

    async def _answer(self, message: bytes) -> bytes:
        """Empty for what is no question. IPv6 and other records: there is nothing of that type."""
        try:
            question = dns.parse(message)
        except ValueError:
            return b""
        if question.type not in (dns.A, dns.ANY):
            return dns.answer(question, dns.Code.OK)
        try:
            return dns.answer(question, dns.Code.OK, await self._guide.answer(question.name))
        except Refused:
            return dns.answer(question, dns.Code.REFUSED)
        except NoSuchName:
            return dns.answer(question, dns.Code.NO_SUCH_NAME)
        except OSError:
            return dns.answer(question, dns.Code.SERVER_FAILURE)
