"""Show a run's output from its beginning, follow it to its end, and end with its exit code.

Any number may watch. Ctrl-C goes to the run; Ctrl-\\ leaves it running, as does ending this command otherwise. A run
whose own process is gone is taken over by another one: its command is followed in the sprite, what it changed is
collected, and what it made is taken down.
"""

from collections.abc import Coroutine, Sequence
from typing import Annotated, Any

from typer import Option

from mesabox.cli._again import attempt_again, attempt_on_record, board_of
from mesabox.cli._detached import detach
from mesabox.cli._flow import Attempt, SecretOption
from mesabox.cli._runs import RunId, run_called
from mesabox.cli._watching import watched
from mesabox.errors import Conflict, UsageProblem
from mesabox.flow.plan import Plan
from mesabox.flow.record.runs import Run
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox runs attach last",
    "mesabox runs attach 261123-151544-k3f9 --after 120",
    "mesabox runs attach last --json",
)


def command(
    board: Switchboard,
    run_id: RunId,
    after: Annotated[int, Option(metavar="SEQ", help="Only what came after this event.", min=0)] = 0,
    secret: SecretOption = None,
) -> Coroutine[Any, Any, Result]:
    run = run_called(board, run_id)
    if _is_left_alone(run):
        _take_over(board_of(board, run), run, secret or ())
    return watched(board, run, after)


def _is_left_alone(run: Run) -> bool:
    """Its process was killed, and its command perhaps goes on in the sprite."""
    command = run.last("command")
    return not run.alive and not run.end and bool(command) and not command["tty"]


def _again(board: Switchboard, run: Run, secret: Sequence[str]) -> tuple[Attempt, Plan]:
    """The command has its secrets, unless the process was killed at the very moment of its start."""
    try:
        return attempt_again(board, run, secret=secret, tty=False)
    except UsageProblem:
        if secret or not (run.start.get("secrets") or run.start.get("masked")):
            raise
        return attempt_again(board, run, needs_secrets=False, tty=False)


def _take_over(board: Switchboard, run: Run, secret: Sequence[str]) -> None:
    """By a process of its own, so that this one can be left like any other that watches."""
    try:
        if run.start["kind"] == "run":
            alone = attempt_on_record(board, run)
            detach(board, lambda quiet, begun: alone.over(quiet).follow_on_record(run, begun))
        else:
            again, plan = _again(board, run, secret)
            detach(board, lambda quiet, begun: again.over(quiet).resume(plan, run, begun))
    except Conflict as taken:
        if taken.code != "run_alive":  # somebody else was faster
            raise
    else:
        board.reporter.note(f"the process of run {run.id} was gone; another one has taken it over")
