"""Run what an earlier run did once more, as a new run."""

from collections.abc import Coroutine
from typing import Annotated, Any

from typer import Argument

from mesabox.cli._again import attempt_again
from mesabox.cli._flow import DetachOption, SecretOption, TtyOption, detached
from mesabox.cli._runs import RunId, run_called
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

COMMAND_FROM = 1
TELLS_EVENTS = True
EXAMPLES = (
    "mesabox runs rerun last",
    "mesabox runs rerun 261123-151544-k3f9 -- make check   # the same, but this command",
    "mesabox runs rerun last --detach",
)


def command(
    board: Switchboard,
    run_id: RunId,
    argv: Annotated[
        list[str] | None, Argument(metavar="[-- CMD...]", help="Instead of its command.", show_default=False)
    ] = None,
    detach: DetachOption = False,
    secret: SecretOption = None,
    tty: TtyOption = None,
) -> Result | Coroutine[Any, Any, Result]:
    run, tty = run_called(board, run_id), False if detach else tty
    attempt, plan = attempt_again(board, run, argv=tuple(argv or ()), secret=secret or (), tty=tty)
    return detached(attempt, lambda one, begun: one.go(plan, begun)) if detach else attempt.go(plan)
