"""What this machine can do for sandboxes, found out by doing: for ``doctor``; the engine's start says the same."""

import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mesabox.engine.sandbox import trial
from mesabox.engine.sandbox.values import CannotIsolate


def probe(cache: Path | None = None) -> dict[str, Any]:
    """``{"tier", "tier_name", "isolated", "checks": [{"name", "ok", "detail", "fix"}], "problem", ...}``.

    cache: a folder on the file system the engine keeps its state on; a temporary one when it is not given. ``tier`` is
    None, and ``problem`` says what, why and fix, when nothing isolates; ``--isolation none`` is then left.
    """
    with tempfile.TemporaryDirectory(prefix="mesabox-probe-") as scratch:
        found = _look(cache or Path(scratch))
    return {**found, "kernel": platform.release(), "python": platform.python_version(), "system": sys.platform}


def _look(cache: Path) -> dict[str, Any]:
    try:
        tier, problem = trial.best_tier(cache), None
    except CannotIsolate as error:
        tier, problem = None, {"what": error.what, "why": error.why, "fix": error.fix}
    return {
        "tier": tier,
        "tier_name": trial.describe(tier) if tier else "no isolation",
        "isolated": tier is not None,
        "checks": [asdict(check) for check in trial.everything(cache)],
        "problem": problem,
    }
