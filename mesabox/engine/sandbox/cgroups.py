"""Limits for a whole sandbox by control groups, version 1 or 2, whichever has the controller; only where we may."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mesabox.engine.sandbox.values import Limits

_OURS = "mesabox"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted tree of control groups. controllers: those of a version 1 tree; None for version 2."""

    mount: Path
    controllers: frozenset[str] | None

    @property
    def ours(self) -> Path:
        return self.mount / _OURS

    def setting(self, limits: Limits) -> dict[str, tuple[str, int]]:
        """controller -> (file, value), of what is to be limited here."""
        memory = "memory.max" if self.controllers is None else "memory.limit_in_bytes"
        wanted = {"memory": (memory, limits.memory), "pids": ("pids.max", limits.pids)}
        here = self._offered()
        return {name: (file, value) for name, (file, value) in wanted.items() if value is not None and name in here}

    def _offered(self) -> frozenset[str]:
        if self.controllers is not None:
            return self.controllers
        with suppress(OSError):
            return frozenset((self.mount / "cgroup.controllers").read_text().split())
        return frozenset()


def join(limits: Limits, pids: Sequence[int]) -> set[str]:
    """Move processes into groups named after the first, with these limits; the controllers that took.

    The first move of a process for a while costs 9 ms (measured), so it is worth it for limits on memory only.
    """
    limited: set[str] = set()
    for hierarchy in _hierarchies():
        with suppress(OSError):
            limited |= _join(hierarchy, limits, pids)
    return limited


def _join(hierarchy: Hierarchy, limits: Limits, pids: Sequence[int]) -> set[str]:
    settings = hierarchy.setting(limits)
    if not settings:
        return set()
    group = hierarchy.ours / str(pids[0])
    group.mkdir(parents=True)
    if hierarchy.controllers is None:
        for folder in (hierarchy.mount, hierarchy.ours):
            (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in settings))
    for file, value in settings.values():
        (group / file).write_text(str(value))
    for pid in pids:
        (group / "cgroup.procs").write_text(str(pid))
    return set(settings)


def sweep() -> None:
    """Remove the groups of builders that are no more."""
    for hierarchy in _hierarchies():
        with suppress(OSError):
            for group in hierarchy.ours.iterdir():
                if group.name.isdecimal() and not Path("/proc", group.name).exists():
                    with suppress(OSError):
                        group.rmdir()


def _hierarchies() -> Iterator[Hierarchy]:
    """From mountinfo: ``… mount point … - type source options`` (proc(5))."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            yield Hierarchy(Path(before.split()[4]), None)
        elif kind == "cgroup":
            yield Hierarchy(Path(before.split()[4]), frozenset(options.split(",")))
