"""What ``go`` is asked to do, as one value that the flags fill."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Keep = Literal["never", "on-failure", "always"]

DEFAULT_REPO = "agent-workspace"
DEFAULT_TIMEOUT = 3600.0
_SHORTEST_KEY = 100.0
_LONGEST_KEY = 86400.0
_KEY_MARGIN = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """command: argv, empty for a shell on a terminal. timeout: seconds, None for no limit. sprite: None for a new one.

    size: rows and columns of the terminal that is lent, None without a TTY.
    """

    command: tuple[str, ...]
    repo: str = DEFAULT_REPO
    bookmark: str | None = None
    sprite: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None
    timeout: float | None = DEFAULT_TIMEOUT
    keep: Keep = "never"
    size: tuple[int, int] | None = None
    stdin: bool = False

    @property
    def key_lifetime(self) -> float:
        """Seconds: the command's limit and five minutes; the service takes no less than 100 s; a day without limit."""
        if self.timeout is None:
            return _LONGEST_KEY
        return max(_SHORTEST_KEY, self.timeout + _KEY_MARGIN)
