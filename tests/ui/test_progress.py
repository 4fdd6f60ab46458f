"""Progress: plain lines in a pipe, a list that clears itself on a terminal, silence for machines."""

import dataclasses
import io
import time

import pytest

from mesabox.ui.live import LiveProgress
from mesabox.ui.progress import PlainProgress, SilentProgress, progress_for
from mesabox.ui.result import Manner
from mesabox.ui.streams import Sink, Streams


@pytest.mark.parametrize("manner", [Manner(json=True), Manner(quiet=True)])
def test_machines_get_silence(manner):
    assert isinstance(progress_for(Streams.fake(terminal=True), manner), SilentProgress)


def test_a_terminal_gets_the_list_and_a_pipe_gets_lines():
    animated = dataclasses.replace(Streams.fake(terminal=True), animated=True)
    assert isinstance(progress_for(animated, Manner()), LiveProgress)
    assert isinstance(progress_for(Streams.fake(), Manner()), PlainProgress)


def test_plain_lines():
    sink = Sink(io.BytesIO())
    progress = PlainProgress(sink)
    progress.phase_started("repo")
    progress.phase_done("repo", 0.25, "notes")
    progress.phase_failed("mount", 12.34, "no FUSE")
    progress.warning("odd")
    progress.close()
    assert sink.raw.getvalue().decode().splitlines() == [
        "repo ...",
        "repo done in 250 ms: notes",
        "mount failed after 12.3 s: no FUSE",
        "warning: odd",
    ]


def test_a_long_phase_is_spoken_of_now_and_then_but_not_over_a_command():
    sink = Sink(io.BytesIO())
    progress = PlainProgress(sink, every=0.02)
    progress.phase_started("sprite")
    time.sleep(0.1)
    assert b"sprite still going after" in sink.raw.getvalue()
    with progress.terminal_lent():
        time.sleep(0.03)
        before = sink.raw.getvalue()
        time.sleep(0.1)
        assert sink.raw.getvalue() == before
    progress.close()


def live():
    sink = Sink(io.BytesIO(), terminal=True)
    return LiveProgress(sink), lambda: sink.raw.getvalue().decode()


def test_a_short_phase_draws_no_frame():
    progress, written = live()
    progress.phase_started("repo")
    progress.phase_done("repo", 0.01, "notes")
    progress.close()
    assert "✓ repo" in written() and "\x1b[?25l" not in written()


def test_a_long_phase_is_drawn_and_cleared_and_the_cursor_comes_back():
    progress, written = live()
    progress.phase_started("sprite")
    time.sleep(0.5)
    assert "sprite" in written() and "\x1b[?25l" in written()
    progress.close()
    assert written().rindex("\x1b[?25h") > written().rindex("\x1b[?25l")


def test_nothing_is_drawn_while_the_terminal_is_lent():
    progress, written = live()
    progress.phase_started("run")
    time.sleep(0.3)
    with progress.terminal_lent():
        before = written()
        time.sleep(0.4)
        assert written() == before
    progress.phase_done("run", 1.0)
    progress.close()
    assert "✓ run" in written()
