"""What is refused before a route sees it, over a real connection to a tiny application."""

import asyncio
import contextlib
import json

import pytest
import uvicorn
import websockets.http11

from mesabox.engine.endpoint import Endpoint
from mesabox.engine.gate import MOST_REQUEST_LINE, LoopbackHost, RequestLog, ShortEnough, TokenGuard
from mesabox.engine.transport import configuration

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
TOKEN = "local/engine/1/secret"
ENTRY = f"Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"


async def _application(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while scope["path"] == "/listening" and (await receive())["type"] != "websocket.disconnect":
            pass
        await send({"type": "websocket.close", "code": 1000})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


@pytest.fixture
async def port(monkeypatch):
    monkeypatch.setattr(websockets.http11, "MAX_LINE_LENGTH", 2 << 20)  # as the engine sets it by its environment
    config = configuration(RequestLog(ShortEnough(LoopbackHost(TokenGuard(_application, TOKEN)))))
    config.port = 0
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def _ask(port, request):
    """(status, body) of what is answered; a hang fails."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(request.encode("latin-1") if isinstance(request, str) else request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    status, _, rest = head.decode().partition("\r\n")
    length = [line.split(":")[1] for line in rest.split("\r\n") if line.lower().startswith("content-length")]
    body = await asyncio.wait_for(reader.readexactly(int(length[0]) if length else 0), 5)
    writer.close()
    return int(status.split()[1]), body


def _get(target="/x", headers=ENTRY):
    return f"GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"


def _upgrade(target="/x", headers=ENTRY):
    return f"GET {target} HTTP/1.1\r\n{headers}{UPGRADE}\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (ENTRY, 200),
        (ENTRY.replace("127.0.0.1", "LocalHost:80").replace("Bearer", "bearer"), 200),
        (ENTRY.replace("127.0.0.1", "[::1]:80"), 200),
        (ENTRY.replace("127.0.0.1", "evil.example"), 403),
        (ENTRY.replace("127.0.0.1", "127.0.0.1.evil.example"), 403),
        (ENTRY.replace(TOKEN, TOKEN[:-1]), 401),
        (ENTRY.replace("Bearer", "Basic"), 401),
        (ENTRY + f"Authorization: Bearer {TOKEN}\r\n", 401),
        (ENTRY + "Host: 127.0.0.1\r\n", 400),
        ("", 400),
    ],
)
async def test_who_comes_in(port, headers, status):
    assert (await _ask(port, _get(headers=headers)))[0] == status
    assert (await _ask(port, _upgrade(headers=headers)))[0] == (101 if status == 200 else status)


@pytest.mark.parametrize("ask", [_get, _upgrade])
async def test_the_longest_request_line_is_taken_and_a_longer_one_refused(port, ask):
    around = len("GET  HTTP/1.1")
    longest = "/" + "x" * (MOST_REQUEST_LINE - around - 2)
    assert (await _ask(port, ask(longest)))[0] in (200, 101)
    for more in (2, 1000, 70_000, 2_000_000):
        status, body = await _ask(port, ask(longest + "y" * more))
        assert status == 414 and "1048576" in json.loads(body)["error"], more


async def test_an_endless_request_line_is_refused_while_it_is_still_sent(port):
    status, body = await _ask(port, b"GET /" + b"x" * 3_000_000)
    assert status == 414 and json.loads(body)


@pytest.mark.parametrize(
    "headers",
    ["".join(f"X-{number}: y\r\n" for number in range(200)), "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"],
)
async def test_a_handshake_that_cannot_be_taken_is_refused_at_once(port, headers):
    status, body = await _ask(port, _upgrade(headers=ENTRY + headers))
    assert status == 400 and "error" in json.loads(body)


async def test_text_that_is_none_closes_the_socket_without_a_trace_in_the_log(port, caplog):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_upgrade("/listening").encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x81\x82\0\0\0\0\xff\xfe")
    frame = await asyncio.wait_for(reader.readexactly(4), 5)
    assert frame[0] == 0x88 and int.from_bytes(frame[2:]) == 1007
    writer.close()
    await asyncio.sleep(0.05)
    assert not caplog.records


async def test_a_refused_upgrade_leaves_no_complaint_in_the_log(port, caplog):
    assert (await _ask(port, _upgrade(headers="Host: 127.0.0.1\r\n")))[0] == 401
    await asyncio.sleep(0.05)
    assert not caplog.records


def test_a_damaged_endpoint_is_like_none(tmp_path):
    for text in ("", "{", "[]", '{"pid": 1}', '{"a": 1}', "null"):
        (tmp_path / "engine.json").write_text(text)
        assert Endpoint.read(tmp_path / "engine.json") is None
