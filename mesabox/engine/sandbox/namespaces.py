"""The daemon's own step aside: a mount namespace, so that every mount dies with it; for an ordinary user, a user
namespace in which it is root."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from mesabox.engine.sandbox import identity, syscalls
from mesabox.engine.sandbox.values import Tier


def enter(tier: Tier) -> None:
    """Move the calling process, which must have one thread. OSError as the kernel says it."""
    if tier == "none":
        return
    if tier == "root":
        syscalls.unshare(syscalls.CLONE_NEWNS)
    elif tier == "subids":
        _enter_user_namespace(_map_subordinate_ids)
    else:
        _enter_user_namespace(_map_single_id)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)


def shifted_user_namespace() -> int:
    """The fd of a user namespace with the sandboxes' map, through which the host's /usr is seen."""
    asked, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        _wait_in_user_namespace(told)
    os.close(told)
    try:
        if os.read(asked, 1) != b".":
            raise OSError(1, "unshare: no user namespace")
        identity.SHIFTED.write(pid)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(asked)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _wait_in_user_namespace(told: int) -> None:
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(told, b".")
        os.read(os.pipe()[0], 1)  # for ever: nobody writes, and we are killed
    finally:
        os._exit(1)


def _enter_user_namespace(write_maps: Callable[[int, int, int], None]) -> None:
    """Maps that need privilege are written by a helper that stays outside."""
    uid, gid = os.getuid(), os.getgid()
    entered, tell = os.pipe()
    pid = os.getpid()
    helper = os.fork()
    if helper == 0:
        _help(entered, tell, lambda: write_maps(pid, uid, gid))
    os.close(entered)
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
        os.write(tell, b".")
    finally:
        os.close(tell)
        _, status = os.waitpid(helper, 0)
    if status != 0:
        raise OSError(1, "the user namespace could not be given a map")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _help(entered: int, tell: int, write_maps: Callable[[], None]) -> None:
    try:
        os.close(tell)
        if os.read(entered, 1) == b".":
            write_maps()
            os._exit(0)
    finally:
        os._exit(1)


def _map_single_id(pid: int, uid: int, gid: int) -> None:
    Path(f"/proc/{pid}/setgroups").write_text("deny")
    for kind, outside in (("uid_map", uid), ("gid_map", gid)):
        fd = os.open(f"/proc/{pid}/{kind}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, f"0 {outside} 1".encode())
        os.close(fd)


def _map_subordinate_ids(pid: int, uid: int, gid: int) -> None:
    for program, own, start in (
        ("newuidmap", uid, subordinate_start("subuid", uid)),
        ("newgidmap", gid, subordinate_start("subgid", uid)),
    ):
        line = ["0", own, "1", "1", start, identity.COUNT]
        subprocess.run([program, *map(str, (pid, *line))], check=True, stderr=subprocess.DEVNULL)


def subordinate_start(kind: str, uid: int) -> int:
    """First of the sub-ids that /etc/subuid (or subgid) gives this user; OSError if there are too few."""
    import pwd

    names = {str(uid), pwd.getpwuid(uid).pw_name}
    for line in Path("/etc", kind).read_text().splitlines():
        name, _, rest = line.partition(":")
        start, _, count = rest.partition(":")
        if name in names and count.isdecimal() and int(count) >= identity.COUNT:
            return int(start)
    raise OSError(2, f"no {identity.COUNT} ids for this user in /etc/{kind}")


def has_subordinate_ids() -> bool:
    """Whether the helper programs and the ids are there; not whether they work."""
    try:
        for kind in ("subuid", "subgid"):
            subordinate_start(kind, os.getuid())
    except (OSError, KeyError):
        return False
    return all(shutil.which(program) for program in ("newuidmap", "newgidmap"))
