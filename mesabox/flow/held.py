"""What a mount holds, as its sprite sees it, and what of that Mesa does not have yet."""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mesabox.clients.base import TreeEntry
from mesabox.errors import Failed
from mesabox.flow import scripts
from mesabox.flow.running.asking import ask
from mesabox.flow.services import Services
from mesabox.wire.mesa_ignore import BUILT_IN, Rules, is_ignored, parse_rules
from mesabox.wire.mesa_paths import can_hold

_HASHED_AT_ONCE = 200
_LARGEST_HASHED = 1 << 30
_NO_MOUNT = 77
_LINE = re.compile(r"([01]) ([0-9a-f]+) (\d+) \./(.*?)//\n", re.DOTALL)
_BLOCK = re.compile(r"(\d+)\n((?:(?:[0-9a-f]{40}|-)\n)*)((?:\./[^\0]*?//\n)*)")
_PATH = re.compile(r"\./(.*?)//\n", re.DOTALL)
Layers = Sequence[tuple[str, Rules]]


@dataclass(frozen=True, slots=True)
class Held:
    """A file or symlink. mode: as Mesa has it; size: bytes; oid: git's, where it is known.

    fresh: written, renamed or made executable since the mount, as far as its times tell.
    """

    mode: str
    size: int
    fresh: bool
    oid: str | None = None

    def is_in(self, tree: Mapping[str, TreeEntry], path: str) -> bool:
        there = tree.get(path)
        if there is None or not self.fresh:
            return there is not None
        same = there.mode in (None, self.mode) and there.size in (None, self.size)
        return same and self.oid in (None, there.sha)


@dataclass(frozen=True, slots=True)
class MountState:
    """entries: every path that a repo can hold. layers: the rules of what Mesa does not take in, outermost first."""

    entries: Mapping[str, Held]
    layers: Layers

    def lacking(self, tree: Mapping[str, TreeEntry]) -> tuple[set[str], set[str]]:
        """(paths in which Mesa's tree differs, such paths among what is ignored).

        Of a path that is ignored though Mesa has it no document tells whether an edit of it is taken in.
        """
        differ = {path for path, held in self.entries.items() if not held.is_in(tree, path)}
        differ |= {path for path, entry in tree.items() if path not in self.entries and _is_content(entry)}
        ignored = set(self.ignored(differ))
        return differ - ignored, {path for path in ignored if path in tree}

    def ignored(self, paths: Iterable[str]) -> Iterator[str]:
        """Those that it would not take in anew."""
        known: dict[str, bool] = {"": False}

        def folder(path: str) -> bool:
            if path not in known:
                known[path] = folder(path.rpartition("/")[0]) or self._ignores(path, is_folder=True)
            return known[path]

        for path in paths:
            if folder(path.rpartition("/")[0]) or self._ignores(path, is_folder=False):
                yield path

    def _ignores(self, path: str, *, is_folder: bool) -> bool:
        layers = [layer for layer in self.layers if path.startswith(layer[0])]
        return is_ignored(layers, path, is_folder=is_folder)

    def altered_in(self, later: "MountState") -> set[str]:
        """Paths in which the two differ."""
        paths = {*self.entries, *later.entries}
        return {path for path in paths if self.entries.get(path) != later.entries.get(path)}


async def held_in(services: Services, sprite: str, folder: str, run: str) -> MountState | None:
    """Asked of the sprite, in one round trip unless very much was written; None when nothing was since the run's mount.

    Failed with code ``no_mount`` when it is not mounted any more.
    """
    words = scripts.sh(scripts.HELD, folder, run, str(_HASHED_AT_ONCE), scripts.HASH)
    done = await ask(services.sandboxes, sprite, words)
    if done.exit_code == _NO_MOUNT:
        raise Failed(
            f"{folder} is not mounted any more", why="it was unmounted, or its sprite restarted", code="no_mount"
        )
    if done.exit_code != 0:
        why = done.stderr.decode(errors="replace").strip()[-200:] or f"exit {done.exit_code}"
        raise Failed(f"what is in {folder} cannot be listed", why=why)
    return await _hashed(services, sprite, folder, parsed(done.stdout)) if done.stdout else None


def parsed(answer: bytes) -> MountState:
    """Of ``scripts.HELD``."""
    parts = answer.decode(errors="surrogateescape").split("\0")
    listed, hashed, rules, anyway = (*parts, "", "", "", "")[:4]
    oids = dict(_oids(hashed))
    found = {match[4]: _held(match, oids) for match in _LINE.finditer(listed)}
    entries = {path: held for path, held in found.items() if held is not None and can_hold(path)}
    return MountState(entries, layers_of(_rules(rules), anyway or BUILT_IN))


def _held(match: re.Match[str], oids: Mapping[str, str]) -> Held | None:
    mode, fresh = int(match[2], 16), match[1] == "1"
    if stat.S_ISLNK(mode):
        git = "120000"
    elif stat.S_ISREG(mode):
        git = "100755" if mode & stat.S_IXUSR else "100644"
    else:
        return None
    return Held(git, int(match[3]), fresh, oids.get(match[4]))


def _oids(text: str) -> Iterator[tuple[str, str]]:
    """Path and oid, where there is one."""
    for block in _BLOCK.finditer(text):
        paths, oids = _PATH.findall(block[3]), block[2].split()
        if len(oids) >= len(paths) == int(block[1]):
            yield from ((path, oid) for path, oid in zip(paths, oids[-len(paths) :], strict=True) if oid != "-")


def _rules(text: str) -> dict[str, str]:
    rules: dict[str, list[str]] = {}
    for line in text.split("\n"):
        file, found, rule = line.removeprefix("./").partition("//")
        if found:
            rules.setdefault(file, []).append(rule)
    return {file: "\n".join(lines) for file, lines in rules.items()}


def layers_of(texts: Mapping[str, str], anyway: str = BUILT_IN) -> Layers:
    """texts: of each .gitignore, by its path."""
    layers = [(file.removesuffix(".gitignore"), parse_rules(texts[file])) for file in sorted(texts)]
    return (("", parse_rules(anyway)), *sorted(layers, key=lambda layer: layer[0]))


async def _hashed(services: Services, sprite: str, folder: str, state: MountState) -> MountState:
    """With the oids that are still missing, of what Mesa takes in."""
    lack = {path for path, held in state.entries.items() if held.fresh and held.oid is None}
    lack = {path for path in lack.difference(state.ignored(lack)) if state.entries[path].size <= _LARGEST_HASHED}
    links = {path for path in lack if state.entries[path].mode == "120000"}
    entries = dict(state.entries)
    for some in (lack - links, links):
        if some:
            stdin = "".join(f"./{path}\0" for path in sorted(some)).encode()
            words = scripts.sh(scripts.HASHES, folder, str(len(stdin)), scripts.HASH)
            done = await ask(services.sandboxes, sprite, words, stdin=stdin)
            told = dict(_oids(done.stdout.decode(errors="surrogateescape")))
            entries |= {path: replace(entries[path], oid=oid) for path, oid in told.items() if path in some}
    return replace(state, entries=entries)


def _is_content(entry: TreeEntry) -> bool:
    return entry.type in ("file", "symlink") and can_hold(entry.path)
