"""The daemon's handle on its sandboxes. Light to import: the zygote is forked with no more than this in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mesabox.engine.sandbox import builder, identity, namespaces, plain, trial, zygote
from mesabox.engine.sandbox.blueprint import Ground
from mesabox.engine.sandbox.channel import Channel, Message
from mesabox.engine.sandbox.skeleton import Base
from mesabox.engine.sandbox.values import CannotIsolate, SandboxSpec, Tier

if TYPE_CHECKING:
    from mesabox.engine.sandbox.sandbox import Sandbox

__all__ = ["CannotIsolate", "SandboxHost"]


class SandboxHost:
    """Makes sandboxes. ``tier`` says how well they isolate; ``ids`` who root and ``sprite`` are for the daemon."""

    def __init__(self, tier: Tier, cache: Path, tools: Mapping[str, Path], channel: Channel) -> None:
        self.tier = tier
        self.isolated = tier != "none"
        self.userxattr = tier != "root"
        self.ids = identity.ids(tier)
        self._cache, self._tools, self._channel = cache, tools, channel

    @classmethod
    def launch(cls, isolation: str, cache: Path, tools: Mapping[str, Path]) -> SandboxHost:
        """Enter the daemon's own namespaces and fork the zygote: before any thread is started and any key is read.

        isolation: ``auto`` takes the best tier that works, ``none`` asks for plain processes. tools: name -> Python
        script, seen inside as /.sprite/bin/name. CannotIsolate says what mends it.
        """
        tier: Tier = "none" if isolation == "none" else trial.best_tier(cache)
        namespaces.enter(tier)
        userns = namespaces.shifted_user_namespace() if tier == "root" else None
        kept = [userns] if userns is not None else []
        channel = zygote.fork_zygote(lambda sandbox, message: _build(sandbox, message, tier, userns), kept)
        if userns is not None:
            os.close(userns)
        return cls(tier, cache, tools, channel)

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Build it: about 10 ms. OSError when the kernel refuses a step."""
        from mesabox.engine.sandbox.sandbox import create

        return await create(spec, self)

    @property
    def cache(self) -> Path:
        return self._cache

    @property
    def tools(self) -> Mapping[str, Path]:
        return self._tools

    @property
    def zygote(self) -> Channel:
        return self._channel

    async def close(self) -> None:
        """The zygote ends, and takes what sandboxes there are along."""
        self._channel.close()


def _build(channel: Channel, message: Message, tier: Tier, userns: int | None) -> NoReturn:
    spec = SandboxSpec.from_message(message["spec"])
    if tier == "none":
        plain.run(channel, spec)
    ground = Ground(Base(Path(message["base"])), tier, identity.ids(tier), userns)
    builder.build(channel, spec, ground)
