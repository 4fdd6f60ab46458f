"""A running command and this terminal: every byte, both ways, and the terminal as it was before."""

import asyncio
import contextlib
import os
import pty
import struct
import termios
import threading
from fcntl import ioctl

import pytest

from mesabox.clients.base import Output
from mesabox.ui.streams import Sink, Streams
from mesabox.ui.terminal import Console


class Execution:
    """A command that plays a script: outputs to give, then its exit code; what it was sent is kept."""

    session_id = "1"

    def __init__(self, *outputs, code=0, wait_for=None):
        self.outputs, self.code, self.wait_for = outputs, code, wait_for
        self.exit_code = None
        self.stdin = bytearray()
        self.stdin_closed = asyncio.Event()
        self.sizes, self.signals = [], []

    async def __aiter__(self):
        for output in self.outputs:
            yield output
        if self.wait_for is not None:
            await asyncio.wait_for(self.wait_for(self), 5)
        self.exit_code = self.code

    async def write(self, data):
        self.stdin += data

    async def close_stdin(self):
        self.stdin_closed.set()

    async def resize(self, rows, cols):
        self.sizes.append((rows, cols))

    async def signal(self, name):
        self.signals.append(name)


def until_eof(execution):
    return execution.stdin_closed.wait()


def on_pipes(stdin, stdout):
    return Streams(os.fdopen(stdin, "rb"), Sink(os.fdopen(stdout, "wb")), Sink(open(os.devnull, "wb")))


@contextlib.contextmanager
def reading(descriptor):
    """Everything that comes out of a pipe, read beside."""
    got = bytearray()

    def read():
        while piece := os.read(descriptor, 65536):
            got.extend(piece)

    thread = threading.Thread(target=read)
    thread.start()
    yield got
    thread.join(5)


async def test_output_is_whole_before_the_exit_code_is_told():
    inner, outer = os.pipe()
    nothing, _ = os.pipe()
    pieces = [Output(1, os.urandom(30_000)) for _ in range(200)]
    streams = on_pipes(nothing, outer)
    with reading(inner) as got:
        assert await Console(streams).attend(Execution(*pieces, code=7), size=None) == 7
        streams.stdout.raw.close()
    assert bytes(got) == b"".join(piece.data for piece in pieces)


async def test_a_slow_reader_does_not_stop_everything_else():
    inner, outer = os.pipe()
    nothing, _ = os.pipe()
    streams = on_pipes(nothing, outer)
    execution = Execution(*[Output(1, bytes(100_000)) for _ in range(50)])
    attending = asyncio.create_task(Console(streams).attend(execution, size=None))
    await asyncio.sleep(0.2)  # the pipe is full by now, and yet we are here
    assert not attending.done()
    with reading(inner) as got:
        await attending
        streams.stdout.raw.close()
    assert len(got) == 5_000_000


async def test_a_reader_that_left_ends_the_command():
    inner, outer = os.pipe()
    nothing, _ = os.pipe()
    os.close(inner)
    execution = Execution(*[Output(1, bytes(100_000)) for _ in range(50)])
    with pytest.raises(BrokenPipeError):
        await Console(on_pipes(nothing, outer)).attend(execution, size=None)
    assert execution.signals == ["TERM"]


async def test_a_pipe_on_stdin_is_streamed_to_its_end():
    inner, outer = os.pipe()
    os.write(outer, b"some ")
    execution = Execution(wait_for=until_eof)
    attending = asyncio.create_task(
        Console(on_pipes(inner, os.open(os.devnull, os.O_WRONLY))).attend(execution, size=None)
    )
    await asyncio.sleep(0.05)
    assert bytes(execution.stdin) == b"some "
    os.write(outer, b"more")
    os.close(outer)
    await attending
    assert bytes(execution.stdin) == b"some more"


async def test_a_file_on_stdin(tmp_path):
    content = os.urandom(300_000)
    (tmp_path / "in").write_bytes(content)
    stdin = os.open(tmp_path / "in", os.O_RDONLY)
    execution = Execution(wait_for=until_eof)
    await Console(on_pipes(stdin, os.open(os.devnull, os.O_WRONLY))).attend(execution, size=None)
    assert bytes(execution.stdin) == content


@pytest.mark.parametrize("fails", [False, True])
async def test_the_terminal_is_raw_inside_and_as_before_after(fails):
    master, slave = pty.openpty()
    stream = os.fdopen(slave, "r+b", buffering=0)
    streams = Streams(stream, Sink(stream, terminal=True), Sink(stream), stdin_terminal=True)
    before = termios.tcgetattr(slave)

    async def inside(execution):
        assert not termios.tcgetattr(slave)[3] & termios.ICANON
        os.write(master, b"\x03")
        while not execution.stdin:
            await asyncio.sleep(0.01)
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 11, 22, 0, 0))
        os.kill(os.getpid(), 28)  # SIGWINCH, which the kernel sends to a terminal's own processes only
        while not execution.sizes:
            await asyncio.sleep(0.01)
        if fails:
            raise RuntimeError("on the way")

    execution = Execution(wait_for=inside)
    with pytest.raises(RuntimeError) if fails else contextlib.nullcontext():
        await Console(streams).attend(execution, size=(24, 80))
    assert bytes(execution.stdin) == b"\x03" and execution.sizes == [(11, 22)]
    assert termios.tcgetattr(slave) == before


async def test_the_terminal_can_be_given_back_from_anywhere():
    _, slave = pty.openpty()
    stream = os.fdopen(slave, "r+b", buffering=0)
    console = Console(Streams(stream, Sink(stream, terminal=True), Sink(stream), stdin_terminal=True))
    before = termios.tcgetattr(slave)

    async def inside(_):
        console.give_back()
        assert termios.tcgetattr(slave) == before

    await console.attend(Execution(wait_for=inside), size=(24, 80))


async def test_output_for_one_json_object():
    streams = Streams.fake()
    console = Console(streams, captured=True)
    outputs = [Output(1, "ü".encode()), Output(2, b"\xff"), Output(2, b"\0")]
    assert await console.attend(Execution(*outputs, code=3), size=None) == 3
    assert console.captured() == {"stdout": "ü", "stderr": "/wA=", "stderr_encoding": "base64"}
    assert streams.written() == ("", "")


async def test_a_captured_output_is_cut_and_says_so():
    console = Console(Streams.fake(), captured=True)
    await console.attend(Execution(Output(1, "ü".encode() * 600_000)), size=None)
    captured = console.captured()
    assert captured["stdout_truncated"] is True and set(captured["stdout"]) == {"ü"}
