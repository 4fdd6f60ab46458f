"""The front door: every way a command line can end."""

import errno

import pytest

from mesabox import __version__, app
from mesabox.cli import version
from mesabox.cli._tree import read
from mesabox.errors import NotFound, UsageProblem
from mesabox.switchboard import Switchboard
from mesabox.ui.streams import Streams


def ending_with(monkeypatch, failure):
    def command(_: Switchboard):
        raise failure

    monkeypatch.setattr(version, "command", command)


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_help_is_an_answer(mesabox, words):
    answer = mesabox(*words)
    assert (answer.code, answer.err) == (0, "") and answer.out.startswith("Usage: mesabox")


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_version(mesabox, words):
    assert mesabox(*words).out == f"mesabox {__version__}\n"


def test_an_unknown_word_is_a_usage_error_with_a_guess(mesabox):
    answer = mesabox("sprit")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: No such command 'sprit'. Did you mean 'sprite'?\n  fix: mesabox --help\n"


def test_a_bug_is_70_with_a_log_file(mesabox, monkeypatch, home):
    ending_with(monkeypatch, RuntimeError("oh"))
    answer = mesabox("version")
    (log,) = (home / "state").glob("crash-*.log")
    assert answer.code == 70 and str(log) in answer.err and "Traceback" not in answer.err
    assert "RuntimeError: oh" in log.read_text()


def test_debug_shows_the_traceback(mesabox, monkeypatch):
    ending_with(monkeypatch, NotFound("x"))
    assert "Traceback" in mesabox("version", "--debug").err


def test_a_failure_inside_a_task_group_is_still_itself(mesabox, monkeypatch):
    ending_with(monkeypatch, ExceptionGroup("tasks", [ExceptionGroup("inner", [NotFound("there is no x")])]))
    assert mesabox("version").code == 3


def test_ctrl_c(mesabox, monkeypatch):
    ending_with(monkeypatch, KeyboardInterrupt())
    assert mesabox("version").code == 130
    assert mesabox("version", "--json").envelope["error"]["code"] == "interrupted"


def test_a_folder_that_cannot_be_written_is_not_a_bug(mesabox, monkeypatch):
    ending_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/state/x"))
    answer = mesabox("version")
    assert (
        answer.code == 1 and "/state/x" in answer.err and "No space left" in answer.err and "MESABOX_HOME" in answer.err
    )


def test_a_reader_that_left(mesabox, monkeypatch):
    ending_with(monkeypatch, BrokenPipeError())
    assert mesabox("version").code == 141


@pytest.mark.parametrize(
    ("failure", "code", "failed_by"),
    [
        (NotFound("x"), 125, "mesabox"),
        (RuntimeError("x"), 125, "mesabox"),
        (KeyboardInterrupt(), 130, "signal"),
        (UsageProblem("x"), 2, None),
    ],
)
def test_where_a_commands_own_code_is_promised_ours_is_125(mesabox, monkeypatch, failure, code, failed_by):
    monkeypatch.setattr(app, "RUNS_A_COMMAND", frozenset({"version"}))
    ending_with(monkeypatch, failure)
    answer = mesabox("version", "--json")
    assert (answer.code, answer.envelope["failed_by"]) == (code, failed_by)


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        (["run", "s", "ls", "--json"], False, ["ls", "--json"]),
        (["run", "s", "--json", "--", "ls", "-q"], True, ["ls", "-q"]),
        (["run", "-e", "A=1", "s", "ls", "--json"], False, ["ls", "--json"]),
        (["run", "-qe", "A=1", "s", "ls", "--json"], False, ["ls", "--json"]),
        (["run", "-eA=1", "s", "ls", "-e", "x"], False, ["ls", "-e", "x"]),
        (["run", "--repo=r", "s", "ls", "--", "--json"], False, ["ls", "--", "--json"]),
        (["--json", "go", "make", "--help"], True, ["make", "--help"]),
    ],
)
def test_the_users_words_are_never_read_as_ours(words, ours, theirs):
    call = read(words)
    assert (call.flags.json, call.values["argv"]) == (ours, theirs)


def test_nor_when_ours_do_not_parse(mesabox):
    assert mesabox("run", "--no-such-flag", "s", "ls", "--json").out == ""
    assert mesabox("--json", "run", "--no-such-flag", "s", "ls").envelope["error"]["code"] == "usage"


def test_wrong_credentials_are_said_before_anything_is_made(home, monkeypatch):
    monkeypatch.setenv("MESA_API_KEY", "x")
    streams = Streams.fake()
    assert app.main(["repo", "list"], streams) == 4
    assert "SPRITES_TOKEN" in streams.written()[1]


@pytest.mark.parametrize("words", [["--version", "--json"], ["--json", "--version"]])
def test_version_among_flags(mesabox, words):
    assert mesabox(*words).envelope["data"]["mesabox"] == __version__


def test_a_traceback_steers_neither_terminal_nor_log(mesabox, monkeypatch):
    ending_with(monkeypatch, NotFound("a\r::error::x\x1b[2J"))
    assert not {"\r", "\x1b"} & {*mesabox("version", "--debug").err}


def test_no_json_is_other_than_utf_8(mesabox):
    assert "(\ufffd)" in mesabox("version", "\udcff", "--json").envelope["error"]["title"]
