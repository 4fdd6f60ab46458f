"""A key as commands show it: never with its secret, but once when it was just made."""

from datetime import UTC, datetime
from typing import Any, Literal

from mesabox.clients.base import Key

State = Literal["live", "expired", "revoked"]


def state_of(key: Key) -> State:
    if key.revoked_at is not None:
        return "revoked"
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    return "expired" if expired else "live"


def key_data(key: Key) -> dict[str, Any]:
    return {
        "id": key.id or None,
        "name": key.name,
        "state": state_of(key),
        "scopes": key.scopes,
        "repo_ids": key.repo_ids,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "tags": key.tags,
        "revocable": key.revocable,
    }
