"""Show a run's output from its beginning, follow it to its end, and end with its exit code.

Any number may watch. Ctrl-C goes to the run; Ctrl-\\ leaves it running, as does ending this command otherwise. A run
whose own process is gone is taken over: its command is followed in the sprite, what it changed is collected, and what
it made is taken down.
"""

from collections.abc import Coroutine
from typing import Annotated, Any

from typer import Option

from mesabox.cli._again import attempt_again, board_of
from mesabox.cli._flow import SecretOption
from mesabox.cli._runs import RunId, run_called
from mesabox.cli._watching import watched
from mesabox.flow.ledger import Run
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
        attempt, plan = attempt_again(board_of(board, run), run, secret=secret or (), tty=False)
        return attempt.resume(plan, run, shown=True)
    return watched(board, run, after)


def _is_left_alone(run: Run) -> bool:
    """Its process was killed, and its command perhaps goes on in the sprite."""
    return not run.alive and not run.end and run.start.get("kind") == "go" and bool(run.last("command"))
