"""The record of what was made: one folder a run, written before each creation and after it, readable after any kill.

``events.ndjson`` is append-only, one JSON object a line, each written by one system call; a line that a kill cut short
is passed over. ``making`` comes before a creation, ``made`` after it, ``removed`` after its undo: what is made or
being made and not removed is left over. A run is alive while its process holds the lock on its folder.

The command's output is in the files ``stdout`` and ``stderr``; an ``output`` event follows each piece of it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from mesabox.config.paths import ours
from mesabox.flow.redaction import Redactor

Kind = Literal["repo", "bookmark", "key", "sprite", "mount"]
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_UNDONE_BY = frozenset({"kind", "name", "names", "id", "facts", "where", "cwd", "how"})
"""Fields that undoing reads: they stay as they are, whatever a secret may look like."""
SCHEMA = 1
"""Of the events: fields and types are added, never changed."""
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


class Ledger:
    """One run's record, open for writing; closing lets go of the lock. What ``redactor`` knows is not written.

    told: hears of each event after it is written.
    """

    told: Callable[[str, Mapping[str, Any]], None] | None = None

    def __init__(self, folder: Path, lock: int, redactor: Redactor | None = None) -> None:
        self.folder = folder
        self.run_id = folder.name
        self.redactor = redactor or Redactor()
        self._lock = lock
        self._file = os.open(folder / "events.ndjson", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._seq = _mend(self._file)
        self._output: dict[str, tuple[int, int]] = {}

    @classmethod
    def create(
        cls,
        runs: Path,
        kind: str,
        where: Where,
        *,
        run_id: str | None = None,
        redactor: Redactor | None = None,
        **facts: Any,
    ) -> "Ledger":
        """A new run's folder. kind: ``go``, or ``steps`` for what step commands make in one working folder."""
        ours(runs)
        run_id = run_id or new_run_id()
        folder = runs / run_id
        folder.mkdir(mode=0o700)
        lock = _take_lock(folder)
        assert lock is not None
        ledger = cls(folder, lock, redactor)
        ledger.write(
            "start", schema=SCHEMA, kind=kind, cwd=str(Path.cwd()), pid=os.getpid(), where=asdict(where), **facts
        )
        return ledger

    @classmethod
    def reopen(cls, folder: Path, redactor: Redactor | None = None) -> "Ledger | None":
        """None while another process holds it."""
        lock = _take_lock(folder)
        return None if lock is None else cls(folder, lock, redactor)

    @classmethod
    def for_steps(cls, runs: Path, where: Where, redactor: Redactor | None = None) -> "Ledger":
        """The record that step commands of this working folder share; a new one when there is none to go on with."""
        pointer = runs / ".steps" / _fingerprint(where)
        with contextlib.suppress(FileNotFoundError):
            folder = runs / pointer.read_text()
            if read_run(folder).leftovers() and (ledger := cls.reopen(folder, redactor)):
                return ledger
        ledger = cls.create(runs, "steps", where, redactor=redactor)
        pointer.parent.mkdir(mode=0o700, exist_ok=True)
        pointer.write_text(ledger.run_id)
        return ledger

    def write(self, type: str, /, **fields: Any) -> None:
        self._seq += 1
        fields = {name: one if name in _UNDONE_BY else self.redactor.value(one) for name, one in fields.items()}
        event = {"seq": self._seq, "ts": round(time.time(), 6), "run_id": self.run_id, "type": type, **fields}
        os.write(self._file, json.dumps(event, separators=(",", ":")).encode() + b"\n")
        if self.told is not None:
            self.told(type, fields)

    def output(self, stream: str, data: bytes, raw: int) -> None:
        """A piece of the command's output, redacted. raw: bytes of the stream, as the command wrote it, up to here."""
        file, size = self._output.get(stream) or self._open_output(stream)
        if data:
            os.write(file, data)
        self._output[stream] = (file, size + len(data))
        self.write("output", stream=stream, offset=size, length=len(data), raw=raw)

    def _open_output(self, stream: str) -> tuple[int, int]:
        """What no event speaks of was written by a process that was killed, and comes again."""
        file = os.open(self.folder / stream, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = read_run(self.folder).recorded(stream)[0]
        os.ftruncate(file, size)
        return file, size

    def making(self, kind: Kind, name: str, **facts: Any) -> None:
        self.write("making", kind=kind, name=name, facts=facts)

    def made(self, kind: Kind, name: str, *, id: str = "", **facts: Any) -> None:
        self.write("made", kind=kind, name=name, id=id, facts=facts)

    def removed(self, resource: Resource, how: str = "removed") -> None:
        """how: ``removed``, or ``gone`` when it was not there any more."""
        self.write("removed", kind=resource.kind, name=resource.name, id=resource.id, how=how)

    def close(self) -> None:
        for file, _ in self._output.values():
            os.close(file)
        os.close(self._file)
        os.close(self._lock)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        """The process that works on it, or did last."""
        return int(next((event["pid"] for event in reversed(self.events) if "pid" in event), 0))

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
    names = (path.name for path in runs.iterdir()) if runs.exists() else ()
    ordered = sorted((name for name in names if not name.startswith(".")), reverse=True)
    for _, of_one_second in groupby(ordered, key=lambda name: name.rpartition("-")[0]):
        yield from sorted(map(read_run, map(runs.joinpath, of_one_second)), key=_started, reverse=True)


def _started(run: Run) -> float:
    return float(run.start.get("ts", 0.0))


def read_run(folder: Path) -> Run:
    alive = is_alive(folder)  # looked at first: what a process that is gone wrote by then is read
    with contextlib.suppress(FileNotFoundError):
        return Run(folder, tuple(_told(_lines(folder))), alive)
    return Run(folder, (), False)


def new_run_id() -> str:
    """Sorts by time, and tells runs of one second apart: ``261123-151544-k3f9``."""
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return time.strftime("%y%m%d-%H%M%S-", time.gmtime()) + tail


def _fingerprint(where: Where) -> str:
    told = json.dumps([str(Path.cwd()), asdict(where)])
    return hashlib.sha256(told.encode()).hexdigest()[:24]


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


def _told(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """Without the many that only say where a piece of output is. Inside a text of JSON the quotes have backslashes."""
    return parsed(line for line in lines if _OUTPUT not in line)


def _lines(folder: Path) -> list[bytes]:
    return (folder / "events.ndjson").read_bytes().split(b"\n")


def _mend(file: int) -> int:
    """A number that no event is above; a last line without its end is ended, so that the next is not lost with it."""
    size = os.fstat(file).st_size
    content = os.pread(file, size, 0)
    if not content or content.endswith(b"\n"):
        return content.count(b"\n")
    os.write(file, b"\n")
    return content.count(b"\n") + 1


def _take_lock(folder: Path) -> int | None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if is_alive(folder):  # in earnest; else it was somebody who looks, as is done here, for a moment
                os.close(lock)
                return None


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


def _resource(event: Mapping[str, Any]) -> Resource:
    certain = event["type"] == "made"
    return Resource(event["kind"], event["name"], event.get("id", ""), event.get("facts", {}), certain)


def _same(resource: Resource, event: Mapping[str, Any]) -> bool:
    names = resource.kind == event["kind"] and resource.name == event["name"]
    return names and (not resource.id or not event.get("id") or resource.id == event["id"])
