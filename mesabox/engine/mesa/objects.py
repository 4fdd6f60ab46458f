"""A repo's git objects: blobs, trees and commits in a bare repository, addressed by hex oids. No history here."""

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import IOBase
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import ConfigLevel, DeltaStatus, DiffOption, FileMode, MergeFlag, ObjectType

from mesabox.engine.mesa.packs import write_pack
from mesabox.wire.mesa import EMPTY_TREE_OID
from mesabox.wire.mesa_tokens import Author

TREE_MODE = int(FileMode.TREE)
_PACK_FROM = 200
"""So many new blobs go into one pack: a loose object costs 0.1 ms of file making each."""


class Entry(NamedTuple):
    """What a tree holds under a name. mode: 0o100644, 0o100755, 0o120000 or 0o040000."""

    oid: str
    mode: int

    @property
    def is_tree(self) -> bool:
        return self.mode == TREE_MODE

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)


Edits = Mapping[str, Entry | None]
"""Path -> what is there from now on; None removes the path and all below it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and when, in whole Unix seconds."""

    author: Author
    date: int

    def line(self) -> str:
        return f"{self.author.name} <{self.author.email or ''}> {self.date} +0000"


class Objects:
    """Used by one thread at a time: the repo's lock is held by the caller."""

    def __init__(self, place: Path) -> None:
        for left in (place / "refs").rglob("*.lock"):
            left.unlink()  # of a process that was killed; nobody else writes here
        self._repo = pygit2.Repository(str(place))
        self._packs = place / "objects" / "pack"

    @staticmethod
    def create(place: Path) -> None:
        _leave_the_users_git_alone()
        repo = pygit2.init_repository(str(place), bare=True, initial_head="main")
        repo.TreeBuilder().write()
        place.chmod(0o700)

    def blob(self, oid: str) -> bytes:
        found = self._repo[oid]
        assert isinstance(found, pygit2.Blob)
        return found.data

    def size(self, oid: str) -> int:
        return int(self._repo.odb.read_header(oid)[1])

    def write_blob(self, data: bytes) -> str:
        return str(self._repo.create_blob(data))

    def hash_of(self, data: bytes) -> str:
        """The oid a blob of these bytes has, without writing it."""
        return str(pygit2.hash(data))

    def write_blob_from(self, stream: IOBase) -> str:
        """A large file, piece by piece."""
        return str(self._repo.create_blob_fromiobase(stream))

    def write_blobs(self, contents: Sequence[bytes]) -> list[str]:
        """Their oids; what is there already is not written again."""
        named = [(self.hash_of(data), data) for data in contents]
        new = {oid: data for oid, data in named if oid not in self._repo}
        if len(new) < _PACK_FROM:
            for data in new.values():
                self._repo.create_blob(data)
        else:
            write_pack(self._packs, list(new.values()))
        return [oid for oid, _ in named]

    def entry(self, tree: str, path: str) -> Entry | None:
        """What is at ``path`` (``""``: the tree itself)."""
        if not path:
            return Entry(tree, TREE_MODE)
        try:
            found = self._tree(tree)[path]
        except KeyError:
            return None
        return Entry(str(found.id), found.filemode)

    def children(self, tree: str) -> list[tuple[str, Entry]]:
        return [(str(child.name), Entry(str(child.id), child.filemode)) for child in self._tree(tree)]

    def walk(self, tree: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """Every file and symlink below, as (path, entry)."""
        for name, entry in self.children(tree):
            if entry.is_tree:
                yield from self.walk(entry.oid, f"{prefix}{name}/")
            else:
                yield prefix + name, entry

    def edit_tree(self, tree: str, edits: Edits) -> str:
        """The tree with these edits; a folder left empty is gone, a file in the way of a folder too."""
        here, below = _by_folder(edits)
        builder = self._repo.TreeBuilder(self._tree(tree))
        for name, entry in here.items():
            if entry is not None:
                builder.insert(name, entry.oid, entry.mode)
            elif builder.get(name) is not None:
                builder.remove(name)
        for name, nested in below.items():
            self._edit_folder(builder, name, nested)
        return str(builder.write())

    def _edit_folder(self, builder: pygit2.TreeBuilder, name: str, edits: Edits) -> None:
        before = builder.get(name)
        is_folder = before is not None and before.filemode == TREE_MODE
        after = self.edit_tree(str(before.id) if is_folder else EMPTY_TREE_OID, edits)
        if after != EMPTY_TREE_OID:
            builder.insert(name, after, TREE_MODE)
        elif is_folder:
            builder.remove(name)

    def changed_paths(self, before: str, after: str) -> dict[str, tuple[Entry | None, Entry | None]]:
        """Path -> (old, new) for every file or symlink in which two trees differ."""
        if before == after:
            return {}
        changed = {}
        for delta in self._compared(before, after).deltas:
            old, new = _side(delta.old_file), _side(delta.new_file)
            changed[delta.new_file.path] = (old, new)
        return changed

    def commit(
        self, change_id: str, tree: str, parents: Sequence[str], author: Signature, committer: Signature, message: str
    ) -> str:
        """A commit that carries its change id in the header jj uses, so that any git remote hands it on."""
        lines = [f"tree {tree}", *(f"parent {oid}" for oid in parents)]
        lines += [f"author {author.line()}", f"committer {committer.line()}", f"change-id {change_id}"]
        text = "\n".join(lines) + "\n\n" + message
        return str(self._repo.write(ObjectType.COMMIT, text.encode()))

    def merge_base_tree(self, one: str, other: str) -> str:
        """The tree of two commits' common ancestor; the empty tree when they have none."""
        base = self._repo.merge_base(one, other)
        return EMPTY_TREE_OID if base is None else str(self._repo[base].peel(pygit2.Tree).id)

    def merge_index(self, base: str, target: str, source: str) -> pygit2.Index:
        """The three trees merged by git's rules; what could not be is in the index's conflicts."""
        return self._repo.merge_trees(self._tree(base), self._tree(target), self._tree(source), flags=MergeFlag(0))

    def write_index(self, index: pygit2.Index) -> str:
        return str(index.write_tree(self._repo))

    def diff(self, before: str, after: str, *, type_changes: bool = True) -> pygit2.Diff:
        """With renames found. type_changes: as one delta, not as a deletion and an addition of the same path.

        libgit2 also finds that a file was moved to where a symlink was, in two deltas of that path; git, which would
        not, refuses them. Then no renames are told.
        """
        diff = self._compared(before, after, type_changes=type_changes)
        diff.find_similar()
        moved = {delta.new_file.path for delta in diff.deltas if delta.status == DeltaStatus.RENAMED}
        gone = {delta.old_file.path for delta in diff.deltas if delta.status == DeltaStatus.DELETED}
        return self._compared(before, after, type_changes=type_changes) if moved & gone else diff

    def point(self, bookmark: str, commit: str | None) -> None:
        """Keep ``refs/heads/<bookmark>`` beside the record, so that the folder is an ordinary git repository too."""
        name = f"refs/heads/{bookmark}"
        if commit is not None:
            self._repo.references.create(name, commit, force=True)
        elif name in self._repo.references:
            self._repo.references.delete(name)

    def tree_of(self, commit: str) -> str | None:
        """The tree of a commit; None when this repo has no such commit."""
        found = self._repo.get(commit)
        return str(found.tree_id) if isinstance(found, pygit2.Commit) else None

    def _tree(self, oid: str) -> pygit2.Tree:
        return self._repo[oid].peel(pygit2.Tree)

    def _compared(self, before: str, after: str, *, type_changes: bool = True) -> pygit2.Diff:
        flags = DiffOption.INCLUDE_TYPECHANGE if type_changes else DiffOption.NORMAL
        return self._tree(before).diff_to_tree(self._tree(after), flags=flags)

    def close(self) -> None:
        self._repo.free()


def is_bookmark_name(name: str) -> bool:
    return len(name) <= 200 and "\0" not in name and pygit2.reference_is_valid_name(f"refs/heads/{name}")


def _side(file: pygit2.DiffFile) -> Entry | None:
    return Entry(str(file.id), int(file.mode)) if file.mode else None


def _by_folder(edits: Edits) -> tuple[dict[str, Entry | None], dict[str, dict[str, Entry | None]]]:
    here: dict[str, Entry | None] = {}
    below: dict[str, dict[str, Entry | None]] = {}
    for path, entry in edits.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        else:
            here[name] = entry
    return here, below


def _leave_the_users_git_alone() -> None:
    """libgit2 reads the user's own configuration (line endings, attributes), which is none of a service's business."""
    for level in (ConfigLevel.GLOBAL, ConfigLevel.SYSTEM, ConfigLevel.XDG):
        pygit2.settings.search_path[level] = ""
