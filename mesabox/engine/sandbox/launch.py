"""The daemon's handle on its sandboxes. Light to import: the zygote is forked with no more than this in memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mesabox.engine.sandbox import (
    builder,
    identity,
    interpreter,
    namespaces,
    plain,
    privileges,
    trial,
    zygote,
)
from mesabox.engine.sandbox.base import Base, ensure
from mesabox.engine.sandbox.blueprint import Ground
from mesabox.engine.sandbox.channel import Channel
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
        self._base: Base | None = None
        self._turn = threading.Lock()

    @classmethod
    def launch(cls, isolation: str, cache: Path, tools: Mapping[str, Path]) -> SandboxHost:
        """Enter the daemon's own namespaces and fork the zygote: before any thread is started and any key is read.

        isolation: ``auto`` takes the best tier that works, ``none`` asks for plain processes. tools: name -> Python
        script, seen inside as /.sprite/bin/name. CannotIsolate says what mends it.
        """
        tier: Tier = "none" if isolation == "none" else trial.best_tier(cache)
        namespaces.enter(tier)
        userns = namespaces.shifted_user_namespace() if tier == "root" else None
        interpreter.parts()
        privileges.prepare_filter(fake_root=identity.sprite_uid(tier) == 0)
        kept = [userns] if userns is not None else []
        channel = zygote.fork_zygote(lambda orders: _build(orders, tier, userns), kept)
        if userns is not None:
            os.close(userns)
        return cls(tier, cache, tools, channel)

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Build it: about 10 ms. OSError when the kernel refuses a step."""
        from mesabox.engine.sandbox.sandbox import create

        return await create(spec, self)

    def base(self) -> Base:
        """What lies under every sandbox, as the host was when the first one was made."""
        with self._turn:
            if self._base is None:
                self._base = ensure(self._cache, self.tier, self._tools)
            return self._base

    def request_builder(self, spec: SandboxSpec, base: Base) -> Channel:
        """A channel to a new process that builds ``spec``."""
        ours, theirs = Channel.pair()
        with self._turn:
            self._channel.send({"spec": spec.as_message(), "base": str(base.folder)}, [theirs.sock.fileno()])
        theirs.close()
        return ours

    async def close(self) -> None:
        """The zygote ends, and takes what sandboxes there are along."""
        self._channel.close()


def _build(orders: Channel, tier: Tier, userns: int | None) -> NoReturn:
    if tier == "none":
        plain.build(orders)
    builder.build(orders, Ground(tier, identity.ids(tier), userns))
