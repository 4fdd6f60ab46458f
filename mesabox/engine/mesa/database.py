"""The one SQLite file behind Mesa: its tables, and transactions that threads take in turn."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS org (
    slug TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS public_key (
    id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES org, x TEXT NOT NULL UNIQUE, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS api_key (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, org TEXT NOT NULL REFERENCES org, hash TEXT NOT NULL UNIQUE,
    name TEXT, scopes TEXT NOT NULL, repo_ids TEXT, tags TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL, revoked_at REAL, last_used_at REAL);
CREATE TABLE IF NOT EXISTS repo (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, org TEXT NOT NULL REFERENCES org,
    name TEXT NOT NULL COLLATE NOCASE, default_bookmark TEXT NOT NULL, tags TEXT NOT NULL, created_at REAL NOT NULL,
    UNIQUE (org, name));
CREATE TABLE IF NOT EXISTS change (
    repo_id TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE, id TEXT NOT NULL,
    commit_oid TEXT NOT NULL, tree_oid TEXT NOT NULL, message TEXT NOT NULL, authors TEXT NOT NULL,
    authored_at INTEGER NOT NULL, committer TEXT NOT NULL, conflicts TEXT NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, PRIMARY KEY (repo_id, id));
CREATE TABLE IF NOT EXISTS parent (
    repo_id TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE, child TEXT NOT NULL, position INTEGER NOT NULL,
    parent TEXT NOT NULL, PRIMARY KEY (repo_id, child, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS children ON parent (repo_id, parent);
CREATE TABLE IF NOT EXISTS bookmark (
    repo_id TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE, name TEXT NOT NULL, change_id TEXT NOT NULL,
    PRIMARY KEY (repo_id, name)) WITHOUT ROWID;
"""


class Database:
    """One connection, shared by threads under a lock: transactions are short, git's work is done outside them."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # WAL with NORMAL keeps every commit through the death of the process; only a power cut may take the last ones.
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All the writes inside, or none; nests into the one that is open."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def execute(self, sql: str, *arguments: Any) -> int:
        """The number of rows changed."""
        with self._lock:
            return self._connection.execute(sql, arguments).rowcount

    def rows(self, sql: str, *arguments: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, arguments).fetchall()

    def row(self, sql: str, *arguments: Any) -> sqlite3.Row | None:
        found = self.rows(sql, *arguments)
        return found[0] if found else None

    def close(self) -> None:
        with self._lock:
            self._connection.close()
