"""A run's outcome as a result: what changed, where it is, what was removed, time per phase, what to do next."""

import shlex
from typing import Any

from mesabox.clients.base import DiffEntry
from mesabox.flow.outcome import Outcome
from mesabox.flow.record.runs import Resource
from mesabox.ui.progress import seconds_text
from mesabox.ui.result import Result

_MOST_FILES = 40
_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R"}


def result_of(outcome: Outcome, output: dict[str, Any]) -> Result:
    """output: ``stdout`` and ``stderr`` of the command, for a machine that reads one JSON object."""
    return Result(
        data={**_data(outcome), **output},
        notes=_notes(outcome),
        exit_code=int(outcome.exit_code),
        error=outcome.error,
        failed_by=outcome.failed_by,
    )


def _data(outcome: Outcome) -> dict[str, Any]:
    undone = outcome.undone
    return {
        "run_id": outcome.run_id,
        "org": outcome.org,
        "repo": outcome.repo,
        "bookmark": outcome.bookmark,
        "sprite": outcome.sprite,
        "folder": outcome.folder,
        "changes": _changes(outcome),
        "removed": [_named(resource) for resource in undone.removed],
        "kept": [_named(resource) for resource in outcome.kept],
        "left": [_named(resource) for resource, _ in undone.failed],
        "applied": None if outcome.applied is None else list(outcome.applied.files),
        "seconds": outcome.seconds,
    }


def _changes(outcome: Outcome) -> dict[str, Any] | None:
    if (changes := outcome.changes) is None:
        return None
    return {
        "change_id": changes.change_id,
        "commit_oid": changes.commit_oid,
        "base_commit_oid": changes.base_commit_oid or None,
        "additions": changes.additions,
        "deletions": changes.deletions,
        "files": list(changes.entries),
        "missing": list(changes.missing),
    }


def _named(resource: Resource) -> dict[str, str]:
    return {"kind": resource.kind, "name": resource.name, "id": resource.id}


def _notes(outcome: Outcome) -> list[str]:
    notes = _what_changed(outcome)
    if outcome.undone.removed:
        notes.append("removed: " + ", ".join(f"{r.kind} {r.name}" for r in outcome.undone.removed))
    if outcome.applied is not None:
        count = outcome.applied.changed
        notes.append(f"applied: {count} file{'' if count == 1 else 's'} in {outcome.applied.folder}")
    notes += _kept(outcome)
    if outcome.seconds:
        notes.append("time: " + ", ".join(f"{name} {seconds_text(took)}" for name, took in outcome.seconds.items()))
    return notes + _next(outcome)


def _kept(outcome: Outcome) -> list[str]:
    """How to get back in, to go on and to be rid of it: each as one line that can be pasted."""
    sprites = [resource.name for resource in outcome.kept if resource.kind == "sprite"]
    if not outcome.kept:
        return []
    lines = [f"kept: {', '.join(f'{one.kind} {one.name}' for one in outcome.kept if one.kind != 'mount')}"]
    lines += [f"  back in: mesabox sh {name}" for name in sprites]
    if outcome.exit_code != 0:
        lines.append(f"  go on:   mesabox go --resume {outcome.run_id}")
    return [*lines, f"  remove:  mesabox down {outcome.run_id}"]


def _what_changed(outcome: Outcome) -> list[str]:
    if (changes := outcome.changes) is None:
        return []
    where = f"{outcome.org}/{outcome.repo} ({outcome.bookmark})"
    if not changes.entries:
        return [f"nothing changed in {where}"]
    shown = [_line(entry) for entry in changes.entries[:_MOST_FILES]]
    if (rest := len(changes.entries) - len(shown)) > 0:
        shown.append(f"  ... and {rest} more")
    counts = "" if changes.additions is None else f", +{changes.additions} -{changes.deletions}"
    head = f"changed in {where}: {len(changes.entries)} file{'s' if len(changes.entries) > 1 else ''}{counts}"
    missing = [f"  not in the patch that is kept: {one.path}: {one.why}" for one in changes.missing]
    return [head, *shown, *missing, f"change {changes.change_id}  commit {changes.commit_oid[:12]}"]


def _line(entry: DiffEntry) -> str:
    name = entry.path if not entry.old_path else f"{entry.old_path} -> {entry.path}"
    counts = f"+{entry.additions} -{entry.deletions}" if entry.additions is not None else ""
    return f"  {_LETTERS.get(entry.status, '?')} {name}  {entry.omitted_reason or counts}".rstrip()


def _next(outcome: Outcome) -> list[str]:
    if outcome.error is not None or outcome.changes is None or not outcome.changes.entries:
        return []
    readable = [entry.path for entry in outcome.changes.entries if entry.status != "deleted"]
    if not readable:
        return [f"next: mesabox repo log {shlex.quote(outcome.repo)}"]
    return [f"next: mesabox repo cat {shlex.join([outcome.repo, readable[0]])}"]
