"""The difference of two changes: entries with hunks, conflicts with their sides, or one unified patch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pygit2
from pygit2.enums import DeltaStatus

from mesabox.engine.mesa.changes import Change
from mesabox.engine.mesa.conflicts import MOST_TEXT, described
from mesabox.engine.mesa.objects import Objects

MOST_ENTRIES = 3000
"""Entries after which a diff says ``truncated``."""
MOST_FILES_WITH_HUNKS = 300

_STATUS = {DeltaStatus.ADDED: "added", DeltaStatus.DELETED: "deleted", DeltaStatus.RENAMED: "renamed"}
_KIND = {" ": "context", "+": "added", "-": "deleted"}


@dataclass(frozen=True, slots=True)
class DiffRequest:
    base: Change
    head: Change
    conflicts: str
    """include | only | exclude"""


def patch_text(objects: Objects, base: Change, head: Change) -> bytes:
    """Every changed path; conflicted ones as they stand in the tree, with their markers.

    A file that became a symlink is deleted and then added, which `git apply` takes.
    """
    diff = objects.diff(base.tree_oid, head.tree_oid, type_changes=False)
    patches = [patch for patch in diff if patch is not None]
    patches.sort(key=lambda patch: (patch.delta.new_file.path, patch.delta.status != DeltaStatus.DELETED))
    return b"".join(patch.data for patch in patches)


def diff_json(objects: Objects, wanted: DiffRequest) -> dict[str, Any]:
    """``entries`` and ``conflicted_entries`` never share a path; what did not change is in neither."""
    diff = objects.diff(wanted.base.tree_oid, wanted.head.tree_oid)
    numbered = [(number, delta) for number, delta in enumerate(diff.deltas)]
    clean = [(number, delta) for number, delta in numbered if delta.new_file.path not in wanted.head.conflicts]
    entries = [] if wanted.conflicts == "only" else list(_entries(objects, diff, clean[:MOST_ENTRIES], wanted.base))
    disputed = [] if wanted.conflicts == "exclude" else list(_disputed(objects, numbered, wanted.head))
    added, deleted = (_count(entries, kind) for kind in ("added", "deleted"))
    return {
        "base_change_id": wanted.base.id,
        "head_change_id": wanted.head.id,
        "stats": {
            "entries": len(entries),
            "additions": added,
            "deletions": deleted,
            "changes": added + deleted,
            "conflicted_entries": len(disputed),
            "conflicted_hunks": sum(len(entry["hunks"]) for entry in disputed),
        },
        "truncated": len(clean) > MOST_ENTRIES,
        "entries": entries,
        "conflicted_entries": disputed,
    }


def _entries(
    objects: Objects, diff: pygit2.Diff, deltas: list[tuple[int, pygit2.DiffDelta]], base: Change
) -> Iterator[dict[str, Any]]:
    for place, (number, delta) in enumerate(deltas):
        size = max(objects.size(str(file.id)) for file in (delta.old_file, delta.new_file) if file.mode)
        patch = diff[number] if size <= MOST_TEXT and place < MOST_FILES_WITH_HUNKS else None
        omitted = "file_limit" if place >= MOST_FILES_WITH_HUNKS else "too_large" if size > MOST_TEXT else None
        if patch is not None and patch.delta.is_binary:
            omitted = "binary"
        old_path = delta.old_file.path
        yield {
            "path": delta.new_file.path,
            "status": _STATUS.get(delta.status, "modified"),
            "old_path": old_path if delta.status == DeltaStatus.RENAMED else None,
            "size_bytes": size,
            "is_conflicted": old_path in base.conflicts,
            "omitted_reason": omitted,
            "hunks": None if omitted or patch is None else [_hunk(hunk) for hunk in patch.hunks],
            "conflict_hunks": None,
        }


def _disputed(objects: Objects, deltas: list[tuple[int, pygit2.DiffDelta]], head: Change) -> Iterator[dict[str, Any]]:
    for _, delta in deltas:
        if conflict := head.conflicts.get(delta.new_file.path):
            yield described(objects, delta.new_file.path, conflict)


def _hunk(hunk: pygit2.DiffHunk) -> dict[str, Any]:
    return {
        "old_start": hunk.old_start,
        "old_lines": hunk.old_lines,
        "new_start": hunk.new_start,
        "new_lines": hunk.new_lines,
        "lines": [{"kind": _KIND.get(line.origin, "annotation"), "text": _text(line)} for line in hunk.lines],
    }


def _text(line: pygit2.DiffLine) -> str:
    """Without the line's end; "no newline at end of file" is a line of its own kind."""
    return str(line.raw_content.decode(errors="replace").strip("\n"))


def _count(entries: list[dict[str, Any]], kind: str) -> int:
    return sum(line["kind"] == kind for entry in entries for hunk in entry["hunks"] or () for line in hunk["lines"])
