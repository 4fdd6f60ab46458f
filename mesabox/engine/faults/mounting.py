"""Faults of repo mounts that no request shows: edits that Mesa hears of late."""

import time
from weakref import WeakKeyDictionary

from mesabox.engine.faults.faults import Faults


class Lateness:
    """When what was written in a live tree may become its change (``late-edits``)."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._due: WeakKeyDictionary[object, float] = WeakKeyDictionary()

    def written(self, tree: object, about: str) -> None:
        """A hint that something was. about: ``EDIT org/repo``."""
        if self._faults.of("late-edits") and tree not in self._due:
            self._due[tree] = time.monotonic() + (self._faults.fire("late-edits", about) or 0.0)

    def holds(self, tree: object) -> bool:
        """Whether it is too early: also before the hint, which a reader may outrun."""
        if tree not in self._due:
            return any(not armed.spent for armed in self._faults.of("late-edits"))
        if time.monotonic() < self._due[tree]:
            return True
        del self._due[tree]
        return False
