"""Phases of a run: told to the reporter, timed, and on record."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mesabox.flow.record.ledger import Ledger
from mesabox.flow.reporter import Reporter


@dataclass(slots=True)
class Phase:
    """``detail`` is said when the phase is done."""

    detail: str = ""


@dataclass(slots=True)
class Phases:
    """seconds: how long each finished phase took, in the order of finishing."""

    reporter: Reporter
    ledger: Ledger
    seconds: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[Phase]:
        started = time.monotonic()
        self.reporter.phase_started(name)
        self.ledger.write("phase", name=name, state="started")
        current = Phase()
        try:
            yield current
        except BaseException as error:
            took = self._took(name, started)
            self.ledger.write("phase", name=name, state="failed", seconds=took)
            self.reporter.phase_failed(name, took, str(error))
            raise
        took = self._took(name, started)
        self.ledger.write("phase", name=name, state="done", seconds=took, detail=current.detail)
        self.reporter.phase_done(name, took, current.detail)

    def _took(self, name: str, started: float) -> float:
        self.seconds[name] = round(time.monotonic() - started, 4)
        return self.seconds[name]
