"""Paths that two sides changed in ways that do not fit: kept with both sides until somebody resolves them."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mesabox.engine.mesa.lines import Hunk, Segment, has_markers, merge_texts, render, with_markers
from mesabox.engine.mesa.objects import Edits, Entry, Objects
from mesabox.engine.mesa.problems import invalid

MOST_TEXT = 1 << 20
"""Bytes of a side above which a conflict is not taken apart into hunks."""
Side = Literal["target", "source"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """base, target, source: what each version has at the path, None where it has nothing.

    shown: what the conflicted tree holds there. The conflict lasts as long as exactly that is there.
    """

    base: Entry | None
    target: Entry | None
    source: Entry | None
    shown: Entry

    def side(self, name: Side) -> Entry | None:
        return self.target if name == "target" else self.source

    def to_json(self) -> list[Any]:
        return [list(entry) if entry else None for entry in (self.base, self.target, self.source, self.shown)]

    @classmethod
    def from_json(cls, value: list[Any]) -> "Conflict":
        base, target, source, shown = (Entry(*entry) if entry else None for entry in value)
        assert shown is not None
        return cls(base, target, source, shown)


Conflicts = Mapping[str, Conflict]


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A resolution of one path: these bytes, or one side as it is."""

    path: str
    content: bytes | None
    take: Side | None


@dataclass(frozen=True, slots=True)
class ByHunk:
    """A resolution of one path, hunk by hunk: hunk id -> bytes, or the side to take."""

    path: str
    hunks: Mapping[str, bytes | Side]


Resolution = WholeFile | ByHunk


def lasting(conflicts: Iterable[Conflicts], objects: Objects, tree: str) -> dict[str, Conflict]:
    """Those whose path in ``tree`` still is what the conflict shows; the earlier mappings win."""
    left: dict[str, Conflict] = {}
    for mapping in conflicts:
        for path, conflict in mapping.items():
            if path not in left and objects.entry(tree, path) == conflict.shown:
                left[path] = conflict
    return left


def carried_over(conflicts: Conflicts, objects: Objects, tree: str) -> dict[str, Conflict]:
    """After somebody edited files by hand: a conflicted text that still has its markers is not resolved."""
    left = lasting([conflicts], objects, tree)
    for path, conflict in conflicts.items():
        edited = objects.entry(tree, path)
        if path not in left and edited and not edited.is_tree and has_markers(objects.blob(edited.oid)[:MOST_TEXT]):
            left[path] = Conflict(conflict.base, conflict.target, conflict.source, edited)
    return left


def settle(
    objects: Objects, base: Entry | None, target: Entry | None, source: Entry | None
) -> tuple[Entry | None, Conflict | None]:
    """What a tree should hold for three versions of a path, and the conflict if they do not fit together."""
    if target == source or source == base:
        return target, None
    if target == base:
        return source, None
    segments = segments_of(objects, base, target, source)
    if segments is None:
        shown = target or source
        assert shown is not None
        return shown, Conflict(base, target, source, shown)
    merged = Entry(objects.write_blob(render(segments, with_markers)), _mode(base, target, source))
    in_conflict = any(isinstance(segment, Hunk) for segment in segments)
    return merged, Conflict(base, target, source, merged) if in_conflict else None


def segments_of(
    objects: Objects, base: Entry | None, target: Entry | None, source: Entry | None
) -> list[Segment] | None:
    """The merge by lines; None where it is none of lines: a side deleted, binary, a symlink or too large."""
    if target is None or source is None or omitted(objects, base, target, source):
        return None
    if any(entry is not None and entry.is_symlink for entry in (base, target, source)):
        return None
    text = b"" if base is None else objects.blob(base.oid)
    return merge_texts(text, objects.blob(target.oid), objects.blob(source.oid))


def omitted(objects: Objects, *entries: Entry | None) -> Literal["binary", "too_large"] | None:
    """Why a text cannot be shown, in the words of the diff endpoint."""
    present = [entry for entry in entries if entry is not None]
    if any(objects.size(entry.oid) > MOST_TEXT for entry in present):
        return "too_large"
    return "binary" if any(b"\0" in objects.blob(entry.oid)[:8000] for entry in present) else None


def described(objects: Objects, path: str, conflict: Conflict) -> dict[str, Any]:
    """A ``conflicted_entries`` item: the hunks of the path, empty where it has none."""
    sides = (conflict.base, conflict.target, conflict.source)
    segments = segments_of(objects, *sides) or []
    largest = max(objects.size(entry.oid) for entry in sides if entry is not None)
    return {
        "path": path,
        "hunks": [_hunk_json(segment) for segment in segments if isinstance(segment, Hunk)],
        "size_bytes": largest,
        "omitted_reason": omitted(objects, *sides),
    }


def resolved(objects: Objects, conflicts: Conflicts, resolutions: Sequence[Resolution]) -> Edits:
    """The edits that these resolutions amount to; hunks that are not all of the path's leave it in conflict.

    Problem 400 for a path that is not in conflict.
    """
    edits: dict[str, Entry | None] = {}
    for number, resolution in enumerate(resolutions):
        if (conflict := conflicts.get(resolution.path)) is None:
            raise invalid(f"resolutions.{number}.path", f"'{resolution.path}' is not in conflict")
        if isinstance(resolution, WholeFile):
            edits[resolution.path] = _whole(objects, conflict, resolution)
        elif (entry := _by_hunk(objects, conflict, resolution)) is not None:
            edits[resolution.path] = entry
    return edits


def _whole(objects: Objects, conflict: Conflict, resolution: WholeFile) -> Entry | None:
    if resolution.take is not None:
        return conflict.side(resolution.take)
    return Entry(objects.write_blob(resolution.content or b""), _mode(conflict.base, conflict.target, conflict.source))


def _by_hunk(objects: Objects, conflict: Conflict, resolution: ByHunk) -> Entry | None:
    segments = segments_of(objects, conflict.base, conflict.target, conflict.source) or []
    wanted = {segment.id for segment in segments if isinstance(segment, Hunk)}
    if not wanted or wanted != set(resolution.hunks):
        return None
    text = render(segments, _chosen(resolution.hunks))
    return Entry(objects.write_blob(text), _mode(conflict.base, conflict.target, conflict.source))


def _chosen(hunks: Mapping[str, bytes | Side]) -> Callable[[Hunk, int, int], bytes]:
    def choose(hunk: Hunk, _number: int, _count: int) -> bytes:
        choice = hunks[hunk.id]
        if isinstance(choice, bytes):
            return choice
        return b"".join(hunk.target if choice == "target" else hunk.source)

    return choose


def _mode(base: Entry | None, target: Entry | None, source: Entry | None) -> int:
    """The mode that a side changed, else the one they share."""
    ours, theirs = target or source, source or target
    assert ours is not None and theirs is not None
    return theirs.mode if base is not None and ours.mode == base.mode else ours.mode


def _hunk_json(hunk: Hunk) -> dict[str, Any]:
    return {
        "hunk_id": hunk.id,
        "old_start": hunk.base_start + 1,
        "old_lines": len(hunk.base),
        "new_start": hunk.target_start + 1,
        "new_lines": len(hunk.target),
        "target": _bytes_json(hunk.target),
        "base": _bytes_json(hunk.base),
        "source": _bytes_json(hunk.source),
    }


def _bytes_json(lines: Sequence[bytes]) -> dict[str, str]:
    return {"content": base64.b64encode(b"".join(lines)).decode()}
