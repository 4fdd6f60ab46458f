"""What the engine remembers of sprites and their checkpoints: one SQLite file, durable before an answer."""

import json
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sprites (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, updated REAL NOT NULL, running REAL,
  labels TEXT NOT NULL, url_auth TEXT NOT NULL, environment TEXT NOT NULL, upper INTEGER NOT NULL, stack TEXT NOT NULL,
  next_layer INTEGER NOT NULL, next_checkpoint INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoints (
  sprite TEXT NOT NULL REFERENCES sprites(id) ON DELETE CASCADE, number INTEGER NOT NULL, created REAL NOT NULL,
  comment TEXT NOT NULL, stack TEXT NOT NULL, PRIMARY KEY (sprite, number));
CREATE TABLE IF NOT EXISTS policies (
  sprite TEXT NOT NULL REFERENCES sprites(id) ON DELETE CASCADE, kind TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (sprite, kind));
"""


@dataclass(slots=True)
class SpriteRecord:
    """upper and stack are numbers of layer folders, stack with the top one first; times are Unix seconds."""

    id: str
    name: str
    created: float
    updated: float
    running: float | None
    labels: list[str]
    url_auth: str
    environment: dict[str, str]
    upper: int
    stack: list[int]
    next_layer: int
    next_checkpoint: int


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    number: int
    created: float
    comment: str
    stack: list[int] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"v{self.number}"


def rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class SpriteStore:
    """Every write is committed when its method returns. WAL with ``synchronous=NORMAL`` survives a killed process."""

    def __init__(self, file: Path) -> None:
        file.touch(mode=0o600)
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;" + _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def create(self, name: str, labels: list[str], url_auth: str, environment: dict[str, str]) -> SpriteRecord:
        """sqlite3.IntegrityError when the name is taken."""
        now = time.time()
        record = SpriteRecord(f"sprite-{uuid4()}", name, now, now, None, labels, url_auth, environment, 1, [], 2, 1)
        self._db.execute(
            "INSERT INTO sprites VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (record.id, name, now, now, None, json.dumps(labels), url_auth, json.dumps(environment), 1, "[]", 2, 1),
        )
        return record

    def find(self, name: str) -> SpriteRecord | None:
        row = self._db.execute("SELECT * FROM sprites WHERE name = ?", (name,)).fetchone()
        return _sprite(row) if row else None

    def all(self, prefix: str = "") -> list[SpriteRecord]:
        rows = self._db.execute(
            "SELECT * FROM sprites WHERE substr(name, 1, ?) = ? ORDER BY name", (len(prefix), prefix)
        )
        return [_sprite(row) for row in rows]

    def update(self, sprite_id: str, **columns: Any) -> None:
        """Columns by their names; lists and dicts are stored as JSON."""
        values = {k: json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in columns.items()}
        values["updated"] = time.time()
        assignments = ", ".join(f"{column} = :{column}" for column in values)
        self._db.execute(f"UPDATE sprites SET {assignments} WHERE id = :id", {**values, "id": sprite_id})

    def touch(self, sprite_id: str) -> None:
        self._db.execute("UPDATE sprites SET running = ? WHERE id = ?", (time.time(), sprite_id))

    def delete(self, sprite_id: str) -> None:
        self._db.execute("DELETE FROM sprites WHERE id = ?", (sprite_id,))

    def checkpoint(self, sprite: SpriteRecord, comment: str, stack: list[int], upper: int) -> CheckpointRecord:
        """Record a checkpoint of ``stack`` and move the sprite onto (stack, upper), in one transaction."""
        made = CheckpointRecord(sprite.next_checkpoint, time.time(), comment, stack)
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(
                "INSERT INTO checkpoints VALUES (?,?,?,?,?)",
                (sprite.id, made.number, made.created, comment, json.dumps(stack)),
            )
            self.update(
                sprite.id,
                stack=sprite.stack if upper == sprite.upper else stack,
                upper=upper,
                next_layer=max([upper, sprite.next_layer - 1, *stack]) + 1,
                next_checkpoint=made.number + 1,
            )
        return made

    def checkpoints(self, sprite: SpriteRecord) -> list[CheckpointRecord]:
        """Newest first; ``v0``, the sprite as it was born, closes the list."""
        rows = self._db.execute("SELECT * FROM checkpoints WHERE sprite = ? ORDER BY number DESC", (sprite.id,))
        made = [CheckpointRecord(r["number"], r["created"], r["comment"], json.loads(r["stack"])) for r in rows]
        return [*made, CheckpointRecord(0, sprite.created, "")]

    def forget_checkpoint(self, sprite_id: str, number: int) -> None:
        self._db.execute("DELETE FROM checkpoints WHERE sprite = ? AND number = ?", (sprite_id, number))

    def policy(self, sprite_id: str, kind: str) -> Any:
        row = self._db.execute("SELECT body FROM policies WHERE sprite = ? AND kind = ?", (sprite_id, kind)).fetchone()
        return json.loads(row["body"]) if row else None

    def set_policy(self, sprite_id: str, kind: str, body: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO policies VALUES (?,?,?)", (sprite_id, kind, json.dumps(body)))


def _sprite(row: sqlite3.Row) -> SpriteRecord:
    columns = dict(row)
    for name in ("labels", "environment", "stack"):
        columns[name] = json.loads(columns[name])
    return SpriteRecord(**columns)
