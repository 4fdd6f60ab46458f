"""Hunks put into a text as `git apply` does: where their lines are found nearest, context included, or not at all."""

from collections.abc import Sequence

from mesabox.flow.patch.format import Hunk


def placed(content: bytes, hunks: Sequence[Hunk]) -> tuple[bytes, int] | None:
    """(the new content, by how many lines hunks had to move in all); None when one of them finds no place."""
    lines = _lines(content)
    drift = moved = done = 0
    for hunk in hunks:
        expected = max(hunk.new_start - 1, 0) + drift
        at = _place(lines, hunk, expected, done)
        if at is None:
            return None
        lines[at : at + len(hunk.old)] = hunk.new
        drift += at - expected
        moved += abs(at - expected)
        done = at + len(hunk.new)
    return b"".join(lines), moved


def _place(lines: Sequence[bytes], hunk: Hunk, expected: int, done: int) -> int | None:
    """Nearest to ``expected``, behind what is ``done``. A hunk that began or ended the file must do so again."""
    last = len(lines) - len(hunk.old)
    at_start = hunk.old_start <= 1
    at_end = hunk.trailing == 0
    if at_start or at_end:
        choices = [0] if at_start else [last]
        if at_start and at_end and last != 0:
            return None
    else:
        choices = sorted(range(done, last + 1), key=lambda at: (abs(at - expected), at))
    return next((at for at in choices if done <= at <= last and _fits(lines, hunk.old, at)), None)


def _fits(lines: Sequence[bytes], wanted: Sequence[bytes], at: int) -> bool:
    return all(lines[at + number] == line for number, line in enumerate(wanted))


def _lines(content: bytes) -> list[bytes]:
    """At line feeds alone: ``splitlines`` would also split at a carriage return, which git does not."""
    parts = [part + b"\n" for part in content.split(b"\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]
