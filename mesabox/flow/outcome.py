"""What a run came to: its exit code and whose doing that was, what changed, what was removed and what stays."""

import signal
from dataclasses import dataclass, field

from mesabox.errors import ExitCode, MesaboxError
from mesabox.flow.collect import Changes
from mesabox.flow.patch.applying import Applied
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Resource
from mesabox.flow.running.command import FailedBy
from mesabox.flow.undo import Undone

_OF_SERVICES = ("service_error", "try_later", "outcome_unknown")


@dataclass(slots=True)
class Outcome:
    """exit_code is the process's; error the first thing that failed, if it was not the command.

    kept: what ``--keep`` left; seconds: how long each phase took.
    """

    run_id: str
    org: str = ""
    repo: str = ""
    bookmark: str = ""
    sprite: str = ""
    folder: str = ""
    exit_code: int = ExitCode.MESABOX_FAILED
    failed_by: FailedBy | None = None
    error: MesaboxError | None = None
    changes: Changes | None = None
    applied: Applied | None = None
    undone: Undone = field(default_factory=Undone)
    kept: list[Resource] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def failed(self, error: MesaboxError) -> None:
        self.error = error
        self.exit_code = ExitCode.MESABOX_FAILED
        self.failed_by = "service" if error.default_code in _OF_SERVICES else "mesabox"

    def ended_by(self, number: signal.Signals) -> None:
        """A signal to mesabox is the answer, whatever the command said."""
        self.exit_code = 128 + number
        self.failed_by = "signal"

    def put_on_record(self, ledger: Ledger) -> None:
        error = self.error
        ledger.write(
            "end",
            exit_code=int(self.exit_code),
            failed_by=self.failed_by,
            error=None if error is None else {"code": error.code, "title": error.what},
            left=[resource.name for resource, _ in self.undone.failed],
        )
