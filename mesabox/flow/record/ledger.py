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
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mesabox.config.paths import ours
from mesabox.flow.record.runs import SETTLED, Kind, Resource, Where, born, is_alive, read_run
from mesabox.flow.redaction import Redactor

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_UNDONE_BY = frozenset({"kind", "name", "names", "id", "facts", "where", "cwd", "how"})
"""Fields that undoing reads: they stay as they are, whatever a secret may look like."""
SCHEMA = 1
"""Of the events: fields and types are added, never changed."""


class Ledger:
    """One run's record, open for writing; closing lets go of the lock. What ``redactor`` knows is not written.

    told: hears of each event after it is written. lenient: an event that cannot be written (a full disk) is no
    failure: from then on, when what was made is taken down, the deed counts and not the word.
    """

    told: Callable[[str, Mapping[str, Any]], None] | None = None
    lenient = False

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
        ledger.write("start", schema=SCHEMA, kind=kind, cwd=str(Path.cwd()), **_process(), where=asdict(where), **facts)
        return ledger

    @classmethod
    def reopen(cls, folder: Path, redactor: Redactor | None = None) -> "Ledger | None":
        """None while another process holds it."""
        lock = _take_lock(folder)
        if lock is None:
            return None
        (folder / SETTLED).unlink(missing_ok=True)
        return cls(folder, lock, redactor)

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

    def resumed(self) -> None:
        """Another process goes on with the run."""
        self.write("resumed", **_process())

    def write(self, type: str, /, **fields: Any) -> None:
        self._seq += 1
        fields = {name: one if name in _UNDONE_BY else self.redactor.value(one) for name, one in fields.items()}
        event = {"seq": self._seq, "ts": round(time.time(), 6), "run_id": self.run_id, "type": type, **fields}
        try:
            _write_whole(self._file, json.dumps(event, separators=(",", ":")).encode() + b"\n")
        except OSError:
            if not self.lenient:
                raise
        if self.told is not None:
            self.told(type, fields)

    def output(self, stream: str, data: bytes, raw: int) -> None:
        """A piece of the command's output, redacted. raw: bytes of the stream, as the command wrote it, up to here."""
        file, size = self.begin_output(stream)
        if data:
            _write_whole(file, data)
        self._output[stream] = (file, size + len(data))
        self.write("output", stream=stream, offset=size, length=len(data), raw=raw)

    def begin_output(self, stream: str) -> tuple[int, int]:
        """(its file, the bytes that are in it). What no event speaks of was written by a process that was killed, and
        comes again.
        """
        if (begun := self._output.get(stream)) is not None:
            return begun
        file = os.open(self.folder / stream, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = read_run(self.folder).recorded(stream)[0]
        os.ftruncate(file, size)
        self._output[stream] = (file, size)
        return file, size

    def making(self, kind: Kind, name: str, **facts: Any) -> None:
        self.write("making", kind=kind, name=name, facts=facts)

    def made(self, kind: Kind, name: str, *, id: str = "", **facts: Any) -> None:
        self.write("made", kind=kind, name=name, id=id, facts=facts)

    def removed(self, resource: Resource, how: str = "removed") -> None:
        """how: ``removed``, or ``gone`` when it was not there any more."""
        self.write("removed", kind=resource.kind, name=resource.name, id=resource.id, how=how)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if not read_run(self.folder).left():
                (self.folder / SETTLED).touch(mode=0o600)
        for file, _ in self._output.values():
            os.close(file)
        os.close(self._file)
        os.close(self._lock)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def new_run_id() -> str:
    """Sorts by time, and tells runs of one second apart: ``261123-151544-k3f9``."""
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return time.strftime("%y%m%d-%H%M%S-", time.gmtime()) + tail


def _fingerprint(where: Where) -> str:
    told = json.dumps([str(Path.cwd()), asdict(where)])
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _process() -> dict[str, Any]:
    """Ours, told from any that has its number later."""
    return {"pid": os.getpid(), "born": born(os.getpid())}


def _write_whole(file: int, data: bytes) -> None:
    """A disk that fills up takes a part: what is cut short is ended, so that the next line is not lost with it."""
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])


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
