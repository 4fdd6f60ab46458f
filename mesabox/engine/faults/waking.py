"""Faults of a sprite that wakes: slowly, and with FUSE left to root."""

import asyncio
from typing import Any, Protocol

from mesabox.engine.faults.faults import Faults

_FUSE = (("/etc/fuse.conf", 0o644), ("/dev/fuse", 0o600))


class Files(Protocol):
    """What is needed of a sandbox."""

    async def file_op(self, op: str, *, user: str, **arguments: Any) -> Any: ...


async def wake_slowly(faults: Faults, sprite: str) -> None:
    if faults and (seconds := faults.fire("slow-wake", f"WAKE {sprite}")) is not None:
        await asyncio.sleep(seconds)


async def leave_fuse_to_root(faults: Faults, sprite: str, sandbox: Files) -> None:
    """As on the real service, where ``sudo`` is needed to make it usable (§4.2)."""
    if faults and faults.fire("fuse-needs-sudo", f"WAKE {sprite}") is not None:
        for path, mode in _FUSE:
            await sandbox.file_op("chown", user="root", path=path, uid=0, gid=0, recursive=False)
            await sandbox.file_op("chmod", user="root", path=path, mode=mode, recursive=False)
