"""A run's record, read from its beginning on and followed while the run goes; its output as if it happened now."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mesabox.clients.base import Output
from mesabox.flow.record.runs import is_alive, parsed, read_run

_LOOK = 0.05
_STREAMS = {"stdout": 1, "stderr": 2}
Event = Mapping[str, Any]


def always() -> bool:
    return True


def never() -> bool:
    return False


async def replay(
    folder: Path, *, after: int = 0, since: float = 0.0, follow: Callable[[], bool] = never
) -> AsyncIterator[Event]:
    """Events with a ``seq`` above ``after``, from the Unix time ``since`` on; those of output have its bytes as
    ``data``. follow: whether to go on, until the run's process has ended, or its record says so.
    """
    with ExitStack() as files, suppress(FileNotFoundError):  # one that was killed before its first event has none
        record = files.enter_context((folder / "events.ndjson").open("rb"))
        output = _Files(folder, files)
        rest, ended = b"", False
        while True:
            alive = not ended and follow() and is_alive(folder)  # looked at first: what it wrote by then is read
            chunk = record.read()
            *lines, rest = (rest + chunk).split(b"\n")
            for event in parsed(lines):
                ended = event["type"] == "end" or (ended and event["type"] != "resumed")
                if event["seq"] > after and event["ts"] >= since:
                    yield output.filled(event)
            if not chunk and not alive:
                return
            if not chunk:
                await asyncio.sleep(_LOOK)


class _Files:
    """The files that output events point into."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._folder = folder
        self._files = files
        self._open: dict[str, BinaryIO] = {}

    def filled(self, event: Event) -> Event:
        if event["type"] != "output":
            return event
        name = str(event["stream"])
        if name not in self._open:
            self._open[name] = self._files.enter_context((self._folder / name).open("rb"))
        data = os.pread(self._open[name].fileno(), event["length"], event["offset"])
        return {**event, "data": data}


class Replayed:
    """An Execution that is the command of a run somebody else works on; iterating it ends with the run.

    last: the ``seq`` of the last event whose output was taken, from which another reader can go on.
    """

    session_id = None

    def __init__(self, folder: Path, *, after: int = 0) -> None:
        self.exit_code: int | None = None
        self.last = after
        self._folder = folder
        self._left = False

    def leave(self) -> None:
        """Iterating ends soon; the run goes on."""
        self._left = True

    async def __aenter__(self) -> "Replayed":
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def __aiter__(self) -> AsyncIterator[Output]:
        async for event in replay(self._folder, after=self.last, follow=lambda: not self._left):
            if event["type"] == "output" and event["data"]:
                yield Output(_STREAMS[event["stream"]], event["data"])
            self.last = event["seq"]
            if self._left:
                return
        self.exit_code = read_run(self._folder).end.get("exit_code")

    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    async def resize(self, rows: int, cols: int) -> None: ...

    async def signal(self, name: str) -> None:
        """To the process that works on the run, which passes it on as its own."""
        run = read_run(self._folder)
        if run.alive and run.supervisor:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(run.supervisor, signal.Signals[f"SIG{name}"])
