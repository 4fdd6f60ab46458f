"""Which names and addresses a sprite is led to, and what it may throw at the stub."""

import asyncio
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address

import pytest

from mesabox.engine.network import dns, guide
from mesabox.engine.network.addresses import why_refused
from mesabox.engine.network.guide import Guide, Refused
from mesabox.engine.network.policy import Policy
from mesabox.engine.network.stub import Stub


def _question(*labels, kind=dns.A):
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack(">6H", 7, 256, 1, 0, 0, 0) + name + struct.pack(">2H", kind, dns.IN)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0" * 12,
        b"\xff" * 40,
        _question(b"a")[:-1],
        _question(b"a")[:12] + b"\xc0\x0c\0\1\0\1",
        _question(b"localhost\0", b"allowed", b"com"),
        _question(b"\xff\xfe"),
        _question(b"new\nline"),
    ],
)
def test_what_is_no_plain_question_is_none(message):
    with pytest.raises(ValueError):
        dns.parse(message)


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("1.1.1.1", False),
        ("2606:4700::1111", False),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("0.0.0.0", True),
        ("224.0.0.1", True),
        ("::1", True),
        ("::", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::", True),
    ],
)
def test_addresses(address, refused):
    assert bool(why_refused(ip_address(address))) is refused


def test_the_machines_own_address_is_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        assert why_refused(ip_address(probe.getsockname()[0]))


@pytest.fixture
def resolver(monkeypatch):
    """name -> addresses, of a world of its own."""
    world = {}

    def look_up(name):
        if name not in world:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [ip_address(text) for text in world[name]]

    monkeypatch.setattr(guide, "_look_up", look_up)
    return world


def _guide(*rules):
    return Guide(frozenset({"localhost"}), Policy.from_rules(rules), ThreadPoolExecutor(1))


async def test_a_name_that_turns_to_the_loopback_after_it_was_asked_for_leads_nowhere(resolver, monkeypatch):
    monkeypatch.setattr(guide, "_FRESH_SECONDS", 0.0)
    resolver["rebound.example"] = ["1.1.1.1"]
    way = _guide()
    fake = await way.answer("rebound.example")
    assert await way.way_to(fake, 80) == [IPv4Address("1.1.1.1")]
    resolver["rebound.example"] = ["127.0.0.1"]
    with pytest.raises(Refused):
        await way.way_to(fake, 80)


async def test_only_public_addresses_of_a_name_are_connected_to(resolver):
    resolver["mixed.example"] = ["127.0.0.1", "1.1.1.1", "::1"]
    resolver["inside.example"] = ["10.0.0.1"]
    way = _guide()
    assert await way.way_to(await way.answer("mixed.example"), 80) == [IPv4Address("1.1.1.1")]
    with pytest.raises(Refused):
        await way.answer("inside.example")


async def test_under_a_policy_no_bare_address_is_reached(resolver):
    resolver.update({"good.example": ["1.1.1.1"], "bad.example": ["1.1.1.1"]})
    way = _guide({"domain": "good.example", "action": "allow"})
    await way.answer("GOOD.example.")
    for attempt in (way.answer("bad.example"), way.way_to(IPv4Address("1.1.1.1"), 80)):
        with pytest.raises(Refused):
            await attempt


async def test_the_stub_outlives_garbage_and_floods(resolver):
    resolver["good.example"] = ["1.1.1.1"]
    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 0))
    udp.bind(("127.0.0.1", 0))
    for sock in (udp, tcp):
        sock.setblocking(False)
    stub = Stub(_guide(), udp, tcp)
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as asker:
            asker.setblocking(False)
            asker.connect(udp.getsockname())
            for number in range(3000):
                asker.send(bytes([number % 256]) * (number % 600) if number % 2 else _question(b"localhost\0", b"x"))
            for _ in range(20):
                await _knock(tcp.getsockname())
            await asyncio.sleep(0.2)
            asker.send(_question(b"good", b"example"))
            reply = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(asker, 512), 5)
        assert reply[3] & 15 == dns.Code.OK and reply[-4:-2] == IPv4Address("198.18.0.0").packed[:2]
    finally:
        await stub.close()


async def _knock(address):
    _, writer = await asyncio.open_connection(*address)
    writer.write(b"\xff\xffgarbage")
    writer.close()
