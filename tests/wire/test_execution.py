"""The exec query, both ways."""

from urllib.parse import parse_qsl

import pytest

from mesabox.wire.durations import format_duration, parse_duration
from mesabox.wire.execution import ExecRequest
from mesabox.wire.frames import Stream, data_frame, exit_code_of, exit_frame, split_frame


def back(request: ExecRequest) -> ExecRequest:
    return ExecRequest.from_query(parse_qsl(request.query(), keep_blank_values=True))


@pytest.mark.parametrize(
    "request_",
    [
        ExecRequest(("echo", "a b", "", "c&d=é\n")),
        ExecRequest(("sh",), env={"K": "v=1&2", "EMPTY": ""}, dir="/tmp", stdin=True, linger=90),
        ExecRequest(("bash",), tty=True, rows=50, cols=200, stdin=True),
    ],
)
def test_a_request_survives_the_query(request_):
    told = back(request_)
    assert (told.argv, told.env, told.dir, told.tty) == (request_.argv, request_.env, request_.dir, request_.tty)
    assert (told.rows, told.cols, told.stdin, told.linger) == (
        request_.rows, request_.cols, request_.stdin, request_.linger,
    )  # fmt: skip


def test_defaults_of_the_service():
    assert ExecRequest.from_query([]) == ExecRequest()
    assert ExecRequest.from_query([("tty", "true")]).stdin is True


@pytest.mark.parametrize("pair", [("tty", "yes"), ("rows", "-1"), ("cols", "x"), ("env", "novalue"), ("env", "=x"),
                                  ("max_run_after_disconnect", "soon")])  # fmt: skip
def test_a_bad_parameter_is_named(pair):
    with pytest.raises(ValueError, match=pair[0]):
        ExecRequest.from_query([pair])


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1m0s", 60), ("2.0s", 2), ("0", 0), ("1h30m", 5400), ("100ms", 0.1)]
)
def test_go_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "1x", "-5s", "1s2", "inf", "nan"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError):
        parse_duration(text)


def test_frames():
    assert data_frame(Stream.STDOUT, b"ok") == bytes.fromhex("016f6b")
    assert exit_frame(42) == bytes.fromhex("032a")
    assert split_frame(b"") is None
    assert split_frame(b"\x02err") == (2, b"err")
    assert exit_code_of(b"") == 0
