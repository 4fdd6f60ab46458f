"""List the runs on record, newest first."""

from itertools import islice
from typing import Annotated, Any

from typer import Option

from mesabox.cli._runs import facts_of
from mesabox.flow.record.runs import newest_first
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox runs list", "mesabox runs list --limit 100 --json", "mesabox runs list -q")

_COLUMNS = ("run_id", "state", "exit_code", "repo", "sprite", "command")


def command(board: Switchboard, limit: Annotated[int, Option(help="How many, at most.", min=1)] = 20) -> Result:
    data: list[dict[str, Any]] = [facts_of(run) for run in islice(newest_first(board.paths.runs), limit)]
    rows = [tuple(facts[column] for column in _COLUMNS) for facts in data]
    return Result(
        data=data,
        view=[Table([name.replace("_", " ") for name in _COLUMNS], rows, empty="no run is on record")],
        quiet=[facts["run_id"] for facts in data],
    )
