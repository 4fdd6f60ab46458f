"""What travels between the daemon and the sandboxes' side: plain values, and the two ways it can fail."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Tier = Literal["root", "subids", "single", "noproc", "none"]
"""How much this machine can: root with shifted ids; an ordinary user with sub-ids; with the single id it has; the same
where a fresh /proc is refused; no isolation at all."""


@dataclass(frozen=True, slots=True)
class Ids:
    """root and ``sprite`` of every sandbox, in the daemon's own id space."""

    root_uid: int
    root_gid: int
    sprite_uid: int
    sprite_gid: int


@dataclass(frozen=True, slots=True)
class Limits:
    """pids: processes for each of the two users; memory: bytes for the whole sandbox. None is no limit."""

    pids: int | None = 4096
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """name: also the hostname. layers: frozen layer folders, top first; the base lies under them.

    upper: the writable layer folder, made if absent. door: a host folder seen inside as /.sprite/run.
    """

    name: str
    layers: tuple[Path, ...]
    upper: Path
    door: Path
    limits: Limits = field(default_factory=Limits)

    def as_message(self) -> dict[str, Any]:
        paths = {"layers": [str(layer) for layer in self.layers], "upper": str(self.upper), "door": str(self.door)}
        return {"name": self.name, "limits": asdict(self.limits), **paths}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "SandboxSpec":
        layers = tuple(Path(layer) for layer in message["layers"])
        limits = Limits(**message["limits"])
        return cls(message["name"], layers, Path(message["upper"]), Path(message["door"]), limits)


class CannotIsolate(Exception):
    """This machine cannot isolate: what, the kernel's why, and the one line that mends it."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.fix = what, why, fix


class CannotStart(Exception):
    """A command that could not be started: 127 not found, 126 found but not to be executed."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code, self.message = exit_code, message
