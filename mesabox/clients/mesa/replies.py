"""Mesa's JSON -> our value types. KeyError, TypeError or ValueError for what is not as documented (wire/mesa §2)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mesabox.clients.base import Bookmark, Change, Diff, DiffEntry, Identity, Key, Repo, Secret, TreeEntry

Json = Mapping[str, Any]


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def maybe_time(text: str | None) -> datetime | None:
    return time_of(text) if text else None


def identity(body: Json) -> Identity:
    org = body["org"]
    return Identity(org["slug"], org["id"], tuple(body["scopes"]), body.get("key_id"), body.get("key_name"))


def repo(body: Json) -> Repo:
    return Repo(
        id=body["id"],
        org=body["org"],
        name=body["name"],
        default_bookmark=body["default_bookmark"],
        head_change_id=body["head_change_id"],
        created_at=time_of(body["created_at"]),
        tags=body.get("tags") or {},
    )


def key(body: Json) -> Key:
    """Of a list, or of a creation (which has the secret and no expiry)."""
    repo_ids = body.get("repo_ids")
    return Key(
        id=body["id"],
        name=body.get("name"),
        scopes=tuple(body["scopes"]),
        repo_ids=None if repo_ids is None else tuple(repo_ids),
        created_at=time_of(body["created_at"]),
        expires_at=maybe_time(body.get("expires_at")),
        revoked_at=maybe_time(body.get("revoked_at")),
        last_used_at=maybe_time(body.get("last_used_at")),
        tags=body.get("tags") or {},
        secret=Secret(body["key"]) if "key" in body else None,
    )


def bookmark(body: Json) -> Bookmark:
    return Bookmark(body["name"], body["change_id"], bool(body.get("is_default")))


def change(body: Json) -> Change:
    """The author as one text; of the list that newer services send, the first."""
    author = next(iter(body.get("authors") or ()), body.get("author") or {})
    return Change(
        id=body["id"],
        commit_oid=body["current_commit_oid"],
        message=body["message"],
        author=author.get("name") or "",
        parents=tuple(body.get("parents") or ()),
        is_conflicted=bool(body.get("is_conflicted")),
        created_at=time_of(body["created_at"]),
        updated_at=time_of(body["updated_at"]),
        files=tuple(body.get("files") or ()),
        conflicts=tuple(body.get("conflicts") or ()),
    )


def diff(body: Json) -> Diff:
    stats = body["stats"]
    return Diff(
        base_change_id=body["base_change_id"],
        head_change_id=body["head_change_id"],
        entries=tuple(map(diff_entry, body["entries"])),
        additions=int(stats["additions"]),
        deletions=int(stats["deletions"]),
        truncated=bool(body.get("truncated")),
    )


def diff_entry(body: Json) -> DiffEntry:
    kinds = None if body.get("hunks") is None else [line["kind"] for hunk in body["hunks"] for line in hunk["lines"]]
    return DiffEntry(
        path=body["path"],
        status=body["status"],
        old_path=body.get("old_path"),
        additions=None if kinds is None else kinds.count("added"),
        deletions=None if kinds is None else kinds.count("deleted"),
        omitted_reason=body.get("omitted_reason"),
        size=body.get("size_bytes"),
    )


def tree_entry(body: Json) -> TreeEntry:
    size = body.get("size")
    return TreeEntry(body["path"], body["type"], body["sha"], None if size is None else int(size), body.get("mode"))
