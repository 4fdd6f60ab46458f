"""``engine.json``: where the engine answers and what opens it. The only file with its secrets, 0600."""

import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Kept over restarts, so that exported settings stay good."""

    pid: int
    url: str
    token: str
    org: str
    mesa_api_key: str
    mesa_private_key: str
    version: str
    tier: str
    isolated: bool
    started_at: float

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def write(self, file: Path) -> None:
        """Atomically: a reader sees the old or the new, whole."""
        beside = file.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(self), stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Endpoint | None":
        """None when it is not there, or damaged: then a new one is made, as at the first start."""
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            print(f"{file} is damaged: the engine gets a new port, token and Mesa key", file=sys.stderr)
            return None


def new_token() -> str:
    """In the form of a Sprites token: org/org-id/token-id/value."""
    return f"local/engine/{secrets.token_hex(4)}/{secrets.token_urlsafe(32)}"
