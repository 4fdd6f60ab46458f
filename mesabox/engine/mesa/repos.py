"""The repos of an organization: records in the database, and where each one's git objects are."""

import json
import secrets
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.objects import Objects
from mesabox.engine.mesa.problems import conflict, not_found
from mesabox.wire.mesa import VIRTUAL_ROOT_CHANGE_ID

_DELETED = ".deleted"


@dataclass(frozen=True, slots=True)
class Repo:
    """A repo on record; seq orders by age."""

    seq: int
    id: str
    org: str
    name: str
    default_bookmark: str
    tags: Mapping[str, str]
    created_at: float
    head_change_id: str


_SELECT = """SELECT repo.seq, repo.id, org, repo.name, default_bookmark, tags, created_at, change_id AS head_change_id
    FROM repo JOIN bookmark ON repo_id = repo.id AND bookmark.name = default_bookmark"""


class Repos:
    """Every repo has a default bookmark from its first moment; on an empty one it points at the virtual root."""

    def __init__(self, database: Database, folder: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self._folder = folder
        self._clock = clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, org: str, name: str | None, default_bookmark: str, tags: Mapping[str, str]) -> Repo:
        """Problem 409 when the name is taken (in whatever case). A name is made up when none is given."""
        repo_id, name = f"repo_{uuid.uuid4().hex}", name or f"repo-{secrets.token_hex(4)}"
        Objects.create(self._place(repo_id))
        try:
            with self._database.transaction():
                self._database.execute(
                    "INSERT INTO repo (id, org, name, default_bookmark, tags, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                    *(repo_id, org, name, default_bookmark, json.dumps(dict(tags)), self._clock()),
                )
                bookmark = "INSERT INTO bookmark (repo_id, name, change_id) VALUES (?, ?, ?)"
                self._database.execute(bookmark, repo_id, default_bookmark, VIRTUAL_ROOT_CHANGE_ID)
        except sqlite3.IntegrityError:
            shutil.rmtree(self._place(repo_id))
            raise conflict(f"A repository named '{name}' already exists") from None
        return self.get(org, name)

    def get(self, org: str, name: str) -> Repo:
        row = self._database.row(f"{_SELECT} WHERE org = ? AND repo.name = ?", org, name)
        if row is None:
            raise not_found(f"repository '{name}'")
        return _repo(row)

    def by_id(self, repo_id: str) -> Repo:
        row = self._database.row(f"{_SELECT} WHERE repo.id = ?", repo_id)
        if row is None:
            raise not_found(f"repository '{repo_id}'")
        return _repo(row)

    def all(self, org: str) -> list[Repo]:
        """Oldest first."""
        return [_repo(row) for row in self._database.rows(f"{_SELECT} WHERE org = ? ORDER BY repo.seq", org)]

    def has_bookmark(self, repo: Repo, name: str) -> bool:
        sql = "SELECT 1 FROM bookmark WHERE repo_id = ? AND name = ?"
        return self._database.row(sql, repo.id, name) is not None

    def update(
        self,
        repo: Repo,
        *,
        name: str | None = None,
        default_bookmark: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Repo:
        """What is None stays; Problem 409 when the new name is taken."""
        try:
            self._database.execute(
                "UPDATE repo SET name = ?, default_bookmark = ?, tags = ? WHERE id = ?",
                *(name or repo.name, default_bookmark or repo.default_bookmark),
                *(json.dumps(dict(repo.tags if tags is None else tags)), repo.id),
            )
        except sqlite3.IntegrityError:
            raise conflict(f"A repository named '{name}' already exists") from None
        return self.by_id(repo.id)

    def delete(self, repo: Repo) -> None:
        """History included. The folder is set aside first, so that after a crash it is known what was to be deleted."""
        aside = self._place(repo.id).with_suffix(_DELETED)
        self._place(repo.id).rename(aside)
        self._database.execute("DELETE FROM repo WHERE id = ?", repo.id)
        shutil.rmtree(aside, ignore_errors=True)

    def objects(self, repo_id: str) -> Objects:
        return Objects(self._place(repo_id))

    def sweep(self) -> None:
        """Finish the deletions that a crash cut short; undo those whose record is still there."""
        for aside in self._folder.glob(f"*{_DELETED}"):
            if self._database.row("SELECT 1 FROM repo WHERE id = ?", aside.stem):
                aside.rename(self._place(aside.stem))
            else:
                shutil.rmtree(aside, ignore_errors=True)

    def _place(self, repo_id: str) -> Path:
        return self._folder / f"{repo_id}.git"


def _repo(row: sqlite3.Row) -> Repo:
    return Repo(**{**dict(row), "tags": json.loads(row["tags"])})
