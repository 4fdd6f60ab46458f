"""Find and remove what runs that were killed or failed left behind."""

from typing import Annotated

from typer import Option

from mesabox.cli._removal import Removal
from mesabox.flow import leftovers
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox gc", "mesabox gc --dry-run", "mesabox gc --json")


async def command(
    board: Switchboard, dry_run: Annotated[bool, Option("--dry-run", help="Only list it.")] = False
) -> Result:
    found = list(leftovers.abandoned(board.paths.runs))
    if dry_run:
        rows = [(one.run.id, r.kind, r.name) for one in found for r in one.resources]
        data = [{"run_id": run_id, "kind": kind, "name": name} for run_id, kind, name in rows]
        return Result(data=data, view=[Table(("run", "kind", "name"), rows, empty="nothing was left behind")])
    removal = Removal(board)
    await removal.remove(found)
    return removal.result("nothing was left behind")
