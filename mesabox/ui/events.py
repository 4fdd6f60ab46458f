"""The machine's view of a run while it goes: one JSON object a line, numbered, each with its time and run."""

import codecs
import json
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mesabox import __version__
from mesabox.clients.base import Output
from mesabox.flow.redaction import RedactedStream, Redactor
from mesabox.ui.capture import as_text
from mesabox.ui.envelope import envelope, json_line
from mesabox.ui.lines import Lines
from mesabox.ui.result import Result
from mesabox.ui.streams import Sink

SCHEMA = 1
_INTERRUPTED_SECONDS = 2.0
"""For whoever reads the events of a run that is to end now."""
_STREAMS = {1: "stdout", 2: "stderr"}
_TOLD_BY_OTHERS = frozenset({"start", "phase", "output", "end"})


class EventLog:
    """Begins with ``start``, which names the schema, and ends with ``end``. What ``redactor`` knows is not told.

    A sink that takes no more is left out, and the work goes on; ``broken`` is what happened to it. One that is slow
    holds up the command's output alone (``room``), and the end of a run that nobody interrupted.
    """

    def __init__(self, sinks: Sequence[Sink], *, command: str, run_id: str, redactor: Redactor) -> None:
        self.run_id = run_id
        self.redactor = redactor
        self._lines = Lines(sinks)
        self._seq = 0
        self._lock = threading.Lock()
        self.tell("start", schema=SCHEMA, command=command, version=__version__)

    def tell(self, type: str, /, **fields: Any) -> None:
        with self._lock:
            self._seq += 1
            head = {"seq": self._seq, "ts": round(time.time(), 6), "run_id": self.run_id, "type": type}
            self._lines.put(json_line({**head, **self.redactor.value(fields)}))

    @property
    def broken(self) -> OSError | None:
        return self._lines.broken

    async def room(self) -> None:
        """Returns when there is room for more output."""
        await self._lines.room()

    def written(self, within: float | None = None) -> bool:
        """Whether all that was told is out."""
        return self._lines.written(within)

    def go_on_in_child(self) -> None:
        """In a process that was forked off, which tells the rest. All of before is to be ``written``."""
        self._lines.begin()

    def recorded(self, type: str, fields: Mapping[str, Any]) -> None:
        """What the run's record was told, but for what is told here already."""
        if type not in _TOLD_BY_OTHERS:
            self.tell(type, **fields)

    def end(self, command: str, result: Result) -> None:
        """The last line: what ``--json`` would have said, without the output, which went before."""
        told = json.loads(envelope(command, result, runs_a_command=True))
        del told["schema"], told["command"]
        if isinstance(told["data"], dict):
            told["data"] = {
                name: one for name, one in told["data"].items() if not name.startswith(("stdout", "stderr"))
            }
        self.tell("end", **told)
        self.written(_INTERRUPTED_SECONDS if result.failed_by == "signal" else None)


class EventProgress:
    """Progress as events."""

    def __init__(self, events: EventLog) -> None:
        self._tell = events.tell

    def phase_started(self, name: str) -> None:
        self._tell("phase", name=name, state="started")

    def phase_done(self, name: str, seconds: float, detail: str = "") -> None:
        self._tell("phase", name=name, state="done", seconds=seconds, detail=detail)

    def phase_failed(self, name: str, seconds: float, reason: str = "") -> None:
        self._tell("phase", name=name, state="failed", seconds=seconds, detail=reason)

    def note(self, text: str) -> None:
        self._tell("note", text=text)

    def warning(self, text: str) -> None:
        self._tell("warning", text=text)

    @contextmanager
    def terminal_lent(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        pass


class EventOutput:
    """A command's output as events. Characters are not cut in two by where a piece ended."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._redacted = {stream: RedactedStream(events.redactor) for stream in _STREAMS}
        self._cut = dict.fromkeys(_STREAMS, b"")

    def put(self, output: Output) -> None:
        """BrokenPipeError once nobody reads any more."""
        data = self._cut[output.stream] + self._redacted[output.stream].feed(output.data)
        whole = len(data) - _cut_short(data)
        self._cut[output.stream] = data[whole:]
        self._tell(output.stream, data[:whole])
        if isinstance(self._events.broken, BrokenPipeError):
            raise self._events.broken

    def finish(self) -> None:
        for stream in _STREAMS:
            self._tell(stream, self._cut[stream] + self._redacted[stream].rest())
            self._cut[stream] = b""

    def _tell(self, stream: int, data: bytes) -> None:
        if data:
            self._events.tell("output", stream=_STREAMS[stream], **as_text("data", data))


def event_file(path: str) -> Sink:
    """Made anew, 0600. A pipe or device is taken as it is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return Sink(os.fdopen(descriptor, "wb", buffering=0))


def _cut_short(data: bytes) -> int:
    """Bytes at the end that begin a UTF-8 character and do not complete it."""
    for length in range(1, min(3, len(data)) + 1):
        if data[-length] >= 0xC0:
            decoder = codecs.getincrementaldecoder("utf-8")()
            with suppress(UnicodeDecodeError):
                return length if not decoder.decode(data[-length:]) else 0
        elif data[-length] < 0x80:
            return 0
    return 0
