"""Signals to mesabox while a run is under way: to the command first, then teardown, then out."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import TypeVar

from mesabox.clients.base import Execution
from mesabox.errors import MesaboxError

GRACE = 2.0
"""Seconds a command has, after a signal that no Ctrl-C sent, before teardown starts by itself."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PASSED = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

T = TypeVar("T")


class Interrupts:
    """A context around a run. ``received`` is the first ending signal, None while there was none.

    The first one is passed to the command, if one runs, and for a Ctrl-C on a terminal that is all; the second starts
    the teardown by cancelling the run's task; the third leaves at once, after ``farewell``. A terminal that hangs up
    may say so more than once: that is never a wish to leave at once.
    """

    def __init__(self, *, on_terminal: bool, farewell: Callable[[], None]) -> None:
        self.received: signal.Signals | None = None
        self._on_terminal = on_terminal
        self._farewell = farewell
        self._count = 0
        self._cancelled = False
        self._task: asyncio.Task[object] | None = None
        self._execution: Execution | None = None
        self._passing: set[asyncio.Task[None]] = set()

    def __enter__(self) -> "Interrupts":
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self._end, number)
        for number in _PASSED:
            loop.add_signal_handler(number, self._pass, number)
        return self

    def __exit__(self, _: type | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.finished()
        loop = asyncio.get_running_loop()
        for number in (*_ENDING, *_PASSED):
            loop.remove_signal_handler(number)

    @property
    def exit_code(self) -> int | None:
        """A signal to mesabox is the answer, whatever the command said."""
        return None if self.received is None else 128 + self.received

    @contextlib.contextmanager
    def lent_to(self, execution: Execution) -> Iterator[None]:
        """Inside, signals go to the command first."""
        self._execution = execution
        try:
            yield
        finally:
            self._execution = None

    async def unless_ended(self, work: Awaitable[T]) -> T | None:
        """What ``work`` comes to; None when it was a signal of ours that ended it."""
        try:
            return await work
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            self.answered()
            return None
        finally:
            self.finished()

    def give_up(self) -> None:
        """What a second Ctrl-C does, for keys that are the command's own and never come as signals."""
        self.received = self.received or signal.SIGINT
        self._count = max(self._count, 2)
        self._tear_down()

    def _end(self, number: signal.Signals) -> None:
        self._count += 1
        self.received = self.received or number
        if self._count == 1 and self._execution:
            self._pass(number)
            if number != signal.SIGINT or not self._on_terminal:
                asyncio.get_running_loop().call_later(GRACE, self._tear_down)
        elif self._count <= 2 or number == signal.SIGHUP:
            self._tear_down()
        else:
            self._farewell()
            os._exit(128 + number)

    def _tear_down(self) -> None:
        """Once: a teardown that runs already is not disturbed."""
        task, self._task = self._task, None
        if task:
            self._cancelled = task.cancel()

    def answered(self) -> None:
        """The cancelling was ours and has done its work: what comes now, collect and teardown, runs as usual."""
        if task := asyncio.current_task():
            task.uncancel()

    def finished(self) -> None:
        """The command is over: from here on a signal no longer cancels, only the third one leaves."""
        self._task = None

    def _pass(self, number: signal.Signals) -> None:
        if self._execution:
            task = asyncio.create_task(self._send(self._execution, number))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _send(self, execution: Execution, number: signal.Signals) -> None:
        with contextlib.suppress(MesaboxError):
            await execution.signal(number.name.removeprefix("SIG"))
