"""Faults of repo mounts that no request shows: edits that Mesa hears of late."""

import time
from weakref import WeakKeyDictionary

from mesabox.engine.faults.faults import Faults


class Lateness:
    """When what was written in a live tree may become its change (``late-edits``)."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._due: WeakKeyDictionary[object, float] = WeakKeyDictionary()

    def holds(self, tree: object, about: str) -> bool:
        """Whether it is too early for an edit that has just been found. about: ``EDIT org/repo``."""
        if not self._faults or not self._faults.of("late-edits"):
            self._due.pop(tree, None)
            return False
        if tree not in self._due:
            if (late := self._faults.fire("late-edits", about)) is None:
                return False
            self._due[tree] = time.monotonic() + late
        if time.monotonic() < self._due[tree]:
            return True
        del self._due[tree]
        return False
