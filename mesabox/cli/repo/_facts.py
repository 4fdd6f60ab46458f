"""A repo and its changes as commands show them."""

from dataclasses import asdict
from typing import Any

from mesabox.clients.base import Change, Repo
from mesabox.ui.result import Fields

CHANGE_COLUMNS = ("change", "commit", "when", "author", "message")


def repo_data(repo: Repo) -> dict[str, Any]:
    return asdict(repo)


def repo_fields(repo: Repo) -> Fields:
    return Fields(
        [
            ("name", repo.name),
            ("org", repo.org),
            ("id", repo.id),
            ("bookmark", repo.default_bookmark),
            ("head", repo.head_change_id),
            ("created", repo.created_at),
            ("tags", [f"{name}={value}" for name, value in repo.tags.items()]),
        ]
    )


def change_row(change: Change) -> tuple[object, ...]:
    message = change.message.partition("\n")[0] or "(no message)"
    return change.id, change.commit_oid[:12], change.updated_at, change.author, message
