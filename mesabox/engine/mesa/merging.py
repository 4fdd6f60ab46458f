"""Three trees merged into one, with the conflicts that are left."""

from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from mesabox.engine.mesa.conflicts import Conflict, settle
from mesabox.engine.mesa.objects import Entry, Objects


@dataclass(frozen=True, slots=True)
class Merged:
    tree: str
    conflicts: dict[str, Conflict]


def merge_trees(objects: Objects, base: str, target: str, source: str) -> Merged:
    """git merges what it can; each path left over is merged by lines, and shows its conflict where that fails too."""
    if target == source or source == base:
        return Merged(target, {})
    if target == base:
        return Merged(source, {})
    index = objects.merge_index(base, target, source)
    conflicts: dict[str, Conflict] = {}
    for versions in list(index.conflicts or ()):
        path = next(version.path for version in versions if version is not None)
        entry, conflict = settle(objects, *(_entry(version) for version in versions))
        del index.conflicts[path]
        if entry is not None:
            place = _free_place(index, path)
            index.add(pygit2.IndexEntry(place, pygit2.Oid(hex=entry.oid), FileMode(entry.mode)))
            if conflict is not None:
                conflicts[place] = conflict
    return Merged(objects.write_index(index), conflicts)


def _entry(version: pygit2.IndexEntry | None) -> Entry | None:
    return None if version is None else Entry(str(version.id), int(version.mode))


def _free_place(index: pygit2.Index, path: str) -> str:
    """The path, or one beside it when the other side made it a folder."""
    taken = any(entry.path.startswith(f"{path}/") for entry in index)
    return f"{path}~conflict" if taken else path
