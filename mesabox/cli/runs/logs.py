"""Print what a run's command printed."""

from typing import Annotated, Literal

from typer import Option

from mesabox.cli._runs import RunId, run_called
from mesabox.errors import NotFound
from mesabox.switchboard import Switchboard
from mesabox.ui.capture import as_text
from mesabox.ui.result import Result

EXAMPLES = ("mesabox runs logs last", "mesabox runs logs last --stream stderr")


def command(
    board: Switchboard,
    run_id: RunId,
    stream: Annotated[Literal["stdout", "stderr"], Option(help="Which of the two.")] = "stdout",
) -> Result:
    run = run_called(board, run_id)
    try:
        output = (run.folder / stream).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"run '{run.id}' has no output on record", why="its command never started") from None
    return Result(data={"run_id": run.id, "stream": stream, **as_text("output", output)}, view=[output])
