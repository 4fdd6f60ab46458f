"""Sessions and their watchers, over pipes of a command that is only played."""

import asyncio
import contextlib
import os
import signal

import pytest

from mesabox.engine.sprites import sessions
from mesabox.engine.sprites.sessions import Session, Sessions
from mesabox.wire.execution import ExecRequest

BLOCK = bytes(16384)


class Played:
    """A sandbox's Process whose other ends are the test's: ``says`` what it writes, ``heard`` what it was sent."""

    terminal = None
    numbers = iter(range(100, 10_000))

    def __init__(self):
        heard, self.stdin = os.pipe()
        self.stdout, said = os.pipe()
        self.stderr, complained = os.pipe()
        for fd in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(fd, False)
        self.heard, self.said, self.complained = heard, said, complained
        self.pid = next(self.numbers)
        self.signals = []
        self._exited = asyncio.get_running_loop().create_future()

    async def wait(self):
        return await asyncio.shield(self._exited)

    def signal(self, number):
        self.signals.append(number)
        self.exit(128 + number)

    def exit(self, code=0, keep_output=False):
        if not self._exited.done():
            self._exited.set_result(code)
            if not keep_output:
                os.close(self.said)
                os.close(self.complained)

    def resize(self, rows, cols): ...

    def close_stdin(self):
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def close(self):
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd is not None:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = None


@pytest.fixture
async def start():
    started = []

    def begin(**request):
        process = Played()
        session = Session(ExecRequest(("x",), **request), ("x",), "/", process)
        started.append(session)
        return session, process

    yield begin
    for session in started:
        session.lose()
        await asyncio.wait_for(session.over.wait(), 2)


async def _all(watcher):
    return [piece async for piece in watcher]


async def test_all_output_comes_before_the_end(start):
    session, process = start()
    watcher = session.watch(scrollback=False)
    os.write(process.said, b"out")
    os.write(process.complained, b"err")
    process.exit(42)
    assert sorted(await _all(watcher)) == [(1, b"out"), (2, b"err")]
    assert session.exit_code == 42


@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_a_daemon_that_never_stops_writing_does_not_hold_the_session(start, pause):
    session, process = start()
    watching = asyncio.create_task(_all(session.watch(scrollback=False)))
    os.set_blocking(process.said, False)
    process.exit(0, keep_output=True)
    began = asyncio.get_running_loop().time()
    while not watching.done():
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(process.said, BLOCK if not pause else b"x")
        await asyncio.sleep(pause)
        assert asyncio.get_running_loop().time() - began < 3
    assert session.exit_code == 0


async def test_what_was_in_the_pipe_at_the_exit_is_not_lost(start):
    session, process = start()
    for _ in range(4):
        os.write(process.said, BLOCK)
    process.exit(0, keep_output=True)
    watcher = session.watch(scrollback=False)
    assert sum(len(data) for _, data in await _all(watcher)) == 4 * len(BLOCK)


async def test_one_who_attaches_gets_what_was_said_and_then_the_rest(start):
    session, process = start()
    first = session.watch(scrollback=False)
    os.write(process.said, b"early")
    await anext(aiter(first))
    second = session.watch(scrollback=True)
    os.write(process.said, b"late")
    process.exit()
    assert await _all(second) == [(1, b"early"), (1, b"late")]
    assert await _all(session.watch(scrollback=True)) == [(1, b"early"), (1, b"late")]


async def test_the_scrollback_is_bounded(start):
    session, process = start()
    reader = asyncio.create_task(_all(session.watch(scrollback=False)))
    os.set_blocking(process.said, False)
    for _ in range(40):
        os.write(process.said, BLOCK)
        await asyncio.sleep(0.002)
    process.exit()
    assert sum(len(data) for _, data in await reader) == 40 * len(BLOCK)
    kept = await _all(session.watch(scrollback=True))
    assert sum(len(data) for _, data in kept) <= sessions.SCROLLBACK


async def test_one_who_reads_nothing_is_let_go_so_that_others_see_more(start, monkeypatch):
    monkeypatch.setattr(sessions, "_TOO_SLOW", 0.05)
    monkeypatch.setattr(sessions, "_WATCHER_BACKLOG", 2)
    session, process = start()
    stuck, lively = session.watch(scrollback=False), session.watch(scrollback=False)
    reading = asyncio.create_task(_all(lively))
    for number in range(8):
        os.write(process.said, bytes([number]))
        await asyncio.sleep(0.02)
    process.exit()
    assert b"".join(data for _, data in await reading) == bytes(range(8))
    assert stuck.fell_behind and not lively.fell_behind


async def test_the_exit_is_known_though_nobody_reads(start, monkeypatch):
    monkeypatch.setattr(sessions, "_WATCHER_BACKLOG", 1)
    session, process = start()
    session.watch(scrollback=False)
    for _ in range(4):
        os.write(process.said, b"x")
        await asyncio.sleep(0.01)
    process.exit(7)
    await asyncio.wait_for(session.exited.wait(), 1)
    assert session.exit_code == 7 and not session.over.is_set()


async def test_input_waits_for_a_command_that_does_not_read(start):
    session, process = start(stdin=True)
    writing = asyncio.create_task(session.write(bytes(64 << 20)))
    await asyncio.sleep(0.1)
    assert not writing.done()
    assert session._stdin.qsize() * sessions._STDIN_BLOCK <= 2 << 20
    process.exit()
    await asyncio.wait_for(session.over.wait(), 1)
    writing.cancel()


async def test_input_arrives_whole_and_then_ends(start):
    session, process = start(stdin=True)
    await session.write(b"a" * 1000)
    await session.close_stdin()
    await asyncio.sleep(0.05)
    assert os.read(process.heard, 4096) == b"a" * 1000 and os.read(process.heard, 1) == b""


@pytest.mark.parametrize(
    ("wanted", "ends"), [({"linger": 0.05}, True), ({"linger": 0.0}, False), ({"tty": True}, False)]
)
async def test_the_linger_time(start, wanted, ends):
    session, process = start(**wanted)
    session.leave(session.watch(scrollback=False))
    await asyncio.sleep(0.15)
    assert process.signals == ([signal.SIGTERM] if ends else [])


async def test_one_who_comes_back_in_time_stops_the_clock(start):
    session, process = start(linger=0.05)
    session.leave(session.watch(scrollback=False))
    session.watch(scrollback=True)
    await asyncio.sleep(0.15)
    assert not process.signals


async def test_a_lost_session_has_no_exit_code(start):
    session, _ = start()
    watcher = session.watch(scrollback=False)
    session.lose()
    assert await asyncio.wait_for(_all(watcher), 1) == []
    assert session.over.is_set() and session.exit_code is None


@pytest.mark.parametrize("steps", range(8))
async def test_a_sandbox_lost_while_a_command_ends_leaves_nobody_waiting(start, steps):
    session, process = start()
    watching = asyncio.create_task(_all(session.watch(scrollback=False)))
    process.exit(3)
    for _ in range(steps):
        await asyncio.sleep(0)
    session.lose()
    await asyncio.wait_for(watching, 1)
    assert session.exit_code in (3, None)


async def test_last_words_are_kept_for_those_that_ended(start):
    session, process = start()
    known = Sessions()
    known.add(session)
    process.exit(9)
    await asyncio.wait_for(session.over.wait(), 1)
    await asyncio.sleep(0)
    assert known.ended(session.id) == 9 and session.id not in known.running
