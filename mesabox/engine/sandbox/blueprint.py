"""What every sandbox is made of: a spec and a base in, lists of steps out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesabox.engine.sandbox import interpreter
from mesabox.engine.sandbox.base import Base
from mesabox.engine.sandbox.plan import (
    SILENT,
    Bind,
    Device,
    FileSystem,
    Folder,
    FuseNode,
    Mask,
    Overlay,
    ReadOnly,
    Step,
    Symlink,
    tmpfs,
)
from mesabox.engine.sandbox.syscalls import MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY
from mesabox.engine.sandbox.values import Ids, SandboxSpec, Tier

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEV_LINKS = (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
              ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"))  # fmt: skip
# The host's affairs: its memory, keys, timers, firmware.
_PROC_MASKED = ("acpi", "asound", "config.gz", "interrupts", "kallsyms", "kcore", "key-users", "keys", "kmsg",
                "latency_stats", "mdstat", "sched_debug", "scsi", "timer_list", "timer_stats",
                "vmallocinfo")  # fmt: skip
_PROC_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_SYS_MASKED = ("/sys/firmware", "/sys/fs/bpf", "/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing",
               "/sys/devices/virtual/powercap", "/sys/devices/virtual/dmi")  # fmt: skip
# Where the kernel refuses a fresh /proc, the outer one would show the host's processes and their environment; these
# files say nothing about any process.
_PROC_HARMLESS = ("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version")


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for every sandbox of one engine. userns: of the shift, for the host's /usr; None rootless."""

    tier: Tier
    ids: Ids
    userns: int | None = None


def common(ground: Ground) -> tuple[Step, ...]:
    """What can be prepared before it is known for which sprite."""
    proc = _no_proc(ground.ids) if ground.tier == "noproc" else ()
    return (*_dev(ground.ids), *_scratch(ground.ids), *_sys(), *proc)


def inner(ground: Ground) -> tuple[Step, ...]:
    """What process 1 does: only from inside its PID namespace is a fresh /proc its own."""
    return _proc() if ground.tier != "noproc" else ()


def root(spec: SandboxSpec, base: Base, ground: Ground) -> Overlay:
    return _overlay("/", "root", spec, base, ground)


def own(spec: SandboxSpec, base: Base, ground: Ground) -> tuple[Step, ...]:
    """What is this sprite's."""
    parts = [Bind(f"/.sprite/{part.place}", part.source) for part in interpreter.parts()]
    masks = [Mask(path) for path in interpreter.packages()]
    door = Bind("/.sprite/run", spec.door)
    return (_overlay("/usr", "usr", spec, base, ground), Bind("/.sprite", base.sprite), door, *parts, *masks)


def describe(spec: SandboxSpec, base: Base, ground: Ground) -> str:
    """The whole plan, a line for each step."""
    steps = (root(spec, base, ground), *common(ground), *own(spec, base, ground), *inner(ground))
    return "\n".join(step.describe() for step in steps)


def _overlay(target: str, part: str, spec: SandboxSpec, base: Base, ground: Ground) -> Overlay:
    return Overlay(
        target,
        lowers=(*(layer / part for layer in spec.layers), base.folder / part),
        upper=spec.upper / part,
        work=spec.upper / "work" / part,
        userxattr=ground.tier != "root",
        host_lower=Path("/usr") if part == "usr" else None,
        userns=ground.userns,
    )


def _dev(ids: Ids) -> Sequence[Step]:
    return [
        tmpfs("/dev", "755", ids, size="4m"),
        *(Device(f"/dev/{name}") for name in _DEVICES),
        FileSystem("/dev/pts", "devpts", (("ptmxmode", "666"), ("mode", "620")), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
        tmpfs("/dev/shm", "1777", ids),
        FileSystem("/dev/mqueue", "mqueue", optional=True),
        *(Symlink(f"/dev/{name}", points_to) for name, points_to in _DEV_LINKS),
        FuseNode("/dev/fuse", ids.sprite_uid, ids.sprite_gid),
    ]


def _scratch(ids: Ids) -> Sequence[Step]:
    return [tmpfs("/run", "755", ids, size="64m"), Folder("/run/lock", 0o1777), Folder("/run/user", 0o755)]


def _sys() -> Sequence[Step]:
    read_only = FileSystem("/sys", "sysfs", attributes=SILENT | MOUNT_ATTR_RDONLY, optional=True)
    return [read_only, *(Mask(path) for path in _SYS_MASKED)]


def _proc() -> tuple[Step, ...]:
    masks = [Mask(f"/proc/{name}") for name in _PROC_MASKED]
    return (FileSystem("/proc", "proc"), *masks, *(ReadOnly(f"/proc/{name}") for name in _PROC_READ_ONLY))


def _no_proc(ids: Ids) -> Sequence[Step]:
    files = [Bind(f"/proc/{name}", Path("/proc", name), optional=True) for name in _PROC_HARMLESS]
    return [tmpfs("/proc", "555", ids, size="64k"), *files, ReadOnly("/proc")]
