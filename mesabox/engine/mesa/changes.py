"""Changes on record: what each is at the moment, and which stand on which."""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mesabox.engine.mesa.conflicts import Conflict
from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.objects import Signature
from mesabox.engine.mesa.problems import not_found
from mesabox.wire.mesa import EMPTY_TREE_OID, VIRTUAL_ROOT_CHANGE_ID
from mesabox.wire.mesa_tokens import Author


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is now: its id stays, its commit is replaced whenever it evolves. Times are Unix seconds."""

    id: str
    commit_oid: str
    tree_oid: str
    message: str
    authors: tuple[Author, ...]
    authored_at: int
    committer: Signature | None
    parents: tuple[str, ...]
    created_at: float
    updated_at: float
    conflicts: Mapping[str, Conflict] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return self.id == VIRTUAL_ROOT_CHANGE_ID


ROOT = Change(VIRTUAL_ROOT_CHANGE_ID, "0" * 40, EMPTY_TREE_OID, "", (), 0, None, (), 0.0, 0.0)
"""The virtual root: every repo has it, no record does."""


class Changes:
    """The change and parent tables of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, repo_id: str, change_id: str) -> Change:
        """Problem 404 when there is none."""
        if change_id == ROOT.id:
            return ROOT
        row = self._database.row("SELECT * FROM change WHERE repo_id = ? AND id = ?", repo_id, change_id)
        if row is None:
            raise not_found(f"change '{change_id}'")
        sql = "SELECT parent FROM parent WHERE repo_id = ? AND child = ? ORDER BY position"
        return _change(row, [one["parent"] for one in self._database.rows(sql, repo_id, change_id)])

    def exists(self, repo_id: str, change_id: str) -> bool:
        sql = "SELECT 1 FROM change WHERE repo_id = ? AND id = ?"
        return self._database.row(sql, repo_id, change_id) is not None

    def save(self, repo_id: str, change: Change) -> None:
        """Insert or replace; the parents of a change never alter."""
        authors = json.dumps([[author.name, author.email] for author in change.authors])
        committer = change.committer
        who = [committer.author.name, committer.author.email, committer.date] if committer else None
        conflicts = {path: conflict.to_json() for path, conflict in change.conflicts.items()}
        self._database.execute(
            "INSERT OR REPLACE INTO change (repo_id, id, commit_oid, tree_oid, message, authors, authored_at,"
            " committer, conflicts, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(repo_id, change.id, change.commit_oid, change.tree_oid, change.message, authors, change.authored_at),
            *(json.dumps(who), json.dumps(conflicts), change.created_at, change.updated_at),
        )
        for position, parent in enumerate(change.parents):
            sql = "INSERT OR IGNORE INTO parent (repo_id, child, position, parent) VALUES (?, ?, ?, ?)"
            self._database.execute(sql, repo_id, change.id, position, parent)

    def descendants(self, repo_id: str, change_id: str) -> list[str]:
        """All that stand on a change, each after its own parents."""
        if self._database.row("SELECT 1 FROM parent WHERE repo_id = ? AND parent = ?", repo_id, change_id) is None:
            return []
        graph = self._graph(repo_id)
        children: dict[str, list[str]] = {}
        for child, parents in graph.items():
            for parent in parents:
                children.setdefault(parent, []).append(child)
        below = _reachable([change_id], children) - {change_id}
        return _parents_first(below, graph)

    def ancestors(self, repo_id: str, change_id: str) -> set[str]:
        """The change itself included, the virtual root too."""
        return _reachable([change_id], self._graph(repo_id)) | {ROOT.id}

    def newest_first(self, repo_id: str, change_id: str) -> list[str]:
        """What a change stands on, itself included: each before its parents, by age where the graph leaves a choice."""
        graph = self._graph(repo_id)
        reachable = _reachable([change_id], graph) - {ROOT.id}
        rows = self._database.rows("SELECT id, created_at FROM change WHERE repo_id = ?", repo_id)
        return _children_first(reachable, graph, {row["id"]: row["created_at"] for row in rows})

    def _graph(self, repo_id: str) -> dict[str, list[str]]:
        graph: dict[str, list[str]] = {}
        for row in self._database.rows("SELECT child, parent FROM parent WHERE repo_id = ? ORDER BY position", repo_id):
            graph.setdefault(row["child"], []).append(row["parent"])
        return graph


def _reachable(starts: Iterable[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        if (node := waiting.pop()) not in found:
            found.add(node)
            waiting += edges.get(node, ())
    return found


def _children_first(nodes: set[str], parents: Mapping[str, Sequence[str]], born: Mapping[str, float]) -> list[str]:
    awaited = dict.fromkeys(nodes, 0)
    for node in nodes:
        for parent in set(parents.get(node, ())) & nodes:
            awaited[parent] += 1
    ready = [(-born[node], node) for node, count in awaited.items() if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        ordered.append(node := heapq.heappop(ready)[1])
        for parent in set(parents.get(node, ())) & nodes:
            awaited[parent] -= 1
            if not awaited[parent]:
                heapq.heappush(ready, (-born[parent], parent))
    return ordered


def _parents_first(nodes: set[str], parents: Mapping[str, Sequence[str]]) -> list[str]:
    return _children_first(nodes, parents, dict.fromkeys(nodes, 0.0))[::-1]


def _change(row: sqlite3.Row, parents: Sequence[str]) -> Change:
    name, email, date = json.loads(row["committer"])
    conflicts = {path: Conflict.from_json(value) for path, value in json.loads(row["conflicts"]).items()}
    return Change(
        id=row["id"],
        commit_oid=row["commit_oid"],
        tree_oid=row["tree_oid"],
        message=row["message"],
        authors=tuple(Author(*author) for author in json.loads(row["authors"])),
        authored_at=row["authored_at"],
        committer=Signature(Author(name, email), date),
        parents=tuple(parents),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        conflicts=conflicts,
    )
