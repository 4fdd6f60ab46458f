"""Ctrl-C on a terminal that is lent to a command: its own key, until nothing comes of it."""

import time
from collections.abc import Callable

_PATIENCE = 1.0
"""Seconds that a command has to answer; far more than any way there and back."""
_CTRL_C = b"\x03"


class CtrlC:
    """Hears what is typed and what comes out. What a terminal itself answers to the key (``^C``) is no answer.

    A shell answers with its prompt, an editor with a word, and then they wait: there it may be pressed as often as one
    likes. What stays silent, or goes on printing as if nothing had been, has not answered.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pressed: float | None = None
        self._came: float | None = None

    def typed(self, keys: bytes) -> bool:
        """True for one pressed again, a second or more after one that had no answer."""
        if keys.strip(_CTRL_C):
            self._pressed = None
            return False
        now, before, self._pressed = self._clock(), self._pressed, self._clock()
        came, self._came = self._came, None
        if before is None:
            return False
        if now - before < _PATIENCE:  # pressed in a hurry: the first of them counts
            self._pressed, self._came = before, came
            return False
        return came is None or (came - before >= _PATIENCE and now - came < _PATIENCE)

    def came(self, output: bytes) -> None:
        if self._pressed is not None and output.replace(b"^C", b"").strip():
            self._came = self._clock()
