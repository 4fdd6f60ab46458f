"""Apply what a run changed to a local folder.

All of it or nothing. Your own edits stay: where they are in the way, nothing is applied and each such file is named.
What is there already is passed over, so that applying twice does no harm. No service is asked; git's index is left
as it is.
"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mesabox.cli._runs import RunId, run_called
from mesabox.cli.runs._patch import notes_of, patch_of, source_of
from mesabox.flow.patch.applying import Applied, AppliedFile, apply_patch
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = (
    "mesabox runs apply last",
    "mesabox runs apply last ../project --dry-run",
    "mesabox runs apply 261123-151544-k3f9 --force",
)

_COLUMNS = ("done", "status", "path")


def command(
    board: Switchboard,
    run_id: RunId,
    folder: Annotated[
        str | None,
        Argument(metavar="[DIR]", help="Where to; the folder it was seeded from, else this one.", show_default=False),
    ] = None,
    force: Annotated[bool, Option("--force", help="Overwrite edits that are in the way.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> Result:
    run = run_called(board, run_id)
    place = Path(folder) if folder is not None else source_of(run) or Path.cwd()
    applied = apply_patch(patch_of(run), place, force=force, dry_run=dry_run)
    data = {"run_id": run.id, "folder": str(place.resolve()), "dry_run": dry_run, "files": list(applied.files)}
    return Result(
        data=data,
        view=[Table(_COLUMNS, [(file.how, file.status, _named(file)) for file in applied.files], empty="")]
        if applied.files
        else [],
        quiet=[file.path for file in applied.files if file.how != "already there"],
        notes=[*notes_of(run), _summary(applied, dry_run)],
    )


def _named(file: AppliedFile) -> str:
    return f"{file.old_path} -> {file.path}" if file.old_path else file.path


def _summary(applied: Applied, dry_run: bool) -> str:
    if not applied.files:
        return "the run changed nothing"
    if not applied.changed:
        return f"all of it is in {applied.folder} already"
    files = f"{applied.changed} file{'s' if applied.changed > 1 else ''}"
    return f"{'would change' if dry_run else 'changed'} {files} in {applied.folder}"
