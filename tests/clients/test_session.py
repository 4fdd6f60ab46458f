"""The exec socket against a small server that behaves as badly as real ones have been seen to."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import serve
from websockets.frames import CloseCode
from websockets.server import ServerProtocol

from mesabox.clients.base import no_tail
from mesabox.clients.sprites.client import SpritesClient
from mesabox.clients.transport import Transport
from mesabox.errors import CredentialsProblem, NotFound, OutcomeUnknown, TryLater
from mesabox.wire.execution import ExecRequest

SECRET = "local/secret/token"


class Token:
    def token(self):
        return SECRET


def client_at(port, pause=asyncio.sleep):
    return SpritesClient(Transport("Sprites", f"http://127.0.0.1:{port}", Token(), pause=pause))


@contextlib.asynccontextmanager
async def sprites(behave, **options):
    """behave(socket) plays the service's side of one command."""
    server = await serve(behave, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1, **options)
    try:
        yield client_at(server.sockets[0].getsockname()[1])
    finally:
        server.close()  # and no waiting: some of these services hold on for seconds


async def outputs(execution):
    return [(output.stream, output.data) async for output in execution]


async def test_output_and_exit_code():
    async def behave(socket):
        await socket.send(json.dumps({"type": "session_info", "session_id": 7, "tty": False}))
        for frame in (b"\x01out", b"\x02err", b"", b"\x01", b"\x01put", b"\x03\x2a"):
            await socket.send(frame)

    async with sprites(behave) as client, client.execute("a", ExecRequest(("x",))) as execution:
        assert await outputs(execution) == [(1, b"out"), (2, b"err"), (1, b"put")]
        assert (execution.exit_code, execution.session_id) == (42, "7")


async def test_a_server_that_holds_the_socket_after_the_exit_does_not_delay_us():
    async def behave(socket):
        await socket.send(b"\x03\x00")
        await asyncio.sleep(5)

    async with sprites(behave) as client:
        started = time.monotonic()
        assert (await client.run("a", ["true"])).exit_code == 0
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("closes", [True, False])
async def test_output_that_comes_after_the_exit_is_taken_in_where_it_is_waited_for(closes):
    async def behave(socket):
        await socket.send(b"\x01out")
        await socket.send(b"\x03\x2a")
        await socket.send(b"\x02late")
        await socket.send(json.dumps({"type": "exit", "exit_code": 1}))
        await socket.send(b"\x03\x00")
        await socket.send(b"\x01put")
        if not closes:
            await asyncio.sleep(5)

    for tail, told in [
        (lambda: 60.0 if closes else 0.5, [(1, b"out"), (2, b"late"), (1, b"put")]),
        (no_tail, [(1, b"out")]),
    ]:
        async with sprites(behave) as client, client.execute("a", ExecRequest(("x",)), tail=tail) as execution:
            assert await outputs(execution) == told
            assert execution.exit_code == 42


@pytest.mark.parametrize("code", [CloseCode.NORMAL_CLOSURE, CloseCode.INTERNAL_ERROR])
async def test_a_close_without_an_exit_is_unknown_and_never_a_guess(code):
    async def behave(socket):
        await socket.send(b"\x01half")
        await socket.close(code)

    async with sprites(behave) as client:
        with pytest.raises(OutcomeUnknown):
            await client.run("a", ["true"])


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("told", [{}, {"exit_code": None}, {"exit_code": "0"}, {"code": 0}])
async def test_an_exit_without_a_code_is_unknown_too(told, tty):
    async def behave(socket):
        await socket.send(json.dumps({"type": "exit", **told}))

    async with sprites(behave) as client, client.execute("a", ExecRequest(("x",), tty=tty)) as execution:
        with pytest.raises(OutcomeUnknown):
            await outputs(execution)


@pytest.mark.parametrize(("told", "code"), [(256, 255), (-1, 255), (255, 255), (0, 0)])
async def test_no_exit_code_becomes_another_one(told, code):
    async def behave(socket):
        await socket.send(json.dumps({"type": "exit", "exit_code": told}))

    async with sprites(behave) as client, client.execute("a", ExecRequest(("x",), tty=True)) as execution:
        assert await outputs(execution) == []
    assert execution.exit_code == code


async def test_a_json_exit_without_a_terminal_may_be_followed_by_output_and_the_exit_frame():
    async def behave(socket):
        await socket.send(json.dumps({"type": "exit", "exit_code": 3}))
        await socket.send(b"\x01late")
        await socket.send(b"\x03\x03")
        await asyncio.sleep(5)

    async with sprites(behave) as client:
        done = await client.run("a", ["x"])
    assert (done.exit_code, done.stdout) == (3, b"late")


async def test_a_json_exit_alone_is_enough():
    async def behave(socket):
        await socket.send(json.dumps({"type": "exit", "exit_code": 4}))
        await socket.close()

    async with sprites(behave) as client:
        assert (await client.run("a", ["x"])).exit_code == 4


async def test_a_terminal_is_raw_bytes_and_ends_with_json():
    async def behave(socket):
        assert parse_qs(urlsplit(socket.request.path).query)["rows"] == ["50"]
        assert await socket.recv() == b"\x03typed"  # Ctrl-C is a byte like any other
        assert json.loads(await socket.recv()) == {"type": "resize", "rows": 10, "cols": 20}
        await socket.send(b"\x01raw")
        await socket.send(json.dumps({"type": "exit", "exit_code": 130}))
        await asyncio.sleep(5)

    request = ExecRequest(("sh",), tty=True, rows=50, cols=100, stdin=True)
    async with sprites(behave) as client, client.execute("a", request) as execution:
        await execution.write(b"\x03typed")
        await execution.resize(10, 20)
        assert await outputs(execution) == [(1, b"\x01raw")]
        assert execution.exit_code == 130


async def test_stdin_arrives_in_frames_and_ends():
    async def behave(socket):
        got = bytearray()
        async for message in socket:
            if message == b"\x04":
                break
            assert message[0] == 0 and len(message) <= 32 * 1024
            got += message[1:]
        await socket.send(b"\x01" + str(len(got)).encode())
        await socket.send(b"\x03\x00")

    async with sprites(behave) as client:
        assert (await client.run("a", ["cat"], stdin=bytes(1_000_000))).stdout == b"1000000"


async def test_a_reader_that_stops_stops_the_writer():
    release = asyncio.Event()

    async def behave(socket):
        await release.wait()
        async for message in socket:
            if message == b"\x04":
                break
        await socket.send(b"\x03\x00")

    request = ExecRequest(("cat",), stdin=True)
    async with sprites(behave, max_queue=2) as client, client.execute("a", request) as execution:
        writing = asyncio.create_task(execution.write(bytes(64 * 1024 * 1024)))
        await asyncio.sleep(0.3)
        assert not writing.done()
        release.set()
        await writing
        await execution.close_stdin()
        await outputs(execution)


async def test_a_signal_goes_as_a_frame_where_the_service_takes_them():
    def offer(_, __, response):
        response.headers["X-Sprite-Capabilities"] = "signal"

    async def behave(socket):
        assert json.loads(await socket.recv()) == {"type": "signal", "signal": "TERM"}
        await socket.send(b"\x03\x8f")

    request = ExecRequest(("x",))
    async with sprites(behave, process_response=offer) as client, client.execute("a", request) as execution:
        await execution.signal("TERM")
        await outputs(execution)
        assert execution.exit_code == 143


async def test_attaching_learns_the_mode_from_the_service():
    async def behave(socket):
        assert socket.request.path == "/v1/sprites/a/exec/7?stdin=true"
        await socket.send(b"scrollback")
        await socket.send(json.dumps({"type": "session_info", "session_id": "7", "tty": True}))
        await socket.send(json.dumps({"type": "exit", "exit_code": 0}))

    async with sprites(behave) as client, client.attach("a", "7") as execution:
        assert await outputs(execution) == [(1, b"scrollback")]


@pytest.mark.parametrize(("status", "kind"), [(401, CredentialsProblem), (404, NotFound), (503, TryLater)])
async def test_a_refused_handshake_is_our_error_and_shows_no_query(status, kind):
    def refuse(connection, request):
        return connection.respond(status, json.dumps({"error": f"no {SECRET}"}))

    request = ExecRequest(("x",), env={"PASSWORD": "hunter2"})
    async with sprites(lambda _: None, process_request=refuse) as client:
        with pytest.raises(kind) as caught:
            async with client.execute("a", request):
                pass
    told = f"{caught.value.what} {caught.value.why} {caught.value.fix}"
    assert "hunter2" not in told and SECRET not in told


@contextlib.asynccontextmanager
async def refusing(status, times, **headers):
    """A service that refuses the handshake so often: (its client, the handshakes, the client's pauses)."""
    handshakes, pauses = [], []

    def refuse(connection, request):
        handshakes.append(request)
        if len(handshakes) > times:
            return None
        response = connection.respond(status, "no")
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    async def behave(socket):
        await socket.send(b"\x03\x00")

    async def pause(seconds):
        pauses.append(seconds)

    server = await serve(behave, "127.0.0.1", 0, process_request=refuse, close_timeout=0.1)
    try:
        yield client_at(server.sockets[0].getsockname()[1], pause), handshakes, pauses
    finally:
        server.close()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_handshake_refused_before_anything_was_done_is_tried_again(status):
    async with refusing(status, 3, Retry_After="7") as (client, handshakes, pauses):
        assert (await client.run("a", ["true"])).exit_code == 0
        assert len(handshakes) == 4 and pauses == [7.0] * 3
    async with refusing(status, 4) as (client, handshakes, pauses):
        with pytest.raises(TryLater):
            await client.run("a", ["true"])
        assert len(handshakes) == 4 and len(pauses) == 3 and max(pauses) <= 2.0


async def test_a_service_that_asks_for_a_long_wait_is_reported():
    async with refusing(429, 1, Retry_After="60") as (client, handshakes, pauses):
        with pytest.raises(TryLater) as caught:
            await client.run("a", ["true"])
    assert (len(handshakes), pauses, caught.value.after, caught.value.fix) == (1, [], 60.0, "try again in 60 s")


async def test_a_handshake_that_an_edge_answered_is_not_repeated():
    async with refusing(502, 1) as (client, handshakes, _):
        with pytest.raises(OutcomeUnknown):
            await client.run("a", ["true"])
    assert len(handshakes) == 1


@pytest.mark.parametrize("resets", [False, True])
async def test_a_handshake_that_broke_is_unknown(resets):
    """The command may have been started."""

    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if resets:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(behave, "127.0.0.1", 0)
    async with server:
        with pytest.raises(OutcomeUnknown):
            await client_at(server.sockets[0].getsockname()[1]).run("a", ["true"])


async def test_nobody_there():
    with pytest.raises(TryLater) as caught:
        await client_at(1).run("a", ["true"])
    assert caught.value.code == "unreachable"


async def test_frames_that_arrive_byte_by_byte():
    payload = b"\x01" + bytes(range(256)) * 4

    async def serve_slowly(reader, writer):
        protocol = ServerProtocol()

        async def flush():
            for piece in protocol.data_to_send():
                for byte in piece:
                    writer.write(bytes([byte]))
                    await writer.drain()

        while not (events := protocol.events_received()):
            protocol.receive_data(await reader.read(65536))
        protocol.send_response(protocol.accept(events[0]))
        protocol.send_binary(payload)
        protocol.send_binary(b"\x03\x05")
        await flush()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve_slowly, "127.0.0.1", 0)
    async with server:
        done = await client_at(server.sockets[0].getsockname()[1]).run("a", ["x"])
    assert (done.exit_code, done.stdout) == (5, payload[1:])
