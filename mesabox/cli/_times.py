"""A moment, as people give it."""

import time
from datetime import datetime

from mesabox.errors import UsageProblem
from mesabox.wire.durations import parse_duration


def moment(text: str | None) -> float:
    """Unix seconds of ``10m`` (ago), ``2026-11-25T10:00`` (here) or ``2026-11-25T10:00Z``; 0 for None."""
    if text is None:
        return 0.0
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UsageProblem(f"'{text}' is no time", fix="--since 10m, or --since 2026-11-25T10:00") from None
