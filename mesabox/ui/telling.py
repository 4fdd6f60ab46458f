"""Events of a record, shown: a command's output as it was, or every event as a line of JSON, or kept for one object."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from mesabox.clients.base import Output
from mesabox.ui.capture import as_text
from mesabox.ui.envelope import json_line
from mesabox.ui.github import guarded
from mesabox.ui.streams import Streams

_STREAMS = {"stdout": 1, "stderr": 2}
_MOST_KEPT = 1024 * 1024


class Teller:
    """A context; ``event`` takes one event of ``flow.record.replay`` after the other.

    lines: each event is a line of JSON on stdout. kept: output is kept for ``fields``, a mebibyte of each at most.
    """

    def __init__(self, streams: Streams, *, lines: bool, kept: bool) -> None:
        self._streams, self._lines, self._kept = streams, lines, kept
        self._collected = {name: bytearray() for name in _STREAMS}
        self._lengths = dict.fromkeys(_STREAMS, 0)
        self._fence = ExitStack()
        self._watch: Any = None

    def __enter__(self) -> "Teller":
        if not self._lines and not self._kept:
            self._watch = self._fence.enter_context(guarded(self._streams))
        return self

    def __exit__(self, *exc: Any) -> None:
        self._fence.__exit__(*exc)

    def event(self, event: Mapping[str, Any]) -> None:
        """BrokenPipeError once nobody reads."""
        if self._lines:
            self._streams.stdout.line(json_line(_as_json(event)))
        elif event["type"] == "output":
            self._output(event["stream"], event["data"])

    def fields(self, *wanted: str) -> dict[str, Any]:
        """For the JSON: text, or base64 where it is not UTF-8; says so where it was cut."""
        fields: dict[str, Any] = {}
        for name in wanted:
            kept = bytes(self._collected[name])
            fields |= as_text(name, kept, cut=self._lengths[name] > len(kept))
        return fields

    def _output(self, name: str, data: bytes) -> None:
        if self._kept:
            self._collected[name] += data[: _MOST_KEPT - len(self._collected[name])]
            self._lengths[name] += len(data)
            return
        self._watch.watch(Output(_STREAMS[name], data))
        (self._streams.stdout if name == "stdout" else self._streams.stderr).write(data)


def _as_json(event: Mapping[str, Any]) -> dict[str, Any]:
    """Where a piece is in its file is the record's own matter."""
    if event["type"] != "output":
        return dict(event)
    head = {name: event[name] for name in ("seq", "ts", "run_id", "type", "stream")}
    return head | as_text("data", event["data"])
