"""The real command on a terminal: keys, sizes and signals go to the command, and the terminal is as before after it."""

import json
import os
import signal
import time

import pytest

from tests.journeys.screen import CTRL_C, Screen

LOOP = "while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def sprite(home, tmp_path_factory):
    from tests.conftest import Terminal, environment_of

    mesabox = Terminal(tmp_path_factory.mktemp("terminals"), environment_of(home))
    mesabox("sprite", "up", "screen")
    yield "screen"
    mesabox("down", "screen")


def engine_process(mesabox):
    return mesabox.json("engine", "status")["data"]["pid"]


def test_it_is_a_terminal_there_as_it_is_here(mesabox, sprite):
    script = f"tty; stty size; echo $TERM-$COLORTERM-$LANG; trap 'stty size' WINCH; echo ready; {LOOP}"
    env = {"COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    with Screen(mesabox, "run", sprite, "--", "sh", "-c", script, env=env) as screen:
        screen.until(b"ready")
        assert b"/dev/pts/" in screen.shown and b"30 100\r\nxterm-256color-truecolor-C.UTF-8" in screen.shown
        assert screen.raw
        screen.resize(41, 99)
        screen.until(b"41 99").type(b"\x1c")  # Ctrl-\
        assert screen.ended() == 131 and screen.as_before


def test_one_that_does_not_know_its_size_has_the_usual_one(mesabox, sprite):
    with Screen(mesabox, "run", sprite, "--", "stty", "size", rows=0, cols=0) as screen:
        assert screen.ended() == 0 and b"24 80" in screen.shown


def test_without_a_terminal_there_is_none(mesabox, sprite):
    with Screen(mesabox, "run", sprite, "--no-tty", "--", "sh", "-c", "tty; cat; exit 4") as screen:
        assert screen.ended() == 4 and b"not a tty" in screen.shown and screen.as_before
    assert mesabox("run", sprite, "--", "tty", ok=False).stdout == b"not a tty\n"
    assert b"/dev/pts/" in mesabox("run", sprite, "-t", "--", "tty").stdout


@pytest.mark.parametrize(
    ("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("printf 'no end'; stty raw -echo; exit 5", 5)]
)
def test_as_before_however_the_command_ends(mesabox, sprite, script, code):
    with Screen(mesabox, "run", sprite, "--", "sh", "-c", script) as screen:
        assert screen.ended() == code and screen.as_before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_as_before_after_a_signal_from_elsewhere_that_the_command_does_not_heed(mesabox, sprite, number):
    script = f"trap '' INT TERM HUP; echo ready; {LOOP}"
    with Screen(mesabox, "run", sprite, "--", "sh", "-c", script) as screen:
        screen.until(b"ready").process.send_signal(number)
        if number == signal.SIGINT:  # a Ctrl-C on a terminal is the command's own; the second is not
            time.sleep(0.2)
            screen.process.send_signal(number)
        assert screen.ended() == 128 + number and screen.as_before
        assert b"Traceback" not in screen.shown


def test_as_before_when_the_engine_dies(mesabox, sprite):
    with Screen(mesabox, "run", sprite, "--", "sh", "-c", f"echo ready; {LOOP}") as screen:
        screen.until(b"ready")
        os.kill(engine_process(mesabox), signal.SIGKILL)
        assert screen.ended() == 125 and screen.as_before
        assert b"before the command's exit code was told" in screen.shown


@pytest.mark.parametrize("words", [("go", "--repo", "screen-ctrl-c", "--timeout", "none"), ("run", "screen")])
def test_ctrl_c_is_the_commands_own(mesabox, sprite, words):
    script = f"trap 'echo heard; exit 9' INT; echo ready; {LOOP}"
    with Screen(mesabox, *words, "--", "sh", "-c", script) as screen:
        screen.until(b"\nready").type(CTRL_C)
        assert screen.ended() == 9 and b"heard" in screen.shown and screen.as_before


@pytest.mark.parametrize("script", [LOOP, "while :; do echo tick; sleep 0.1; done"])
def test_a_second_ctrl_c_that_is_not_heeded_starts_the_teardown(mesabox, script):
    words = ("go", "--repo", "screen-second", "--timeout", "none", "--", "sh", "-c")
    with Screen(mesabox, *words, f"trap '' INT; echo saved > file; echo ready; {script}") as screen:
        screen.until(b"\nready").type(CTRL_C)
        time.sleep(1.3)
        assert screen.process.poll() is None and screen.raw
        screen.type(CTRL_C)
        assert screen.ended() == 130 and screen.as_before and b"removed: key" in screen.shown
    assert mesabox("repo", "cat", "screen-second", "file").stdout == b"saved\n"
    assert mesabox("gc").stdout == b""


def test_the_third_leaves_at_once_and_says_how_to_remove_what_is_left(mesabox):
    words = ("go", "--repo", "screen-third", "--timeout", "none", "--", "sh", "-c")
    with Screen(mesabox, *words, f"trap '' INT; echo ready; {LOOP}") as screen:
        engine = engine_process(mesabox)
        screen.until(b"\nready").type(CTRL_C)
        time.sleep(1.3)
        os.kill(engine, signal.SIGSTOP)  # so that the teardown takes its time
        try:
            screen.type(CTRL_C)
            screen.until(b"collect")
            screen.type(CTRL_C)
            assert screen.ended() == 130 and screen.as_before and b"mesabox gc" in screen.shown
        finally:
            os.kill(engine, signal.SIGCONT)
    assert b"removed sprite" in mesabox("gc").stdout


def test_at_a_shells_prompt_it_may_be_pressed_as_often_as_one_likes(mesabox, sprite):
    with Screen(mesabox, "sh", sprite) as screen:
        screen.until(b"$ ")
        for pause in (0, 0, 0, 1.2, 1.2, 1.2):
            start = screen.type(CTRL_C)
            screen.until(b"$ ", start)
            time.sleep(pause)
        screen.type(b"exit 6\r")
        assert screen.ended() == 6 and screen.as_before


def test_where_no_terminal_is_lent_ctrl_c_is_passed_on_first(mesabox, sprite):
    script = f"trap 'echo heard' INT; echo ready; {LOOP}"
    with Screen(mesabox, "run", sprite, "--no-tty", "--", "sh", "-c", script) as screen:
        screen.until(b"ready").type(CTRL_C)
        screen.until(b"heard").type(CTRL_C)
        assert screen.ended() == 130 and screen.as_before and b"Traceback" not in screen.shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -15), (signal.SIGHUP, -1), (None, 130)])
def test_a_credential_that_is_typed_unseen_leaves_the_echo_as_it_was(mesabox, number, code):
    with Screen(mesabox, "auth", "login", "sprites") as screen:
        screen.until(b"not shown")
        while screen.as_before:
            time.sleep(0.01)
        if number is None:
            screen.type(CTRL_C)
        else:
            screen.process.send_signal(number)
        assert screen.ended() == code and screen.as_before


def test_in_ci_nothing_is_asked_on_a_terminal_either(mesabox):
    with Screen(mesabox, "--json", "repo", "delete", "gone", env={"CI": "true"}) as screen:
        assert screen.ended() == 2
        assert json.loads(screen.shown)["error"]["fix"] == "say that you mean it: --yes"


def test_a_question_is_asked_on_a_terminal_and_its_answer_taken(mesabox):
    with Screen(mesabox, "repo", "delete", "gone") as screen:
        screen.until(b"[y/N]").type(b"n\n")
        assert screen.ended() == 1 and b"nothing was done" in screen.shown
