"""Runs as their records tell them: what they were asked, how far they came, what is left of what they made."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

Kind = Literal["repo", "bookmark", "key", "sprite", "mount"]

SETTLED = "settled"
"""A file beside the events of a run that left nothing."""
NO_RECORD = ("lock", SETTLED)
"""Files of a run's folder that tell nothing of it."""
_OUTPUT = b',"type":"output",'
_A_DAY = 86400.0
_AFTER_LIMIT = 600.0
"""Seconds: setting up, the key's five minutes beyond the command, and some more."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something made in a service. name: how people call it; id: the service's own, empty until it is made.

    facts: what undoing needs (a mount's sprite, a bookmark's repo). certain: False when only ``making`` was written.
    """

    kind: Kind
    name: str
    id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Where:
    """Which services a run talked to: undoing it must ask the same ones."""

    engine: str
    mesa_url: str
    sprites_url: str
    org: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its record tells it, without its output. ``alive``: its process still works on it."""

    folder: Path
    events: tuple[Mapping[str, Any], ...]
    alive: bool

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def start(self) -> Mapping[str, Any]:
        return next((event for event in self.events if event["type"] == "start"), {})

    @property
    def end(self) -> Mapping[str, Any]:
        """Empty before it, and again once the run is gone on with."""
        told = next((event for event in reversed(self.events) if event["type"] in ("end", "resumed")), None)
        return told if told is not None and told["type"] == "end" else {}

    @property
    def where(self) -> Where:
        return Where(**self.start.get("where", {"engine": "", "mesa_url": "", "sprites_url": ""}))

    @property
    def state(self) -> str:
        """running | done | failed | interrupted (its process died before the end) | steps."""
        if self.start.get("kind") == "steps":
            return "steps"
        if self.alive:
            return "running"
        if not self.end:
            return "interrupted"
        return "done" if self.end.get("exit_code") == 0 else "failed"

    def last(self, type: str) -> Mapping[str, Any]:
        """The newest event of a type; empty when there is none."""
        return next((event for event in reversed(self.events) if event["type"] == type), {})

    @property
    def supervisor(self) -> int:
        """The process that works on it, or did last; 0 when that is not the one that has the number now."""
        told = next((event for event in reversed(self.events) if "pid" in event), {"pid": 0})
        return int(told["pid"]) if told.get("born") == born(told["pid"]) else 0

    def recorded(self, stream: str) -> tuple[int, int]:
        """Bytes of a stream of output that are on record: in its file, and as its last command wrote them."""
        size = raw = 0
        for event in events_of(self.folder):
            if event["type"] == "output" and event["stream"] == stream:
                size, raw = event["offset"] + event["length"], event["raw"]
            elif event["type"] == "command":
                raw = 0
        return size, raw

    def kept(self) -> set[tuple[str, str]]:
        """(kind, name) of what ``--keep`` left on purpose."""
        return {(one["kind"], one["name"]) for one in self.last("kept").get("resources", ())}

    def last_moment(self) -> float:
        """Unix seconds: after it neither its command nor its key lives, whatever became of its process."""
        begun = max((event["ts"] for event in self.events if event["type"] in ("start", "resumed")), default=0.0)
        limit = self.start.get("timeout")
        return float(begun) + (_A_DAY if limit is None else limit + _AFTER_LIMIT)

    def left(self) -> list[Resource]:
        """``leftovers`` but for what holds work."""
        return [one for one in self.leftovers() if one.kind not in ("repo", "bookmark")]

    def leftovers(self) -> list[Resource]:
        """What was made, or perhaps made, and not removed; in the order of making."""
        left: list[Resource] = []
        for event in self.events:
            if event["type"] == "making":
                left.append(_resource(event))
            elif event["type"] == "made":
                left = [r for r in left if r.certain or not _same(r, event)] + [_resource(event)]
            elif event["type"] == "removed":
                left = [r for r in left if not _same(r, event)]
        return left


def newest_first(runs: Path) -> Iterator[Run]:
    """Every run on record, read one by one. The id says the second alone; of runs of one second the start tells."""
    ordered = sorted((folder.name for folder in _folders(runs)), reverse=True)
    for _, of_one_second in groupby(ordered, key=lambda name: name.rpartition("-")[0]):
        yield from sorted(map(read_run, map(runs.joinpath, of_one_second)), key=_started, reverse=True)


def _started(run: Run) -> float:
    return float(run.start.get("ts", 0.0))


def unsettled(runs: Path) -> Iterator[Run]:
    """Those that may have left something, newest first; the others are not even read."""
    for folder in sorted(_folders(runs), reverse=True):
        if not (folder / SETTLED).exists():
            yield read_run(folder)


def _folders(runs: Path) -> Iterator[Path]:
    """Those of runs; what somebody else put there is none of ours."""
    found = runs.iterdir() if runs.exists() else ()
    return (folder for folder in found if not folder.name.startswith(".") and folder.is_dir())


def read_run(folder: Path) -> Run:
    alive = is_alive(folder)  # looked at first: what a process that is gone wrote by then is read
    with contextlib.suppress(FileNotFoundError):
        return Run(folder, tuple(_told(_lines(folder))), alive)
    return Run(folder, (), False)


def events_of(folder: Path) -> Iterator[Mapping[str, Any]]:
    """All events of a run, the pieces of output among them."""
    return parsed(_lines(folder))


def parsed(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """A line that a kill cut short is passed over."""
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "type" in event:
                yield event


def born(process: int) -> str:
    """When a process began, in the kernel's ticks: with its number it tells it from any other. Empty for none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def is_alive(folder: Path) -> bool:
    """Whether a process works on the run."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _told(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """Without the many that only say where a piece of output is. Inside a text of JSON the quotes have backslashes."""
    return parsed(line for line in lines if _OUTPUT not in line)


def _lines(folder: Path) -> list[bytes]:
    return (folder / "events.ndjson").read_bytes().split(b"\n")


def _resource(event: Mapping[str, Any]) -> Resource:
    certain = event["type"] == "made"
    return Resource(event["kind"], event["name"], event.get("id", ""), event.get("facts", {}), certain)


def _same(resource: Resource, event: Mapping[str, Any]) -> bool:
    names = resource.kind == event["kind"] and resource.name == event["name"]
    return names and (not resource.id or not event.get("id") or resource.id == event["id"])
