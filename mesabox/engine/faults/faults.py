"""The faults that are on: which request each hits, drawn from a seed, and how often each has fired."""

import random
import secrets
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from mesabox.wire.faults import Fault

_SEEDS = 1_000_000


class Armed:
    """One fault that is on. Each draws from a source of its own, so that one more does not change the others."""

    def __init__(self, fault: Fault, seed: int) -> None:
        self.fault = fault
        self.fired = 0
        self._random = random.Random(f"{seed} {fault}")

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times

    def aim(self, about: str) -> "Shot | None":
        """Drawn for each request that it could hit, also once it is spent: the order of requests is what counts."""
        if not self.fault.meets(about):
            return None
        hits, amount = self._random.random() < self.fault.rate, self._random.uniform(self.fault.low, self.fault.high)
        return Shot(self, amount, about) if hits and not self.spent else None


class Shot:
    """A fault that is going to hit. amount: seconds, bytes or a number, as its switch says."""

    __slots__ = ("_about", "_armed", "_taken", "amount")

    def __init__(self, armed: Armed, amount: float, about: str) -> None:
        self.amount = amount
        self._about = about
        self._armed = armed
        self._taken = False

    def fires(self) -> bool:
        """Counted once, and told in the log. False when others at the same time have used it up."""
        if not self._taken and not self._armed.spent:
            self._taken = True
            self._armed.fired += 1
            print(f"fault {self._armed.fault} hits {self._about}", file=sys.stderr)
        return self._taken


class Faults:
    """Off unless something is set, and gone with the engine."""

    def __init__(self) -> None:
        self.seed = 0
        self._armed: list[Armed] = []

    def __bool__(self) -> bool:
        return bool(self._armed)

    def set(self, faults: Iterable[Fault], seed: int | None = None) -> None:
        """These and no others, counted from zero. seed None: one is drawn, and told."""
        self.seed = secrets.randbelow(_SEEDS) if seed is None else seed
        self._armed = [Armed(fault, self.seed) for fault in dict.fromkeys(faults)]

    def of(self, name: str) -> Sequence[Armed]:
        return [armed for armed in self._armed if armed.fault.switch.name == name]

    def aim(self, name: str, about: str) -> Shot | None:
        """about: ``METHOD path``, or what else it is that could be hit. Of several of one name the first that hits."""
        shots = [armed.aim(about) for armed in self.of(name)]
        return next((shot for shot in shots if shot), None)

    def fire(self, name: str, about: str) -> float | None:
        """For what goes wrong at once: the amount when it does."""
        shot = self.aim(name, about)
        return shot.amount if shot and shot.fires() else None

    def told(self) -> dict[str, Any]:
        """``{"seed": int | None, "faults": [{"fault": "cut=0.5", "fired": 3}]}``."""
        faults = [{"fault": str(armed.fault), "fired": armed.fired} for armed in self._armed]
        return {"seed": self.seed if faults else None, "faults": faults}
