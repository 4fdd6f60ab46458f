"""What a command returns: data for a machine, a view for a person, what ``-q`` prints, and the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mesabox.errors import ExitCode, MesaboxError
from mesabox.flow.redaction import Redactor

FailedBy = Literal["command", "timeout", "signal", "service", "mesabox"]


@dataclass(frozen=True, slots=True)
class Table:
    """rows of cells in the order of columns; ``empty`` is said instead of a table without rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and values of one thing."""

    pairs: Sequence[tuple[str, object]]


Block = Table | Fields | str | bytes
"""A piece of the view. A text is one or more lines, bytes go out untouched."""


@dataclass(frozen=True, slots=True)
class Result:
    """data: JSON values, dataclasses and datetimes. quiet: what ``-q`` prints: lines (ids, or the one value asked for),
    or a file's bytes.

    notes are talk and go to stderr. exit_code other than 0 with no error is an answer in itself (a command's own
    code). failed_by is for commands that run a command; None on success.
    """

    data: Any = None
    view: Sequence[Block] = ()
    quiet: Sequence[str] | bytes = ()
    notes: Sequence[str] = ()
    exit_code: int = ExitCode.OK
    error: MesaboxError | None = None
    failed_by: FailedBy | None = None

    @classmethod
    def of_error(cls, error: MesaboxError) -> "Result":
        return cls(error=error, exit_code=error.exit_code)

    def redacted(self, redactor: Redactor) -> "Result":
        """Talk and error without what ``redactor`` knows. What was asked for stays as it is: it may be a key."""
        if (error := self.error) is not None:
            error.what, error.why, error.fix = map(redactor.text, (error.what, error.why, error.fix))
        return replace(self, notes=[redactor.text(note) for note in self.notes])


@dataclass(frozen=True, slots=True)
class Manner:
    """How the answer is wanted. json wins over quiet. events: a file that gets what ``ndjson`` prints."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    ndjson: bool = False
    events: str | None = None

    @property
    def silent(self) -> bool:
        """No talk: neither progress nor notes."""
        return self.json or self.quiet or self.ndjson

    @property
    def captured(self) -> bool:
        """stdout is ours: a command's output is told within it."""
        return self.json or self.ndjson
