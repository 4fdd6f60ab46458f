"""The response shapes that several endpoints share; every field of the newest schema, those of older ones kept."""

from typing import Any

from mesabox.engine.mesa.changes import Change
from mesabox.engine.mesa.repos import Repo
from mesabox.engine.mesa.times import timestamp


def repo_json(repo: Repo) -> dict[str, Any]:
    return {
        "id": repo.id,
        "org": repo.org,
        "name": repo.name,
        "default_bookmark": repo.default_bookmark,
        "head_change_id": repo.head_change_id,
        "upstream": None,
        "created_at": timestamp(repo.created_at),
        "tags": dict(repo.tags),
    }


def bookmark_json(name: str, change_id: str, repo: Repo) -> dict[str, Any]:
    return {"name": name, "change_id": change_id, "is_default": name == repo.default_bookmark}


def change_json(change: Change) -> dict[str, Any]:
    """``author`` is the first author, for clients before 0.48; empty names at the epoch for the virtual root."""
    first, committer = (change.authors or (None,))[0], change.committer
    return {
        "id": change.id,
        "current_commit_oid": change.commit_oid,
        "is_conflicted": bool(change.conflicts),
        "message": change.message,
        "author": {
            "name": first.name if first else "",
            "email": (first.email or "") if first else "",
            "date": timestamp(change.authored_at),
        },
        "authors": [{"name": author.name, "email": author.email} for author in change.authors],
        "authored_at": timestamp(change.authored_at),
        "committer": {
            "name": committer.author.name if committer else "",
            "email": (committer.author.email or "") if committer else "",
            "date": timestamp(committer.date if committer else 0),
        },
        "parents": list(change.parents),
        "created_at": timestamp(change.created_at),
        "updated_at": timestamp(change.updated_at),
    }
