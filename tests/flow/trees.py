"""Trees as mappings, path -> (mode, content): made at random, written to a folder and read, turned into a patch."""

import os
import random
from pathlib import Path

from mesabox.flow.patch.writing import Version, section

FILE, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120000
Tree = dict[str, tuple[int, bytes]]

_NAMES = ["a", "b", "c d", 'q"u', "ünï", "new\nl", "t\tb", "back\\s", "x.bin", "é", "-x", "a b/c", "dev"]
_LINES = [b"a", b"b", b"\xff\xfe", b"c\r", b"--- x", b"+++ y", b"diff --git a/x b/x", b"@@ -1 +1 @@", b"", b"\\ No"]


def content(choose: random.Random) -> bytes:
    kind = choose.random()
    if kind < 0.15:
        return b""
    if kind < 0.3:
        return b"\0" + choose.randbytes(choose.randint(0, 300))
    lines = b"".join(choose.choice(_LINES) + b"\n" for _ in range(choose.randint(1, 30)))
    return lines[:-1] if choose.random() < 0.3 else lines


def some_tree(choose: random.Random) -> Tree:
    return edited(choose, edited(choose, {}))


def edited(choose: random.Random, before: Tree) -> Tree:
    """With files removed, altered, made executable or links, folders in the place of files, and new ones."""
    tree = dict(before)
    for path, (mode, old) in before.items():
        kind = choose.random()
        if kind < 0.2:
            del tree[path]
        elif kind < 0.3 and mode != LINK:
            tree[path] = (FILE if mode == EXECUTABLE else EXECUTABLE, old)
        elif kind < 0.4:
            tree[path] = (mode, b"other" if mode == LINK else content(choose))
        elif kind < 0.5 and mode != LINK:
            lines = old.split(b"\n")
            at = choose.randrange(len(lines))
            tree[path] = (mode, b"\n".join([*lines[:at], b"edited", *lines[at + 1 :]]))
        elif kind < 0.55:
            tree[path] = (LINK, b"target") if mode != LINK else (FILE, old)
        elif kind < 0.65:
            _put(tree, f"moved {len(tree)}/{path}", tree.pop(path))
    for _ in range(choose.randint(1, 5)):
        path = "/".join(choose.choice(_NAMES) for _ in range(choose.randint(1, 3)))
        link = choose.random() < 0.15
        _put(tree, path, (LINK, b"target") if link else (choose.choice([FILE, EXECUTABLE]), content(choose)))
    return tree


def _put(tree: Tree, path: str, entry: tuple[int, bytes]) -> None:
    for other in list(tree):
        if other.startswith(path + "/") or path.startswith(other + "/"):
            del tree[other]
    tree[path] = entry


def write(tree: Tree, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for path, (mode, data) in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if mode == LINK:
            os.symlink(data, os.fsencode(place))
        else:
            place.write_bytes(data)
            place.chmod(mode & 0o777)
    return folder


def read(folder: Path) -> Tree:
    """Without .git."""
    tree = {}
    for place, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in [*names, *links]:
            file = Path(place, name)
            path = file.relative_to(folder).as_posix()
            if file.is_symlink():
                tree[path] = (LINK, os.fsencode(os.readlink(file)))
            else:
                tree[path] = (EXECUTABLE if file.stat().st_mode & 0o100 else FILE, file.read_bytes())
    return tree


def patch_between(before: Tree, after: Tree, *, oids_alone: bool = False) -> bytes:
    """A file of which the same content appears elsewhere is renamed. oids_alone: no more is known of the old ones."""

    def old(path: str) -> Version:
        known = Version.of(path, *before[path])
        return Version(path, known.mode, known.oid, None) if oids_alone else known

    gone = [path for path in before if path not in after]
    parts = []
    for path in after:
        if path in before:
            parts += [section(old(path), Version.of(path, *after[path]))] if before[path] != after[path] else []
        else:
            found = next((one for one in gone if before[one][1] == after[path][1] and before[one][1]), None)
            parts.append(section(old(found) if found else None, Version.of(path, *after[path])))
            gone = [one for one in gone if one != found]
    return b"".join(sorted([*parts, *(section(old(path), None) for path in gone)]))
