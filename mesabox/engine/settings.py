"""What the engine is told at its start: one JSON object on stdin, so that nothing of it shows in an argv."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """state: what must last; cache: what can be rebuilt; runtime: sockets (short path). isolation: auto | none.

    idle: seconds without a request or a running command after which the engine ends by itself; 0 is never.
    """

    state: Path
    cache: Path
    runtime: Path
    isolation: str = "auto"
    org: str = "my-org"
    debug: bool = False
    idle: float = 900.0

    @classmethod
    def read(cls, stream: IO[str]) -> "EngineSettings":
        """ValueError or TypeError when it is not such an object."""
        values = json.load(stream)
        for name in ("state", "cache", "runtime"):
            values[name] = Path(values[name])
        return cls(**values)

    def make_folders(self) -> None:
        """OSError when one cannot be made."""
        for folder in (self.state, self.cache, self.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
