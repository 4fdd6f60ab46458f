"""What happens to changes: new ones, edits that make one evolve, the rebase of all that stand on it, and merges.

Evolving keeps the change's id and replaces its commit; descendants are rebased the way jj does it, and bookmarks, which
name changes and not commits, follow by themselves. One evolution is one transaction.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mesabox.engine.mesa.changes import ROOT, Change, Changes
from mesabox.engine.mesa.conflicts import Conflict, Resolution, carried_over, described, lasting, resolved
from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.merging import Merged, merge_trees
from mesabox.engine.mesa.objects import Objects, Signature
from mesabox.engine.mesa.problems import merge_conflict, not_found
from mesabox.wire.mesa import change_id_from_bytes
from mesabox.wire.mesa_tokens import Author


def new_change_id() -> str:
    return change_id_from_bytes(secrets.token_bytes(16))


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change, and with which words. authors empty, message None: as before."""

    committer: Signature
    authors: tuple[Author, ...] = ()
    authored_at: int | None = None
    message: str | None = None


@dataclass(slots=True)
class Evolution:
    """Everything one edit altered: the changes before and after, the edited one first."""

    before: dict[str, Change] = field(default_factory=dict)
    after: dict[str, Change] = field(default_factory=dict)


class History:
    """One repo's history; its lock is held by the caller."""

    def __init__(
        self, repo_id: str, objects: Objects, database: Database, changes: Changes, clock: Callable[[], float]
    ) -> None:
        self.repo_id = repo_id
        self.objects = objects
        self._database = database
        self._changes = changes
        self._clock = clock

    def get(self, change_id: str) -> Change:
        return self._changes.get(self.repo_id, change_id)

    def at(self, revision: str) -> Change:
        """A change as it is; or, by a commit's 40 hex digits, a change as it was at that commit."""
        if len(revision) != 40:
            return self.get(revision)
        if (tree := self.objects.tree_of(revision)) is None:
            raise not_found(f"commit '{revision}'")
        return replace(ROOT, id=revision, commit_oid=revision, tree_oid=tree)

    def exists(self, change_id: str) -> bool:
        return self._changes.exists(self.repo_id, change_id)

    def newest_first(self, change_id: str) -> list[str]:
        return self._changes.newest_first(self.repo_id, change_id)

    def is_ancestor(self, change_id: str, of: str) -> bool:
        return change_id in self._changes.ancestors(self.repo_id, of)

    def create(self, base: Change, tree: str, by: By, *, change_id: str | None = None) -> Change:
        """A new change on ``base``; no bookmark moves. Conflicts of the base that are not edited are its own too."""
        change = self._new([base], tree, lasting([base.conflicts], self.objects, tree), by, change_id)
        with self._database.transaction():
            self._changes.save(self.repo_id, change)
        return change

    def evolve(self, change: Change, tree: str, by: By) -> Evolution:
        """The change with this tree from now on, committed, and all that stand on it rebased."""
        conflicts = carried_over(change.conflicts, self.objects, tree)
        return self._evolve(change, self._rewritten(change, tree, conflicts, self._parents(change), by))

    def resolve(self, change: Change, resolutions: Sequence[Resolution], by: By) -> Evolution:
        """Some or all of a change's conflicts settled; its authors stay."""
        edits = resolved(self.objects, change.conflicts, resolutions)
        tree = self.objects.edit_tree(change.tree_oid, edits)
        left = {path: conflict for path, conflict in change.conflicts.items() if path not in edits}
        return self._evolve(change, self._rewritten(change, tree, left, self._parents(change), replace(by, authors=())))

    def merge(
        self, target: Change, source: Change, resolutions: Sequence[Resolution], by: By, *, allow_conflicted: bool
    ) -> Change:
        """A change on both. Problem 409 MERGE_CONFLICT when conflicts are left and not allowed: nothing is kept."""
        merged = self._merged(target, source)
        edits = resolved(self.objects, merged.conflicts, resolutions)
        left = {path: conflict for path, conflict in merged.conflicts.items() if path not in edits}
        if left and not allow_conflicted:
            raise self.unresolved(left)
        parents = [one for one in (target, source) if not one.is_root]
        change = self._new(parents, self.objects.edit_tree(merged.tree, edits), left, by)
        with self._database.transaction():
            self._changes.save(self.repo_id, change)
        return change

    def unresolved(self, conflicts: Mapping[str, Conflict]) -> Exception:
        paths = sorted(conflicts)
        return merge_conflict(paths, [described(self.objects, path, conflicts[path]) for path in paths])

    def base_tree(self, change: Change) -> str:
        """What the change is an edit of: its parent's tree, or its parents' trees merged."""
        return self._merged_parents(self._parents(change)).tree

    def _parents(self, change: Change) -> list[Change]:
        return [self.get(parent) for parent in change.parents] or [ROOT]

    def _evolve(self, before: Change, after: Change) -> Evolution:
        evolution = Evolution({before.id: before}, {after.id: after})
        for descendant in self._rebased(evolution):
            evolution.after[descendant.id] = descendant
        with self._database.transaction():
            for change in evolution.after.values():
                self._changes.save(self.repo_id, change)
        return evolution

    def _rebased(self, evolution: Evolution) -> Iterator[Change]:
        edited = next(iter(evolution.before))
        for change_id in self._changes.descendants(self.repo_id, edited):
            change = evolution.before[change_id] = self.get(change_id)
            old = [evolution.before.get(parent) or self.get(parent) for parent in change.parents]
            new = [evolution.after.get(parent) or self.get(parent) for parent in change.parents]
            yield self._moved(change, old, new)

    def _moved(self, change: Change, old_parents: Sequence[Change], new_parents: Sequence[Change]) -> Change:
        old, new = self._merged_parents(old_parents), self._merged_parents(new_parents)
        merged = merge_trees(self.objects, old.tree, new.tree, change.tree_oid)
        inherited = lasting([change.conflicts, new.conflicts], self.objects, merged.tree)
        by = By(change.committer or self._nobody())
        return self._rewritten(change, merged.tree, {**inherited, **merged.conflicts}, new_parents, by)

    def _merged_parents(self, parents: Sequence[Change]) -> Merged:
        first, *others = parents
        return self._merged(first, others[0]) if others else Merged(first.tree_oid, dict(first.conflicts))

    def _merged(self, target: Change, source: Change) -> Merged:
        base = ROOT.tree_oid
        if not target.is_root and not source.is_root:
            base = self.objects.merge_base_tree(target.commit_oid, source.commit_oid)
        merged = merge_trees(self.objects, base, target.tree_oid, source.tree_oid)
        inherited = lasting([target.conflicts, source.conflicts], self.objects, merged.tree)
        return Merged(merged.tree, {**inherited, **merged.conflicts})

    def _new(
        self,
        parents: Sequence[Change],
        tree: str,
        conflicts: Mapping[str, Conflict],
        by: By,
        change_id: str | None = None,
    ) -> Change:
        now = self._clock()
        change = Change(
            id=change_id or new_change_id(),
            commit_oid="",
            tree_oid=tree,
            message="",
            authors=(by.committer.author,),
            authored_at=int(now),
            committer=None,
            parents=tuple(parent.id for parent in parents),
            created_at=now,
            updated_at=now,
        )
        return self._rewritten(change, tree, conflicts, parents, by)

    def _rewritten(
        self, change: Change, tree: str, conflicts: Mapping[str, Conflict], parents: Sequence[Change], by: By
    ) -> Change:
        """The change with a new commit."""
        authors = by.authors or change.authors
        authored_at = change.authored_at if by.authored_at is None else by.authored_at
        message = change.message if by.message is None else by.message
        oids = [parent.commit_oid for parent in parents if not parent.is_root]
        author = Signature(authors[0], authored_at)
        return replace(
            change,
            commit_oid=self.objects.commit(change.id, tree, oids, author, by.committer, message),
            tree_oid=tree,
            message=message,
            authors=authors,
            authored_at=authored_at,
            committer=by.committer,
            conflicts=conflicts,
            updated_at=self._clock(),
        )

    def _nobody(self) -> Signature:
        return Signature(Author("mesa"), int(self._clock()))
