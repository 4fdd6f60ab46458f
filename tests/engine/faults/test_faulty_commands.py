"""The exec socket: each way in which it has been seen to go wrong."""

import asyncio
import json

import pytest
from faulty_engine import SPRITE

from mesabox.engine.faults.aimed import Aimed
from mesabox.engine.faults.faults import Faults
from mesabox.engine.faults.habits import habit
from mesabox.engine.faults.sockets import NoHeartbeat, Pause
from mesabox.errors import OutcomeUnknown
from mesabox.wire.execution import ExecRequest
from mesabox.wire.faults import Fault

HELLO = "echo out; echo err >&2; exit 3"


async def both(engine, script, **query):
    """What a command's socket tells, and that with the fault it was on it has fired once."""
    told = await engine.sh(script, **query)
    assert list(engine.fired.values()) == [1]
    return told


async def test_without_a_fault(engine):
    told = await engine.sh(HELLO)
    assert (told.output(1), told.output(2), told.exits, told.code) == (b"out\n", b"err\n", [3], 1000)
    assert "signal" in told.headers["x-sprite-capabilities"]


@pytest.mark.parametrize("at", [0, 1, 100, 5000, 40_000, 200_000])
async def test_cut_at_a_byte(engine, at):
    whole = bytes(range(256)) * 1024
    told = await engine.sh("sleep 0")
    head = 2 + 2 + len(json.dumps(told.texts[0]))  # session_info's frame, of the extended length
    engine.set(f"cut:{at}")
    script = f"import sys; sys.stdout.buffer.write(bytes(range(256)) * {len(whole) // 256})"
    told = await engine.run("python3", "-c", script)
    assert told.code is None and told.exits == [] and engine.fired == {f"cut=1:{at}": 1}
    assert whole.startswith(told.output()) and len(told.output()) < max(1, at)
    if at > 40_000:  # the frame in which the cut falls is the only one that is missing
        assert at - head - 33_000 < len(told.output()) < at - head


async def test_a_cut_falls_inside_a_frame(engine):
    """Byte for byte, below the WebSocket's own reading."""
    engine.set("cut:40")
    host, port = engine.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /v1/sprites/{SPRITE}/exec?cmd=echo&cmd=x HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {engine.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    rest = await reader.read(-1)
    writer.close()
    assert head.startswith(b"HTTP/1.1 101") and len(rest) == 40
    assert rest[:2] == bytes([0x81, 126]) and int.from_bytes(rest[2:4], "big") > 36  # it promised more


async def test_what_ends_before_the_cut_is_whole(engine):
    engine.set("cut:100000")
    told = await engine.sh(HELLO)
    assert (told.output(), told.exits, told.code) == (b"out\n", [3], 1000)
    assert engine.fired == {"cut=1:100000": 0}


async def test_a_cut_command_is_unknown_to_our_client_or_whole(engine):
    engine.set("cut:0-400")
    results = set()
    for _ in range(12):
        try:
            done = await engine.sprites().run(SPRITE, ["sh", "-c", "echo 0123456789; exit 4"])
            results.add((done.exit_code, done.stdout))
        except OutcomeUnknown:
            results.add("unknown")
    assert results == {"unknown", (4, b"0123456789\n")}


@pytest.mark.parametrize(("fault", "code"), [("no-exit", 1000), ("close-1011", 1011)])
async def test_closed_without_an_exit(engine, fault, code):
    engine.set(fault)
    told = await both(engine, HELLO)
    assert (told.output(), told.exits, told.code) == (b"out\n", [], code)
    with pytest.raises(OutcomeUnknown):
        await engine.sprites().run(SPRITE, ["true"])


async def test_a_terminals_exit_is_lost_too(engine):
    engine.set("no-exit")
    told = await both(engine, "echo out", tty="true")
    assert b"out" in b"".join(told.frames) and told.order.count("exit") == 0 and told.code == 1000


async def test_a_quick_commands_output_is_lost(engine):
    engine.set("lost-output:30s")
    told = await both(engine, HELLO)
    assert (told.frames, told.order, told.code) == ([], ["session_info"], 1000)


async def test_a_slower_commands_output_is_not_lost(engine):
    engine.set("lost-output:1ms")
    told = await engine.sh(f"sleep 0.5; {HELLO}")
    assert (told.output(), told.output(2), told.exits) == (b"out\n", b"err\n", [3]) and engine.fired[
        "lost-output=1:1ms"
    ] == 0


async def test_output_that_is_held_keeps_its_order(engine):
    engine.set("lost-output:300ms")
    told = await engine.sh("for i in $(seq 50); do echo $i; sleep 0.02; done")
    assert told.output() == b"".join(b"%d\n" % i for i in range(1, 51)) and told.exits == [0]


async def test_a_late_exit(engine):
    engine.set("exit-late:1s")
    async with engine.socket("sh", "-c", HELLO) as (socket, told):
        while told.output() + told.output(2) not in (b"out\nerr\n", b"err\nout\n"):
            told.take(await socket.recv())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
        assert (await engine.listen(socket, told)).exits == [3]


async def test_an_exit_that_never_comes(engine):
    engine.set("exit-never")
    async with engine.socket("sh", "-c", "echo out") as (socket, told):
        while not told.output():
            told.take(await socket.recv())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
        await asyncio.wait_for(await socket.ping(), 5)  # it is open, and answers
    assert engine.fired == {"exit-never=1": 1}


async def test_a_socket_that_hangs(engine):
    engine.set("exec-hangs")
    async with engine.socket("sh", "-c", "echo out; touch /home/sprite/hung") as (socket, told):
        told.take(await socket.recv())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
        assert told.order == ["session_info"]
    read = engine.http.get(f"/v1/sprites/{SPRITE}/fs/read", params={"path": "/home/sprite/hung"})
    assert read.status_code == 200 and engine.fired == {"exec-hangs=1": 1}


async def test_a_slow_close(engine):
    engine.set("slow-close:1s")
    async with engine.socket("sh", "-c", HELLO) as (socket, told):
        while not told.exits:
            told.take(await socket.recv())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
        assert (await engine.listen(socket, told)).code == 1000


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("json-exit", ["stdout", "exit", "frame"]),
        ("json-exit-only", ["stdout", "exit"]),
        ("json-exit-early", ["exit", "stdout", "frame"]),
        ("late-frames", ["stdout", "frame", "debug", "exit"]),
        ("output-after-exit", ["frame", "stdout"]),
    ],
)
async def test_how_the_exit_is_told(engine, fault, ends):
    engine.set(fault)
    told = await both(engine, "echo out; exit 3")
    assert told.order == ["session_info", *ends] and set(told.exits) == {3}
    assert (told.output(), told.code) == (b"out\n", 1000)


@pytest.mark.parametrize("fault", ["json-exit", "json-exit-only", "json-exit-early", "late-frames", "slow-close:2s"])
async def test_however_it_is_told_our_client_has_all_of_it(engine, fault):
    engine.set(fault)
    done = await engine.sprites().run(SPRITE, ["sh", "-c", HELLO])
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert list(engine.fired.values()) == [1]


@pytest.mark.parametrize("fault", ["json-exit-early", "output-after-exit"])
async def test_a_command_that_goes_on_is_heard_before_it_is_answered(engine, fault):
    engine.set(fault)
    async with engine.socket("sh", "-c", "read a; echo $a; read b; printf $b", stdin="true") as (socket, told):
        for line in (b"one\n", b"two\n"):
            await socket.send(b"\0" + line)
            while told.output() == b"" and line == b"one\n":
                told.take(await asyncio.wait_for(socket.recv(), 10))
        await engine.listen(socket, told)
    assert (told.output(), set(told.exits)) == (b"one\ntwo", {0})
    assert told.order[-1 if fault == "output-after-exit" else -2] == "stdout"


@pytest.mark.parametrize(("fault", "code"), [("wrong-exit", 255), ("wrong-exit:1", 1)])
@pytest.mark.parametrize("tty", ["false", "true"])
async def test_another_exit_code(engine, fault, code, tty):
    engine.set(fault)
    told = await both(engine, "exit 3", tty=tty)
    assert told.exits == [code] if tty == "false" else told.texts[-1] == {"type": "exit", "exit_code": code}


async def test_signals_go_by_kill_without_the_header(engine):
    engine.set("no-signal-header")
    told = await both(engine, "true")
    assert "x-sprite-capabilities" not in told.headers
    async with engine.sprites().execute(SPRITE, ExecRequest(("sleep", "60"))) as execution:
        outputs = asyncio.create_task(anext(aiter(execution), None))
        while execution.session_id is None:
            await asyncio.sleep(0.01)
        await execution.signal("TERM")
        await outputs
        assert execution.exit_code == 143


async def test_ignored_signals(engine):
    engine.set("signals-ignored")
    async with engine.socket("sleep", "60") as (socket, told):
        told.take(await socket.recv())
        for _ in range(2):
            await socket.send('{"type":"signal","signal":"KILL"}')
        await asyncio.wait_for(await socket.ping(), 5)
        engine.http.post(f"/v1/sprites/{SPRITE}/exec/{told.texts[0]['session_id']}/kill")
        assert (await engine.listen(socket, told)).exits == [143]
    assert engine.fired == {"signals-ignored=1": 1}


async def test_lost_input(engine):
    engine.set("stdin-lost=x1")
    for output in (b"", b"heard"):
        async with engine.socket("cat", stdin="true") as (socket, told):
            await socket.send(b"\0heard")
            await socket.send(b"\4")
            assert (await engine.listen(socket, told)).output() == output
    assert engine.fired == {"stdin-lost=x1": 1}


async def test_a_lost_end_of_input(engine):
    engine.set("stdin-eof-lost=x1")
    async with engine.socket("cat", stdin="true") as (socket, told):
        await socket.send(b"\0heard")
        await socket.send(b"\4")
        while not told.output():
            told.take(await socket.recv())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
    assert engine.fired == {"stdin-eof-lost=x1": 1}


async def test_variables_that_replace_the_environment(engine):
    engine.set("env-replaced")
    told = await engine.run("env", env=["ONE=1 and more", "TWO=2"])
    assert told.output().split(b"\n") == [b"ONE=1 and more", b"TWO=2", b""]
    assert b"HOME=" in (await engine.run("env")).output() and engine.fired == {"env-replaced=1": 1}


async def test_a_terminals_connection_drops_after_its_exit(engine):
    engine.set("tty-dropped")
    told = await both(engine, "echo out; exit 3", tty="true")
    assert told.texts[-1] == {"type": "exit", "exit_code": 3} and told.code is None
    assert (await engine.sh("exit 3")).code == 1000


async def test_a_silent_socket_has_no_heartbeat():
    """Its frames come every 20 s: played here."""
    faults, sent = Faults(), []
    faults.set([Fault.parse("no-heartbeat=x1")], 1)

    async def app(scope, receive, send):
        for text in ('{"type":"debug"}', '{"type":"debug"}', '{"type":"port_opened"}'):
            await send({"type": "websocket.send", "text": text})

    async def send(message):
        sent.append(json.loads(message["text"])["type"])

    await habit(NoHeartbeat)(faults.aim("no-heartbeat", "WS /"), None, app)({}, None, send)
    assert sent == ["port_opened"] and faults.told()["faults"] == [{"fault": "no-heartbeat=x1", "fired": 1}]


async def test_a_pause_drops_a_silent_socket_and_not_its_command(engine):
    engine.set("pause:300ms")
    told = await engine.sh("echo begun; sleep 1.5; touch /home/sprite/woken")
    assert (told.output(), told.code, told.exits) == (b"begun\n", None, [])
    engine.set()
    told = await engine.sh("while ! [ -e /home/sprite/woken ]; do sleep 0.05; done")
    assert told.exits == [0]


async def test_a_pause_drops_what_the_sprite_has_connected():
    """The engine around it is played: a sprite's connections lead to the public Internet."""
    dropped = []

    class World:
        def drop(self, sprite):
            dropped.append(sprite)

    class Transport:
        def is_closing(self):
            return True

    scope = {"type": "websocket", "raw_path": b"/v1/sprites/sleepy/exec", "query_string": b""}
    faults = Faults()
    faults.set([Fault.parse("pause:10ms")], 1)
    aimed = Aimed(scope, "sprites", World())

    async def app(scope, receive, send):
        while not dropped:
            await asyncio.sleep(0.01)

    shot = faults.aim("pause", aimed.about)
    await habit(Pause)(shot, aimed, app)({**scope, "state": {"mesabox.transport": Transport()}}, None, None)
    assert dropped == ["sleepy"]


async def test_no_pause_while_it_speaks(engine):
    engine.set("pause:2s")
    told = await engine.sh("for i in $(seq 12); do echo $i; sleep 0.2; done")
    assert told.exits == [0] and engine.fired == {"pause=1:2s": 0}


async def test_who_attaches_is_shown_a_screen(engine):
    script = "printf '\\033[31mred\\033[0m   \\n'; seq 100; exec cat"
    async with engine.socket("sh", "-c", script, tty="true") as (socket, first):
        while b"100" not in b"".join(first.frames):
            first.take(await socket.recv())
        engine.set("screen-scrollback")
        session = first.texts[0]["session_id"]
        async with engine.socket(path=f"exec/{session}") as (other, told):
            while not told.frames:
                told.take(await other.recv())
            await socket.send(b"live\n")
            while b"live" not in b"".join(told.frames):
                told.take(await other.recv())
        engine.http.post(f"/v1/sprites/{SPRITE}/exec/{session}/kill")
    screen = told.frames[0]
    assert screen.startswith(b"\x1b[H\x1b[2J") and b"red" not in screen and b"100" in screen and b"\n50\r" not in screen
    assert engine.fired == {"screen-scrollback=1": 1}


async def test_two_at_once(engine):
    engine.set("json-exit", "slow-close:1ms", "wrong-exit:9")
    told = await engine.sh("echo out; exit 3")
    assert told.order == ["session_info", "stdout", "exit", "frame"] and told.exits == [9, 9]
    assert set(engine.fired.values()) == {1}
