"""What a mount keeps to itself: gitignore(5) patterns of the repo, and the list that is built into ``mesa``."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MOST_RULES_TEXT = 256 << 10
"""Bytes of one .gitignore that are read."""
_MOST_RULES = 1000

BUILT_IN = """\
# Editors
!.mesaignore
.*.sw[a-p]
*~
\\#*\\#
.\\#*
.emacs.desktop
.emacs.desktop.lock
.idea/workspace.xml
.idea/tasks.xml
.idea/shelf/
.idea/httpRequests/
*.vsix
.vscode/.ropeproject/
.vscode-server/
*.sublime-workspace
.zed/settings.local.json
# Systems
.DS_Store
.AppleDouble
.LSOverride
.Spotlight-V100
.Trashes
.fseventsd
Thumbs.db
ehthumbs.db
Desktop.ini
$RECYCLE.BIN/
.Trash-*
# Tools
.direnv/
.git
.hg/
.svn/
.jj/
core
core.[0-9]*
"""
"""As far as the strings of the published native module show it."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """parts: a pattern for each part of a path, None for ``**``. keeps: it was negated with ``!``."""

    parts: tuple[re.Pattern[str] | None, ...]
    keeps: bool
    folders_only: bool


class Rules:
    """The patterns of one file, for the folder it lies in.

    The patterns come from the sandbox: each part is a regular expression that ``fnmatch`` makes linear, and ``**`` is
    matched without backtracking further than to the last one.
    """

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.splitlines() if (rule := _rule(line)) is not None][:_MOST_RULES]
        # most names end like no rule at all, which one expression tells at once
        self._any_ending = re.compile(
            "|".join(rule.parts[-1].pattern for rule in self._rules if rule.parts[-1]) or "(?!)"
        )

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """Whether the last rule that matches ignores it; None when none does."""
        parts = path.split("/")
        if not self._any_ending.match(parts[-1]):
            return None
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and _fits(rule.parts, parts):
                return not rule.keeps
        return None


@lru_cache(maxsize=64)
def parse_rules(text: str) -> Rules:
    return Rules(text)


def is_ignored(layers: Sequence[tuple[str, Rules]], path: str, *, is_folder: bool) -> bool:
    """layers: (folder, rules), outermost first, a folder being ``""`` or ending with a slash. The innermost decides."""
    for folder, rules in reversed(layers):
        verdict = rules.verdict(path[len(folder) :], is_folder=is_folder)
        if verdict is not None:
            return verdict
    return False


def _rule(line: str) -> _Rule | None:
    pattern = re.sub(r"(?<!\\)\s+$", "", line)
    if not pattern or pattern.startswith("#"):
        return None
    keeps = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    folders_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern:
        return None
    anchored = "/" in pattern
    parts = pattern.removeprefix("/").split("/")
    if parts[-1] == "**":
        parts.append("*")  # what lies inside a folder, but not the folder
    patterns = tuple(None if part == "**" else re.compile(_expression(part)) for part in parts)
    return _Rule(patterns if anchored else (None, *patterns), keeps, folders_only)


def _expression(part: str) -> str:
    """``fnmatch`` knows neither ``\\x`` nor ``[^x]``."""
    literal = re.sub(r"\\(.)", lambda match: f"[{match[1]}]" if match[1] in "*?[" else match[1], part)
    return fnmatch.translate(literal.replace("[^", "[!"))


def _fits(patterns: Sequence[re.Pattern[str] | None], parts: Sequence[str]) -> bool:
    """Wildcard matching by parts: on a mismatch the last ``**`` takes one part more."""
    at, place, star, resume = 0, 0, -1, 0
    while place < len(parts):
        pattern = patterns[at] if at < len(patterns) else None
        if pattern is not None and pattern.match(parts[place]):
            at, place = at + 1, place + 1
        elif at < len(patterns) and pattern is None:
            star, resume, at = at, place, at + 1
        elif star >= 0:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return at == len(patterns)
