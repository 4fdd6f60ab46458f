"""Sprites' JSON -> our value types. KeyError, TypeError or ValueError for what is not as documented (§2 there)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mesabox.clients.base import Checkpoint, FileEntry, Session, Sprite

Json = Mapping[str, Any]

_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
_UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)


def time_of(text: str | None) -> datetime | None:
    """Go writes nanoseconds, which Python does not read."""
    return datetime.fromisoformat(_BEYOND_MICROSECONDS.sub(r"\1", text)) if text else None


def sprite(body: Json) -> Sprite:
    """A list's minimal entries have a name and little else (wire/sprites §2.3)."""
    return Sprite(
        name=body["name"],
        id=body.get("id") or "",
        status=body.get("status") or "",
        url=body.get("url") or "",
        organization=body.get("organization") or body.get("org_slug") or "",
        created_at=time_of(body.get("created_at")) or _UNKNOWN_TIME,
        labels=tuple(body.get("labels") or ()),
    )


def session(body: Json) -> Session:
    return Session(
        id=str(body["id"]),  # a number in older answers
        command=body.get("command") or "",
        workdir=body.get("workdir") or "",
        tty=bool(body.get("tty")),
        is_active=bool(body.get("is_active")),
        created=time_of(body.get("created")),
        last_activity=time_of(body.get("last_activity")),
    )


def checkpoint(body: Json) -> Checkpoint:
    return Checkpoint(
        body["id"], time_of(body.get("create_time")), body.get("comment") or "", bool(body.get("is_auto"))
    )


def file_entry(body: Json) -> FileEntry:
    return FileEntry(
        name=body["name"],
        path=body["path"],
        type=body["type"],
        size=int(body["size"]),
        mode=body["mode"],
        modified=time_of(body.get("modTime")),
    )
