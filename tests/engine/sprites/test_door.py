"""What comes through a sprite's door: one JSON object a visitor, few descriptors, and nothing that ends the engine."""

import asyncio
import os
import socket

import pytest

from mesabox.engine.sandbox.host import CannotStart, Ids
from mesabox.engine.sprites.door import Door


class Box:
    """A sandbox that can start nothing."""

    async def spawn(self, argv, **_):
        raise CannotStart(127, f"{argv[0]}: command not found")


@pytest.fixture
async def door(tmp_path):
    async def handler(user, request):
        return {"ok": True, "user": user, "op": request.get("op")}

    door = Door(tmp_path / "door", Ids(os.getuid(), os.getgid(), os.getuid() + 1, os.getgid()))
    await door.open(handler, Box())
    yield door
    await door.close()


async def _ask(door, *pieces, fds=()):
    """All that is answered, up to the end; empty when the door just closes."""

    def talk():
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(5)
            visitor.connect(str(door.folder / "door.sock"))
            try:
                for piece in pieces:
                    socket.send_fds(visitor, [piece], list(fds)) if fds else visitor.sendall(piece)
                return visitor.recv(4096)
            except (BrokenPipeError, ConnectionResetError):
                return b""

    return await asyncio.to_thread(talk)


async def test_a_askedis_answered_for_who_asks(door):
    assert await _ask(door, b'{"op":', b'"x"}\n') == b'{"ok": true, "user": "root", "op": "x"}\n'


@pytest.mark.parametrize(
    "said", [b"\n", b"[]\n", b"null\n", b"{\n", b"\xff\n", b"[" * 100_000 + b"\n", b"x" * (2 << 20)]
)
async def test_what_is_no_request_gets_no_answer(door, said):
    assert await _ask(door, said) == b""
    assert await _ask(door, b"{}\n")


@pytest.mark.parametrize(
    "asked",
    [
        b'{"op":"sudo"}\n',
        b'{"op":"sudo","argv":[1]}\n',
        b'{"op":"sudo","argv":["id"]}\n',
        b'{"op":"sudo","argv":["id"],"env":[1]}\n',
        b'{"op":"sudo","argv":["id"],"env":{"A":1}}\n',
        b'{"op":"sudo","argv":["id"],"cwd":5}\n',
        b'{"op":"sudo","argv":["id"],"env":{}}\n',
    ],
)
async def test_sudo_that_cannot_be_is_refused(door, asked):
    assert (await _ask(door, asked, fds=(0, 1, 2))).startswith(b'{"ok": false')
    assert (await _ask(door, asked)).startswith(b'{"ok": false')


async def test_a_flood_of_descriptors_does_not_stay(door):
    before = len(os.listdir("/proc/self/fd"))
    assert await _ask(door, *[b"x"] * 50, fds=(0, 1, 2)) == b""
    assert len(os.listdir("/proc/self/fd")) <= before + 1
