"""The patch in a run's record, and what it says of each file."""

from pathlib import Path
from typing import Any

from mesabox.errors import NotFound
from mesabox.flow.patch.format import FilePatch, PatchProblem, parse_patch
from mesabox.flow.record.runs import Run


def patch_of(run: Run) -> bytes:
    try:
        return (run.folder / "changes.patch").read_bytes()
    except FileNotFoundError:
        why = "it is still running" if run.alive else "it ended before its changes were read"
        fix = f"mesabox runs show {run.id}"
        raise NotFound(f"run '{run.id}' has no changes on record", why=why, fix=fix, code="no_changes") from None


def files_of(run: Run, patch: bytes) -> list[dict[str, Any]]:
    """Each file's path, status, old_path, additions and deletions; lines are None of what is not text."""
    try:
        return [_facts(file) for file in parse_patch(patch)]
    except PatchProblem:
        return [{"old_path": None, "additions": None, "deletions": None, **file} for file in _recorded(run)]


def notes_of(run: Run) -> list[str]:
    """What the patch has not, as the record tells."""
    missing = _changes(run).get("missing", [])
    return [f"not in the patch: {one['path']}: {one['why']}" for one in missing]


def source_of(run: Run) -> Path | None:
    """The folder that the run was seeded from."""
    folder = run.start.get("source")
    return Path(folder) if folder else None


def _facts(file: FilePatch) -> dict[str, Any]:
    text = file.literal is None and not file.unreadable
    added = sum(len(hunk.new) - hunk.context for hunk in file.hunks)
    deleted = sum(len(hunk.old) - hunk.context for hunk in file.hunks)
    return {
        "path": file.path,
        "status": file.status,
        "old_path": file.old_path if file.status in ("renamed", "copied") else None,
        "additions": added if text else None,
        "deletions": deleted if text else None,
    }


def _recorded(run: Run) -> list[dict[str, Any]]:
    return list(_changes(run).get("files", []))


def _changes(run: Run) -> dict[str, Any]:
    return dict(next((event for event in reversed(run.events) if event["type"] == "changes"), {}))
