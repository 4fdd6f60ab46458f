"""What this machine can, found out by doing: each attempt in a child that is thrown away."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mesabox.engine.sandbox import identity, interpreter, namespaces, syscalls
from mesabox.engine.sandbox.overlay import overlay
from mesabox.engine.sandbox.values import CannotIsolate, Tier

_NAMESPACES = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWNET


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. fix: the line that mends it, where there is one."""

    name: str
    ok: bool
    detail: str = ""
    fix: str = ""


def best_tier(cache: Path) -> Tier:
    """CannotIsolate when none works, with the reason and the remedy of the most promising one."""
    if sys.platform != "linux":
        raise CannotIsolate("sandboxes need Linux", f"this is {sys.platform}", "use --engine cloud")
    tried = [(tier, attempt(tier, cache)) for tier in candidates()]
    for tier, checks in tried:
        if all(check.ok for check in checks):
            return tier
    for _, checks in tried:
        if [check.name for check in checks if not check.ok] == ["proc"]:
            return "noproc"
    bad = next(check for check in tried[-1][1] if not check.ok)
    raise CannotIsolate(f"this machine cannot isolate: {bad.name} does not work", bad.detail, bad.fix)


def candidates() -> list[Tier]:
    """Tiers worth trying, best first."""
    if os.geteuid() == 0:
        return ["root", "single"] if _has_shift() else ["single"]
    return ["subids", "single"] if namespaces.has_subordinate_ids() else ["single"]


def everything(cache: Path) -> list[Check]:
    """Each candidate's checks, and what is good to have besides."""
    if sys.platform != "linux":
        return [Check("linux", False, f"this is {sys.platform}", "use --engine cloud")]
    tried = [replace(check, name=f"{tier}: {check.name}") for tier in candidates() for check in attempt(tier, cache)]
    return [*tried, _check("interpreter", _try_interpreter), _check("census", _try_census)]


def attempt(tier: Tier, cache: Path) -> list[Check]:
    """The steps of building a sandbox at this tier, up to the first on which the others depend."""
    return _in_child(lambda: _steps(tier, cache))


def _steps(tier: Tier, cache: Path) -> list[Check]:
    entered = _check("user namespace" if tier != "root" else "mount namespace", lambda: namespaces.enter(tier))
    if not entered.ok:
        return [entered]
    checks = [entered, _check("overlay", lambda: _try_overlay(cache, userxattr=tier != "root"))]
    if tier == "root":
        checks.append(_check("shifted ids", lambda: os.close(namespaces.shifted_user_namespace())))
    spaces = _check("namespaces", lambda: syscalls.unshare(_NAMESPACES))
    checks.append(spaces)
    if spaces.ok:
        checks += _in_child(lambda: [_check("proc", _try_proc)])
    return checks


def _check(name: str, act: Callable[[], None]) -> Check:
    try:
        act()
    except OSError as error:
        return Check(name, False, error.strerror or str(error), _fix(name))
    return Check(name, True)


def _fix(name: str) -> str:
    if name in ("user namespace", "namespaces"):
        return _namespace_fix()
    if name == "overlay":
        return "set MESABOX_HOME to a folder on another file system (ext4, xfs, btrfs or tmpfs)"
    return "run where namespaces are allowed, or pass --isolation none on a machine that is thrown away anyway"


def _namespace_fix() -> str:
    for setting, allowed in (
        ("kernel.apparmor_restrict_unprivileged_userns", "0"),
        ("kernel.unprivileged_userns_clone", "1"),
        ("user.max_user_namespaces", "10000"),
    ):
        value = _sysctl(setting)
        if value is not None and value != allowed and (allowed in "01" or value == "0"):
            return f"sudo sysctl -w {setting}={allowed}"
    return "in a container: start it with --privileged, or pass --isolation none if it is thrown away anyway"


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name.replace(".", "/")).read_text().strip()
    except OSError:
        return None


def _try_overlay(cache: Path, *, userxattr: bool) -> None:
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".trial-", dir=cache) as name:
        lower, upper, work = (Path(name, part) for part in ("lower", "upper", "work"))
        for folder in (lower, upper, work):
            folder.mkdir()
        os.close(overlay([lower], upper, work, userxattr=userxattr))


def _try_proc() -> None:
    fs = syscalls.fsopen("proc")
    syscalls.fsconfig_create(fs)
    syscalls.fsmount(fs)


def _in_child(act: Callable[[], Sequence[Check]]) -> list[Check]:
    """Run it in a forked child; what it says, or one failed check when it dies without a word."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(tell, json.dumps([asdict(check) for check in act()]).encode())
        finally:
            os._exit(0)
    os.close(tell)
    with open(told, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return [Check(**fields) for fields in json.loads(text)] if text else [Check("trial", False, "it was killed")]


def describe(tier: Tier) -> str:
    return {
        "root": "root, with shifted ids",
        "subids": "ordinary user, with subordinate ids",
        "single": "ordinary user, with one id",
        "noproc": "ordinary user, with one id and without a /proc of its own",
        "none": "no isolation",
    }[tier]


def _has_shift() -> bool:
    """Whether the ids of the sandboxes exist here at all: not in a container with a small map."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    ranges = [tuple(map(int, line.split())) for line in lines]
    top = identity.SHIFT + identity.COUNT
    return any(first <= identity.SHIFT and top <= first + count for first, _, count in ranges)


def _try_interpreter() -> None:
    for part in interpreter.parts():
        if not part.source.exists():
            raise OSError(2, f"{part.source} is not there to be seen inside")


def _try_census() -> None:
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        raise OSError(2, "this kernel does not tell a process' children (CONFIG_PROC_CHILDREN)")
