"""Bookmarks on record: names that point at changes, and so follow them wherever they evolve to."""

import fnmatch
import re
import sqlite3

from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.problems import conflict, not_found


class Bookmarks:
    """The bookmark table of one repo."""

    def __init__(self, database: Database, repo_id: str) -> None:
        self._database = database
        self._repo_id = repo_id

    def get(self, name: str) -> str:
        """The id of the change it points at. Problem 404."""
        sql = "SELECT change_id FROM bookmark WHERE repo_id = ? AND name = ?"
        row = self._database.row(sql, self._repo_id, name)
        if row is None:
            raise not_found(f"bookmark '{name}'")
        return str(row["change_id"])

    def all(self, glob: str = "*") -> list[tuple[str, str]]:
        """(name, change id) by name; in ``glob`` only ``*`` and ``?`` are special, and they match slashes too."""
        sql = "SELECT name, change_id FROM bookmark WHERE repo_id = ? ORDER BY name"
        matches = re.compile(fnmatch.translate(glob.replace("[", "[[]"))).match
        rows = self._database.rows(sql, self._repo_id)
        return [(row["name"], row["change_id"]) for row in rows if matches(row["name"])]

    def create(self, name: str, change_id: str) -> None:
        """Problem 409 when the name is taken, or is a folder of another's name (they are git refs)."""
        for other, _ in self.all():
            if other.startswith(f"{name}/") or name.startswith(f"{other}/"):
                raise conflict(f"Bookmark '{name}' cannot be beside '{other}'")
        try:
            sql = "INSERT INTO bookmark (repo_id, name, change_id) VALUES (?, ?, ?)"
            self._database.execute(sql, self._repo_id, name, change_id)
        except sqlite3.IntegrityError:
            raise conflict(f"A bookmark named '{name}' already exists") from None

    def move(self, name: str, change_id: str) -> None:
        sql = "UPDATE bookmark SET change_id = ? WHERE repo_id = ? AND name = ?"
        self._database.execute(sql, change_id, self._repo_id, name)

    def delete(self, name: str) -> None:
        self._database.execute("DELETE FROM bookmark WHERE repo_id = ? AND name = ?", self._repo_id, name)

    def names_of(self, change_id: str) -> list[str]:
        return [name for name, at in self.all() if at == change_id]
