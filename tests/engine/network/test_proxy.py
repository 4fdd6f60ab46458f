"""The fallback where the kernel cannot redirect: HTTP and SOCKS on the sprite's loopback, by the same rules."""

import asyncio
import socket
from ipaddress import ip_address

import pytest

from mesabox.engine.network.guide import Refused
from mesabox.engine.network.policy import Policy
from mesabox.engine.network.proxy import Proxy


class Guide:
    """Every permitted name leads to the test's own server."""

    policy = Policy.from_rules([])

    async def way_to_name(self, name, port):
        if name == "denied.test":
            raise Refused("denied by policy")
        return [ip_address("127.0.0.1")]

    async def way_to(self, address, port):
        raise Refused("a bare address")


@pytest.fixture
async def server():
    """Answers with what it was sent."""

    async def echo(reader, writer):
        writer.write(b"echo:" + await reader.read(1000))
        writer.close()

    serving = await asyncio.start_server(echo, "127.0.0.1", 0)
    yield serving.sockets[0].getsockname()[1]
    serving.close()


@pytest.fixture
async def proxy():
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    made = Proxy(Guide(), listening)
    yield listening.getsockname()[1]
    await made.close()


async def say(port, *pieces):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        async with asyncio.timeout(5):
            answers.append(await reader.read(1000))
    writer.close()
    return answers


async def test_connect_tunnels(proxy, server):
    opened, echoed = await say(proxy, b"CONNECT name.test:%d HTTP/1.1\r\n\r\n" % server, b"hello")
    assert opened.startswith(b"HTTP/1.1 200") and echoed == b"echo:hello"


async def test_every_connection_can_be_dropped():
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    proxy = Proxy(Guide(), listening)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"CONNECT name.test:%d HTTP/1.1\r\n\r\n" % silent.sockets[0].getsockname()[1])
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    while not proxy._open:
        await asyncio.sleep(0.01)
    proxy.drop_all()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await proxy.close()
    silent.close()


async def test_a_plain_request_is_forwarded_without_what_is_the_proxys(proxy, server):
    request = b"GET http://name.test:%d/a?b=c HTTP/1.1\r\nHost: name.test\r\nProxy-Connection: keep-alive\r\n\r\n"
    (echoed,) = await say(proxy, request % server)
    assert echoed == b"echo:GET /a?b=c HTTP/1.1\r\nHost: name.test\r\nConnection: close\r\n\r\n"


async def test_socks_by_name(proxy, server):
    wish = b"\5\1\0\3\x09name.test" + server.to_bytes(2)
    greeted, granted, echoed = await say(proxy, b"\5\1\0", wish, b"hello")
    assert greeted == b"\5\0" and granted[:2] == b"\5\0" and echoed == b"echo:hello"


async def test_refusals_are_told(proxy, server):
    (http,) = await say(proxy, b"CONNECT denied.test:443 HTTP/1.1\r\n\r\n")
    assert http.startswith(b"HTTP/1.1 403")
    _, socks = await say(proxy, b"\5\1\0", b"\5\1\0\1\x0a\0\0\1\0\x50")
    assert socks[:2] == b"\5\2"
    (noise,) = await say(proxy, b"\x16\x03\x01 no proxy request\r\n\r\n")
    assert not noise.startswith(b"HTTP/1.1 200")
