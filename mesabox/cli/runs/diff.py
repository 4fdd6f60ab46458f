"""Print what a run changed, as the patch that was kept of it.

`git apply` takes it as it is: binary files, renames, modes and symlinks included. No service is asked.
"""

from typing import Annotated

from typer import Option

from mesabox.cli._runs import RunId, run_called
from mesabox.cli.runs._patch import files_of, notes_of, patch_of
from mesabox.switchboard import Switchboard
from mesabox.ui.capture import as_text
from mesabox.ui.result import Result, Table

EXAMPLES = (
    "mesabox runs diff last",
    "mesabox runs diff last --stat",
    "mesabox runs diff 261123-151544-k3f9 | git apply --3way",
)

_COLUMNS = ("status", "path", "added", "deleted")


def command(
    board: Switchboard,
    run_id: RunId,
    stat: Annotated[bool, Option("--stat", help="Files and line counts instead of the patch.")] = False,
) -> Result:
    run = run_called(board, run_id)
    patch = patch_of(run)
    files = files_of(run, patch)
    rows = [(file["status"], file["path"], file["additions"], file["deletions"]) for file in files]
    return Result(
        data={"run_id": run.id, "files": files, **({"patch": None} if stat else as_text("patch", patch))},
        view=[Table(_COLUMNS, rows, empty="nothing changed") if stat else patch],
        quiet=[file["path"] for file in files],
        notes=notes_of(run),
    )
