"""Whose ids a sandbox has: the maps of its user namespace, and its users' names."""

import os
from dataclasses import dataclass
from pathlib import Path

from mesabox.engine.sandbox.values import Ids, Tier

SPRITE_UID = 1001
COUNT = 65536
# Above every range that useradd and systemd-nspawn hand out (/etc/subuid, systemd's UIDS-GIDS), below the sign bit.
SHIFT = 0x70000000

_NOBODY = 65534
_FIRST_PERSON = 1000


@dataclass(frozen=True, slots=True)
class Mapping:
    """How ids inside a sandbox are seen by the daemon: ``(inside, outside, count)`` lines."""

    lines: tuple[tuple[int, int, int], ...]

    @property
    def text(self) -> str:
        return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in self.lines)

    def outside(self, inside: int) -> int:
        """The daemon's number for an id inside; root's for one that has none of its own."""
        for first, base, count in self.lines:
            if first <= inside < first + count:
                return base + inside - first
        return self.outside(0)

    def write(self, pid: int) -> None:
        """Give the process ``pid`` this map, for users and groups alike; OSError as the kernel says it.

        By os.write: a file object swallows the error in its close.
        """
        for kind in ("uid_map", "gid_map"):
            fd = os.open(f"/proc/{pid}/{kind}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, self.text.encode())
            finally:
                os.close(fd)


SHIFTED = Mapping(((0, SHIFT, COUNT),))
# One line of a nested map must lie inside one extent of its parent's.
SUBORDINATE = Mapping(((0, 0, 1), (1, 1, COUNT)))
SINGLE = Mapping(((0, 0, 1),))


def mapping(tier: Tier) -> Mapping:
    return {"root": SHIFTED, "subids": SUBORDINATE}.get(tier, SINGLE)


def ids(tier: Tier) -> Ids:
    if tier == "none":
        uid, gid = os.getuid(), os.getgid()
        return Ids(uid, gid, uid, gid)
    outside = mapping(tier).outside
    return Ids(outside(0), outside(0), outside(SPRITE_UID), outside(SPRITE_UID))


def sprite_uid(tier: Tier) -> int:
    """Inside: 1001, or 0 where there is a single id, whose first name is then ``sprite``."""
    return SPRITE_UID if len(mapping(tier).lines) > 1 or mapping(tier).lines[0][2] > 1 else 0


def home(user: str) -> str:
    return "/root" if user == "root" else f"/home/{user}"


def shell() -> str:
    return "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"


def _records(name: str) -> list[list[str]]:
    lines = Path("/etc", name).read_text(errors="replace").splitlines()
    return [line.split(":") for line in lines if line and line[0] not in "#+-" and line.count(":") >= 3]


def _of_system(number: str) -> bool:
    return number.isdecimal() and (int(number) < _FIRST_PERSON or int(number) == _NOBODY)


def account_files(tier: Tier) -> dict[str, str]:
    """/etc/passwd, group, shadow and gshadow: the host's system users, which packages refer to, and ``sprite``."""
    uid = sprite_uid(tier)
    users = [user for user in _records("passwd") if _of_system(user[2]) and user[0] != "sprite"]
    groups = [group for group in _records("group") if _of_system(group[2]) and group[0] != "sprite"]
    kept = {user[0] for user in users}
    sprite = [
        "sprite",
        "x",
        str(uid),
        str(uid),
        "",
        "/home/sprite",
        "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
    ]
    users.insert(0, sprite)
    for group in groups:
        group[3] = ",".join(member for member in group[3].split(",") if member in kept)
    groups.insert(0, ["sprite", "x", str(uid), ""])
    return {
        "passwd": _joined([[name, "x", *rest] for name, _, *rest in users]),
        "group": _joined([[name, "x", *rest] for name, _, *rest in groups]),
        "shadow": _joined([[user[0], "*", "19000", "0", "99999", "7", "", "", ""] for user in users]),
        "gshadow": _joined([[group[0], "*", "", ""] for group in groups]),
    }


def _joined(records: list[list[str]]) -> str:
    return "".join(":".join(record) + "\n" for record in records)
