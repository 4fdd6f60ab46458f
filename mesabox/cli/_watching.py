"""Watching a run that somebody else works on, or that has ended: its record, played and followed."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mesabox.errors import MesaboxError, OutcomeUnknown
from mesabox.flow.record.replay import Replayed
from mesabox.flow.record.runs import Run, read_run
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result
from mesabox.ui.terminal import Console

_LEAVING = (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 2.0
"""Seconds for output that is on its way to a reader who is slow."""


async def watched(board: Switchboard, run: Run, after: int) -> Result:
    """The run's exit code, once it has ended. Leaving it is no failure of the run: it goes on."""
    replayed, console = Replayed(run.folder, after=after), board.console()
    console.takes_input = False
    watching = asyncio.create_task(_ended(console, replayed))
    left: list[signal.Signals] = []

    def leave(number: signal.Signals) -> None:
        left.append(number)
        replayed.leave()
        asyncio.get_running_loop().call_later(_GRACE, watching.cancel)

    with _signals(replayed, leave):
        await asyncio.wait({watching})
    if watching.cancelled():  # how far a reader came who takes no more is not known
        return _left(run, console, after, left[0])
    watching.result()
    if left and replayed.exit_code is None:
        return _left(run, console, replayed.last, left[0])
    return _result(read_run(run.folder), console, replayed)


async def _ended(console: Console, replayed: Replayed) -> None:
    """An end that the record does not tell is found there, not here."""
    with suppress(OutcomeUnknown):
        await console.attend(replayed, size=None)


@contextmanager
def _signals(replayed: Replayed, leave: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Ctrl-C goes to the run, as it would where that was started; what ends this command otherwise ends it alone."""
    loop, passing = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def interrupt() -> None:
        passing.add(asyncio.create_task(replayed.signal("INT")))

    loop.add_signal_handler(signal.SIGINT, interrupt)
    for number in _LEAVING:
        loop.add_signal_handler(number, leave, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, *_LEAVING):
            loop.remove_signal_handler(number)


def _left(run: Run, console: Console, last: int, number: signal.Signals) -> Result:
    """Ctrl-\\ is asked for; the others end this command, and say so."""
    asked = number is signal.SIGQUIT
    return Result(
        data={"run_id": run.id, "state": "running", "last_seq": last, **console.captured()},
        notes=[f"left it running. Go on watching: mesabox runs attach {run.id} --after {last}"],
        exit_code=0 if asked else 128 + number,
        failed_by=None if asked else "signal",
    )


def _result(run: Run, console: Console, replayed: Replayed) -> Result:
    data = {"run_id": run.id, "state": run.state, "last_seq": replayed.last, **console.captured()}
    if replayed.exit_code is None:
        fix = f"mesabox go --resume {run.id}" if run.start.get("kind") == "go" else f"mesabox runs show {run.id}"
        why = "its process ended before its end was on record"
        error: MesaboxError | None = OutcomeUnknown(f"how run '{run.id}' ended is not known", why=why, fix=fix)
        return Result(data=data, exit_code=125, failed_by="mesabox", error=error)
    told = run.end.get("error")
    error = MesaboxError(told["title"], code=told["code"], fix=f"mesabox runs show {run.id}") if told else None
    return Result(data=data, exit_code=replayed.exit_code, failed_by=run.end.get("failed_by"), error=error)
