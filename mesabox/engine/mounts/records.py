"""``mount.json``: what a mount's folder is of, written before the folder is used, so that a crash leaves it known."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_NAME = "mount.json"


@dataclass(slots=True)
class MountRecord:
    """change_id: the mounted change; the virtual root while an empty repo is unwritten, and then ``seed`` is the id its
    first change will have and ``bookmark`` what will point at it. base: the tree under the overlay. committed: the tree
    of the change as this mount last left or found it. kept: whether edits are committed at all.
    """

    repo_id: str
    change_id: str
    base: str
    committed: str
    bookmark: str
    seed: str
    isolated: bool
    kept: bool = True

    def write(self, folder: Path) -> None:
        """Atomically."""
        beside = folder / f".{_NAME}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(self), stream)
        beside.rename(folder / _NAME)

    @classmethod
    def read(cls, folder: Path) -> "MountRecord | None":
        """None: the folder was never used."""
        try:
            return cls(**json.loads((folder / _NAME).read_text()))
        except FileNotFoundError:
            return None
