"""One repo at work: its objects, history and bookmarks together, used by one thread at a time."""

from collections.abc import Callable, Iterable

from mesabox.engine.mesa.bookmarks import Bookmarks
from mesabox.engine.mesa.changes import ROOT, Change, Changes
from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.history import By, Evolution, History
from mesabox.engine.mesa.objects import Objects
from mesabox.engine.mesa.repos import Repo


class OpenRepo:
    """What endpoints and mounts do to a repo goes through here, so that git's refs and the live mounts hear of it."""

    def __init__(
        self, repo_id: str, objects: Objects, database: Database, changes: Changes, clock: Callable[[], float]
    ) -> None:
        self.objects = objects
        self.bookmarks = Bookmarks(database, repo_id)
        self.history = History(repo_id, objects, database, changes, clock)
        self._database = database
        self._evolved: dict[str, Change] = {}
        self._export([name for name, _ in self.bookmarks.all()])

    def change(self, revision: str | None, repo: Repo) -> Change:
        """revision: a change id, or a commit's 40 hex digits. None: where the default bookmark is."""
        return self.history.at(revision or self.bookmarks.get(repo.default_bookmark))

    def evolve(self, change: Change, tree: str, by: By) -> Change:
        return self.note(self.history.evolve(change, tree, by))

    def note(self, evolution: Evolution) -> Change:
        """Let refs follow, and remember what the live mounts must be told."""
        self._evolved.update(evolution.after)
        moved = {name for name, change_id in self.bookmarks.all() if change_id in evolution.after}
        self._export(moved)
        return next(iter(evolution.after.values()))

    def first_change(self, seed: str, bookmark: str) -> Change:
        """The change ``seed`` if there is one by now, else what the bookmark is at; the virtual root if neither is."""
        known = dict(self.bookmarks.all())
        if self.history.exists(seed):
            return self.history.get(seed)
        return self.history.get(known.get(bookmark, ROOT.id))

    def seed(self, bookmark: str, tree: str, by: By, *, change_id: str) -> Change:
        """The first change of an empty repo, and the bookmark (if not ``""``) on it, in one transaction."""
        with self._database.transaction():
            change = self.history.create(ROOT, tree, by, change_id=change_id)
            if bookmark:
                known = bookmark in dict(self.bookmarks.all())
                (self.bookmarks.move if known else self.bookmarks.create)(bookmark, change.id)
        self._export([bookmark] if bookmark else [])
        return change

    def place_bookmark(self, name: str, change: Change, *, new: bool = False) -> None:
        """The mounts of an empty repo wait for its bookmark, so they are told too."""
        (self.bookmarks.create if new else self.bookmarks.move)(name, change.id)
        self._evolved[change.id] = change
        self._export([name])

    def remove_bookmark(self, name: str) -> None:
        self.bookmarks.delete(name)
        self.objects.point(name, None)

    def take_evolved(self) -> list[Change]:
        """The changes that evolved, or were bookmarked, since the last call."""
        evolved, self._evolved = self._evolved, {}
        return list(evolved.values())

    def _export(self, names: Iterable[str]) -> None:
        for name in names:
            change = self.history.get(self.bookmarks.get(name))
            self.objects.point(name, None if change.is_root else change.commit_oid)
