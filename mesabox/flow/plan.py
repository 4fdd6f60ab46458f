"""What ``go`` is asked to do, as one value that the flags fill."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mesabox.errors import UsageProblem
from mesabox.flow.running.command import Command
from mesabox.flow.seed.source import Source
from mesabox.wire.durations import parse_duration
from mesabox.wire.mesa import check_repo_name

Keep = Literal["never", "on-failure", "always"]

DEFAULT_REPO = "agent-workspace"
_SHORTEST_KEY = 100.0
_LONGEST_KEY = 86400.0
_KEY_MARGIN = 300.0
_LONGEST_LIMIT = 365 * 86400.0 - 2 * _KEY_MARGIN
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Plan:
    """sprite: None for a new one, named after the run, that is destroyed at the end. source: what seeds the repo.

    apply: whether the changes go back there. secrets: as ``--secret`` was given, without any value.
    """

    command: Command
    repo: str = DEFAULT_REPO
    bookmark: str | None = None
    sprite: str | None = None
    keep: Keep = "never"
    source: Source | None = None
    apply: bool = False
    secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            check_repo_name(self.repo)
        except ValueError as refusal:
            raise UsageProblem(f"'{self.repo}' is no name of a repo", why=str(refusal), fix="--repo NAME") from None

    def facts(self) -> dict[str, Any]:
        """For the run's record: what it takes to do it again."""
        command = self.command
        return {
            "command": list(command.argv),
            "repo": self.repo,
            "bookmark": self.bookmark,
            "named_sprite": self.sprite,
            "keep": self.keep,
            "source": None if self.source is None else str(self.source.folder),
            "apply": self.apply,
            "env": dict(command.env),
            "workdir": command.workdir,
            "timeout": command.timeout,
            "secrets": list(self.secrets),
        }

    @property
    def key_lifetime(self) -> float:
        """Seconds: the command's limit and five minutes; the service takes no less than 100 s; a day without limit."""
        if self.command.timeout is None:
            return _LONGEST_KEY
        return max(_SHORTEST_KEY, self.command.timeout + _KEY_MARGIN)


def limit_of(text: str) -> float | None:
    """Seconds of ``30m``, ``1h30m``, ``90``; None for ``none``. UsageProblem for anything else."""
    if text == "none":
        return None
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise UsageProblem(f"'{text}' is not a time limit", fix="--timeout 30m, --timeout 1h30m, or --timeout none")
    if seconds > _LONGEST_LIMIT:
        raise UsageProblem(f"'{text}' is too long", why="a key lives a year at most", fix="--timeout none")
    return seconds


def environment_of(given: Sequence[str], local: Mapping[str, str]) -> dict[str, str]:
    """``K=V`` as it is, ``NAME`` with its local value. UsageProblem for a bad name or one that is not set here."""
    pairs = [_assignment(text, local) for text in given]
    return dict(pairs)


def _assignment(text: str, local: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not _NAME.fullmatch(name):
        raise UsageProblem(f"'{name}' is not the name of an environment variable", fix="-e NAME=value")
    if not equals and name not in local:
        raise UsageProblem(f"-e {name}: it is not set here", fix=f"-e {name}=value")
    return name, value if equals else local[name]
