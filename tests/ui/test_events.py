"""A run as it goes, one event a line: whole, in order, without secrets, and never in the way of the work."""

import asyncio
import base64
import io
import json
import os
import stat

import pytest

from mesabox.clients.base import Output
from mesabox.errors import Failed
from mesabox.flow.redaction import Redactor
from mesabox.ui.events import EventLog, EventOutput, EventProgress, event_file
from mesabox.ui.result import Result
from mesabox.ui.streams import Sink
from tests import schemas

RUN = "261123-151544-k3f9"


class Listening:
    def __init__(self, *secrets):
        self.sink, self.redactor = Sink(io.BytesIO()), Redactor()
        for secret in secrets:
            self.redactor.learn(secret)
        self.log = EventLog([self.sink], command="go", run_id=RUN, redactor=self.redactor)

    @property
    def text(self):
        assert self.log.written(5)
        return self.sink.raw.getvalue().decode()

    def output(self, *pieces, stream=1):
        told = EventOutput(self.log)
        for piece in pieces:
            told.put(Output(stream, piece))
        told.finish()
        return [event for event in map(json.loads, self.text.splitlines()) if event["type"] == "output"]


def test_from_start_to_end():
    listening = Listening()
    progress = EventProgress(listening.log)
    progress.note("engine: local")
    progress.phase_started("repo")
    progress.phase_done("repo", 0.1, "notes")
    progress.phase_failed("mount", 0.2, "no FUSE")
    progress.warning("odd")
    listening.log.recorded("phase", {"name": "repo", "state": "started"})
    listening.log.recorded("making", {"kind": "key", "name": "k", "facts": {}})
    listening.log.end("go", Result(data={"run_id": RUN, "stdout": "x"}, error=Failed("no"), exit_code=125))
    found = schemas.events(listening.text)
    kinds = ["start", "note", "phase", "phase", "phase", "warning", "making", "end"]
    assert [event["type"] for event in found] == kinds
    assert found[0]["schema"] == 1 and found[-1]["data"] == {"run_id": RUN} and found[-1]["error"]["title"] == "no"


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_characters_are_not_cut_in_two(step):
    data = "aé€😀z".encode() * 5
    found = Listening().output(*(data[at : at + step] for at in range(0, len(data), step)))
    assert all("data_encoding" not in event for event in found)
    assert "".join(event["data"] for event in found).encode() == data


def test_bytes_that_are_no_text_are_base64():
    data = bytes(range(256)) + b"\xe2\x82"
    found = Listening().output(data, stream=2)
    assert b"".join(base64.b64decode(event["data"]) for event in found) == data
    assert {(event["stream"], event["data_encoding"]) for event in found} == {("stderr", "base64")}


def test_secrets_are_masked_also_when_cut():
    listening = Listening("s3cret-value")
    found = listening.output(b"a s3cre", b"t-va", b"lue b")
    assert "".join(event["data"] for event in found) == "a *** b"
    EventProgress(listening.log).note("s3cret-value")
    assert "s3cret" not in listening.text


def test_nothing_in_it_looks_like_a_ci_command():
    (event,) = Listening().output(b"##[add-mask]x\n")
    assert event["data"] == "##[add-mask]x\n"
    listening = Listening()
    listening.output(b"##[add-mask]x\n::add-mask::x\n")
    assert "##[" not in listening.text and "\n::" not in listening.text


def test_a_reader_that_left_ends_the_command_but_not_the_work():
    inner, outer = os.pipe()
    log = EventLog([Sink(os.fdopen(outer, "wb", 0))], command="go", run_id=RUN, redactor=Redactor())
    os.close(inner)
    EventProgress(log).phase_started("teardown")
    assert log.written(5)
    assert isinstance(log.broken, BrokenPipeError)
    with pytest.raises(BrokenPipeError):
        EventOutput(log).put(Output(1, b"x"))


def test_the_file_is_private_whatever_it_was(tmp_path):
    path = tmp_path / "events"
    path.write_text("old")
    path.chmod(0o644)
    event_file(str(path)).line("new")
    assert path.read_text() == "new\n" and stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_reader_that_stalls_holds_up_the_output_alone():
    inner, outer = os.pipe()
    log = EventLog([Sink(os.fdopen(outer, "wb", 0))], command="go", run_id=RUN, redactor=Redactor())
    output = EventOutput(log)
    for _ in range(40):
        output.put(Output(1, b"x" * 32_000))
    EventProgress(log).phase_started("teardown")
    log.end("go", Result(exit_code=143, failed_by="signal"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(log.room(), 0.1)
    data = b""
    while not data.endswith(b"}\n") or b'"end"' not in data:
        data += os.read(inner, 65536)
    found = schemas.events(data.decode())
    assert log.written(5) and [event["type"] for event in found][-2:] == ["phase", "end"]
    await asyncio.wait_for(log.room(), 5)
