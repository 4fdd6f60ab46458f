"""Results as a person, a pipe and a machine see them."""

import json
from datetime import UTC, datetime

import pytest

from mesabox.clients.base import Secret
from mesabox.errors import NotFound
from mesabox.ui.render import show
from mesabox.ui.result import Fields, Manner, Result, Table
from mesabox.ui.streams import Streams

WHEN = datetime(2026, 5, 6, 12, tzinfo=UTC)
TABLE = Table(("name", "status"), [("builder", "running"), ("other", None)], empty="no sprites")
RESULT = Result(data={"when": WHEN}, view=[TABLE], quiet=["builder", "other"], notes=["two of them"])


def shown(result, *, terminal=False, **manner):
    streams = Streams.fake(terminal=terminal, width=60)
    show(streams, Manner(**manner), "sprite list", result)
    return streams.written()


def test_a_table_has_borders_on_a_terminal_only():
    assert shown(RESULT, terminal=True) == (
        "╭─────────┬─────────╮\n"
        "│ name    │ status  │\n"
        "├─────────┼─────────┤\n"
        "│ builder │ running │\n"
        "│ other   │ -       │\n"
        "╰─────────┴─────────╯\n",
        "two of them\n",
    )
    assert shown(RESULT) == ("builder\trunning\nother\t-\n", "two of them\n")


def test_fields_line_up_on_a_terminal_only():
    fields = Result(view=[Fields([("name", "x"), ("bookmark", ["a", "b"])])])
    assert shown(fields, terminal=True)[0] == "name      x\nbookmark  a, b\n"
    assert shown(fields)[0] == "name\tx\nbookmark\ta, b\n"


def test_quiet_is_the_values_and_no_talk():
    assert shown(RESULT, quiet=True) == ("builder\nother\n", "")
    assert shown(Result(quiet=b"\0raw"), quiet=True) == ("\0raw", "")


def test_nothing_to_list_is_talk_and_not_data():
    assert shown(Result(view=[Table(("a",), [], empty="no sprites")])) == ("", "no sprites\n")


def test_the_envelope():
    out, err = shown(RESULT, json=True, quiet=True)
    assert err == "" and out.endswith("\n")
    assert json.loads(out) == {
        "schema": 1,
        "command": "sprite list",
        "status": "ok",
        "exit_code": 0,
        "data": {"when": "2026-05-06T12:00:00Z"},
        "error": None,
    }


def test_the_envelope_of_an_error():
    error = NotFound("there is no repo 'x'", why="Mesa answered 404", fix="mesabox repo list")
    out, _ = shown(Result.of_error(error), json=True)
    assert json.loads(out)["error"] == {
        "code": "not_found",
        "title": "there is no repo 'x'",
        "detail": "Mesa answered 404",
        "fix": "mesabox repo list",
        "retryable": False,
    }


def test_an_error_says_what_why_and_what_to_do():
    error = NotFound("there is no repo 'x'", why="Mesa answered 404", fix="mesabox repo list")
    expected = "error: there is no repo 'x'\n  why: Mesa answered 404\n  fix: mesabox repo list\n"
    assert shown(Result.of_error(error)) == ("", expected)
    assert shown(Result.of_error(error), quiet=True) == ("", expected)


@pytest.mark.parametrize("json_wanted", [True, False])
def test_a_secret_is_not_shown_by_accident(json_wanted):
    out, err = shown(
        Result(data={"key": Secret("sekrit")}, view=[Fields([("key", Secret("sekrit"))])]), json=json_wanted
    )
    assert "sekrit" not in out + err


def test_what_a_service_says_does_not_steer_the_terminal():
    evil = "\x1b]0;owned\x07\x9b31m"
    table = Table(("name",), [(evil,)], empty="")
    out, err = shown(Result(view=[table], notes=[evil], error=NotFound(evil)), terminal=True)
    assert not {"\x1b", "\x07", "\x9b"} & set(out + err)
    assert "\\x1b" in out and "\\x1b" in err


def test_a_cell_is_one_cell():
    assert shown(Result(view=[Table(("a", "b"), [("x\ty\nz", 1)], empty="")]))[0] == "x y z\t1\n"
