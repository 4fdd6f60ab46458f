"""A run's record as facts to show, and finding a run by its id."""

import shlex
from typing import Annotated, Any

from typer import Argument

from mesabox.errors import NotFound
from mesabox.flow.record.runs import Run, newest_first, read_run
from mesabox.switchboard import Switchboard

RunId = Annotated[str, Argument(metavar="RUN", help="The run's id, or `last`.", show_default=False)]


def run_called(board: Switchboard, run_id: str) -> Run:
    runs = board.paths.runs
    if run_id == "last":
        newest = next((run for run in newest_first(runs) if run.start.get("kind") in ("go", "run")), None)
        if newest:
            return newest
    elif run_id and "/" not in run_id and not run_id.startswith(".") and (runs / run_id).is_dir():
        return read_run(runs / run_id)
    raise NotFound(f"no run '{run_id}' is on record", fix="mesabox runs list", code="run_not_found")


def facts_of(run: Run) -> dict[str, Any]:
    """The record's start and end, what changed, and what is left of what it made."""
    made = {event["kind"]: event["name"] for event in run.events if event["type"] == "made"}
    changes: Any = next((event for event in reversed(run.events) if event["type"] == "changes"), {})
    return {
        "run_id": run.id,
        "state": run.state,
        "exit_code": run.end.get("exit_code"),
        "failed_by": run.end.get("failed_by"),
        "started_at": run.start.get("ts"),
        "ended_at": run.end.get("ts"),
        "engine": run.where.engine,
        "repo": run.start.get("repo"),
        "sprite": made.get("sprite") or run.start.get("named_sprite"),
        "command": shlex.join(run.start.get("command", [])),
        "cwd": run.start.get("cwd"),
        "change_id": changes.get("change_id"),
        "commit_oid": changes.get("commit_oid"),
        "files": changes.get("files", []),
        "left": [{"kind": r.kind, "name": r.name} for r in run.leftovers() if r.kind not in ("repo", "bookmark")],
    }
