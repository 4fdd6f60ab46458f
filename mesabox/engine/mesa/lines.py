"""Three versions of a text merged line by line: the parts that fit together, and the hunks that do not."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pygit2
from pygit2.enums import DiffOption

Lines = Sequence[bytes]


class Edit(NamedTuple):
    """Lines ``start..end`` of the base became lines ``new_start..new_end`` of the side; all from 0, ends exclusive."""

    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Hunk:
    """A stretch that both sides changed, each in its own way. The starts count lines from 0."""

    base: Lines
    target: Lines
    source: Lines
    base_start: int
    target_start: int

    @property
    def id(self) -> str:
        """The same for the same conflict whenever it is computed, so that a resolution can name it."""
        place = f"{self.base_start}:{self.target_start}".encode()
        sides = [b"".join(side) for side in (self.base, self.target, self.source)]
        return hashlib.sha256(b"\0".join([place, *(b"%d:%s" % (len(side), side) for side in sides)])).hexdigest()[:20]


Segment = list[bytes] | Hunk


def merge_texts(base: bytes, target: bytes, source: bytes) -> list[Segment]:
    """In order: lines that are settled, and hunks that are not."""
    lines = [_split(text) for text in (base, target, source)]
    ours, theirs = edits(base, target), edits(base, source)
    segments: list[Segment] = []
    done = 0
    for start, end in _clusters(ours, theirs):
        segments.append(lines[0][done:start])
        one, other = _mapped(ours, start, end), _mapped(theirs, start, end)
        segments.append(_settle(lines[0][start:end], lines[1][slice(*one)], lines[2][slice(*other)], start, one[0]))
        done = end
    segments.append(lines[0][done:])
    return [segment for segment in segments if segment]


def edits(old: bytes, new: bytes) -> list[Edit]:
    """git's own line diff, without context."""
    patch = pygit2.Patch.create_from(old, new, flag=DiffOption.FORCE_TEXT, context_lines=0, interhunk_lines=0)
    return [
        # an empty side's start is the line before it, so it needs no shift from 1 to 0
        Edit(
            start := hunk.old_start - (hunk.old_lines > 0),
            start + hunk.old_lines,
            new_start := hunk.new_start - (hunk.new_lines > 0),
            new_start + hunk.new_lines,
        )
        for hunk in patch.hunks
    ]


def render(segments: Sequence[Segment], shown: Callable[[Hunk, int, int], bytes]) -> bytes:
    """The text, each hunk as ``shown(hunk, number from 1, how many)`` gives it."""
    hunks = [segment for segment in segments if isinstance(segment, Hunk)]
    numbers = iter(range(1, len(hunks) + 1))
    return b"".join(
        shown(segment, next(numbers), len(hunks)) if isinstance(segment, Hunk) else b"".join(segment)
        for segment in segments
    )


def with_markers(hunk: Hunk, number: int, count: int) -> bytes:
    """jj's rendering: what the first side did to the base, as a diff, then the second side whole."""
    of = b"%d of %d" % (number, count)
    return b"".join(
        [
            b"<<<<<<< Conflict %s\n%%%%%%%%%%%%%% Changes from base to side #1\n" % of,
            *(b"-" + line for line in _ended(hunk.base)),
            *(b"+" + line for line in _ended(hunk.target)),
            b"+++++++ Contents of side #2\n",
            *_ended(hunk.source),
            b">>>>>>> Conflict %s ends\n" % of,
        ]
    )


def has_markers(text: bytes) -> bool:
    lines = text.splitlines()
    return any(line.startswith(b"<<<<<<< ") for line in lines) and any(line.startswith(b">>>>>>> ") for line in lines)


def _split(text: bytes) -> list[bytes]:
    """At line feeds alone: ``splitlines`` would also split at a carriage return, which git does not."""
    parts = [part + b"\n" for part in text.split(b"\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]


def _clusters(ours: Sequence[Edit], theirs: Sequence[Edit]) -> Iterator[tuple[int, int]]:
    """The stretches of the base that were edited, those that touch joined into one."""
    stretch: tuple[int, int] | None = None
    for edit in sorted([*ours, *theirs]):
        if stretch is not None and edit.start <= stretch[1]:
            stretch = (stretch[0], max(stretch[1], edit.end))
        else:
            if stretch is not None:
                yield stretch
            stretch = (edit.start, edit.end)
    if stretch is not None:
        yield stretch


def _mapped(side: Sequence[Edit], start: int, end: int) -> tuple[int, int]:
    """Where a cluster of the base is on a side: every edit lies whole inside it, or apart from it."""
    before = sum(_growth(edit) for edit in side if edit.end < start)
    inside = sum(_growth(edit) for edit in side if start <= edit.start and edit.end <= end)
    return start + before, end + before + inside


def _growth(edit: Edit) -> int:
    return (edit.new_end - edit.new_start) - (edit.end - edit.start)


def _settle(base: Lines, target: Lines, source: Lines, base_start: int, target_start: int) -> Segment:
    if target in (base, source):
        return list(source)
    if source == base:
        return list(target)
    return Hunk(base, target, source, base_start, target_start)


def _ended(lines: Lines) -> Lines:
    return lines if not lines or lines[-1].endswith(b"\n") else [*lines[:-1], lines[-1] + b"\n"]
