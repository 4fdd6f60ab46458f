"""What the outside world is taken for."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
import threading

import pytest

from mesabox.config.environment import TalkFacts
from mesabox.ui.streams import Sink, Streams, _sink

ON_TERMINAL = [
    ({}, True),
    ({"NO_COLOR": "1"}, False),
    ({"NO_COLOR": ""}, True),
    ({"TERM": "dumb"}, False),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
]


@pytest.mark.parametrize(("environ", "colour"), ON_TERMINAL)
def test_colour_on_a_terminal(environ, colour):
    _, slave = pty.openpty()
    with os.fdopen(slave, "wb", buffering=0) as raw:
        assert _sink(raw, TalkFacts.of(environ)).colour is colour


@pytest.mark.parametrize(
    ("environ", "colour"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "0"}, False)]
)
def test_colour_in_a_pipe(environ, colour):
    assert _sink(io.BytesIO(), TalkFacts.of(environ)).colour is colour


@pytest.mark.parametrize(("value", "ci"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_ci(value, ci):
    assert TalkFacts.of({"CI": value}).ci is ci


def test_flags_narrow_what_the_world_allows():
    told = Streams.fake(terminal=True).told(no_color=True, no_input=True)
    assert told.stdin_terminal and not told.may_ask and not told.stdout.colour


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_caller_closed(closed):
    command = f"exec {closed}; {sys.executable} -m mesabox help output"
    assert subprocess.run(["sh", "-c", command], capture_output=True).returncode == 0


def test_a_reader_that_leaves_early():
    command = f"{sys.executable} -m mesabox help environment; echo $? >&2"
    source, sink = os.pipe()
    os.close(source)
    done = subprocess.run(["sh", "-c", command], stdout=sink, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "141\n"


def test_an_answer_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "mesabox", "help", "ci"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"No space left" in done.stderr and b"Traceback" not in done.stderr


def test_bytes_that_are_no_text_go_out_as_they_came_in():
    streams = Streams.fake()
    streams.stdout.write(os.fsdecode(b"caf\xe9"))
    assert streams.stdout.raw.getvalue() == b"caf\xe9"


@pytest.mark.parametrize(("answer", "yes"), [(b"y\n", True), (b"YES\n", True), (b"n\n", False), (b"", False)])
def test_anything_but_yes_is_no(answer, yes):
    streams = Streams.fake(answer, terminal=True)
    assert streams.ask("Sure? ") is yes and streams.written()[1] == "Sure? "


def test_an_output_that_others_made_non_blocking_gets_every_byte():
    inner, outer = os.pipe()
    os.set_blocking(outer, False)
    data, got = os.urandom(500_000), bytearray()

    def read():
        while piece := os.read(inner, 4096):
            got.extend(piece)

    reading = threading.Thread(target=read)
    reading.start()
    with os.fdopen(outer, "wb", buffering=0) as raw:
        Sink(raw).write(data)
    reading.join(10)
    assert got == data


@pytest.mark.parametrize(("rows", "cols", "size"), [(11, 22, (11, 22)), (0, 0, (24, 80)), (0, 50, (24, 50))])
def test_the_size_is_that_of_whichever_is_the_terminal(rows, cols, size):
    _, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    with os.fdopen(slave, "r+b", buffering=0) as terminal, open(os.devnull, "wb") as elsewhere:
        assert Streams(terminal, Sink(elsewhere), Sink(elsewhere)).size() == size
    assert Streams.fake().size() == (24, 80)
