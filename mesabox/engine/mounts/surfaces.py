"""Where a mounted tree's files are: an overlay over a checkout, or without isolation a plain folder.

Both are walked by the same scanner: the overlay's upper against the tree of the checkout, the plain folder against
the empty tree.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from mesabox.engine.mesa.objects import Edits, Entry, Objects
from mesabox.engine.mounts.checkouts import Checkouts, check_out
from mesabox.engine.mounts.placing import Placer
from mesabox.engine.mounts.scan import Lower, Scanner
from mesabox.engine.sandbox.overlay import clone, overlay
from mesabox.wire.mesa import EMPTY_TREE_OID

Watch = Callable[[int], None]
Owner = tuple[int, int] | None
Changed = Mapping[str, tuple[Entry | None, Entry | None]]


class Surface(Protocol):
    """base: the tree that the scan's edits are edits of."""

    base: str

    def scan(self, objects: Objects, committed: str, *, unchanged_for: int = 0) -> Edits: ...
    def place(self, objects: Objects, changed: Changed) -> None:
        """Put what was changed elsewhere into it."""
        ...

    def handle(self, *, read_only: bool) -> int | Path:
        """What a sandbox is given: a detached mount (the caller closes it), or a folder."""
        ...

    def close(self) -> None: ...


class OverlaySurface:
    """``folder/upper`` holds the edits, and describes itself: it can be scanned without being mounted."""

    def __init__(self, folder: Path, base: str, owner: Owner, watch: Watch, *, userxattr: bool) -> None:
        self.base = base
        self._folder = folder
        self._owner = owner
        self._userxattr = userxattr
        for name in ("upper", "work"):
            (folder / name).mkdir(mode=0o755, exist_ok=True)
        if owner:
            os.chown(folder / "upper", *owner)
        self._upper = os.open(folder / "upper", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._scanner = Scanner(self._upper, userxattr=userxattr, watch=watch)
        self._checkouts: Checkouts | None = None
        self._mount: int | None = None

    def mount(self, objects: Objects, checkouts: Checkouts) -> None:
        lower = checkouts.take(objects, self.base)
        self._checkouts = checkouts
        self._mount = overlay([lower], self._folder / "upper", self._folder / "work", userxattr=self._userxattr)

    def scan(self, objects: Objects, committed: str, *, unchanged_for: int = 0) -> Edits:
        return self._scanner.scan(Lower(objects, self.base, committed), unchanged_for=unchanged_for)

    def place(self, objects: Objects, changed: Changed) -> None:
        assert self._mount is not None
        with Placer(self._mount, objects, self._owner) as placer:
            placer.apply(changed)

    def handle(self, *, read_only: bool) -> int | Path:
        assert self._mount is not None
        return clone(self._mount, read_only=read_only)

    def close(self) -> None:
        os.close(self._upper)
        if self._mount is not None:
            os.close(self._mount)
        if self._checkouts is not None:
            self._checkouts.give_back(self.base)


class PlainSurface:
    """A folder with all the files in it, shared by the sandboxes that mount it."""

    base = EMPTY_TREE_OID

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._files = folder / "files"
        self._root: int | None = None
        self._watch = watch
        self._scanner: Scanner | None = None
        if self._files.exists():
            self._open()

    def fill(self, objects: Objects, tree: str) -> None:
        """Whole or not at all: a half-filled folder would read as deletions after a crash."""
        filling = self._files.with_name("filling")
        check_out(objects, tree, filling, None)
        filling.rename(self._files)
        self._open()

    def _open(self) -> None:
        self._root = os.open(self._files, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._scanner = Scanner(self._root, userxattr=True, watch=self._watch)

    def scan(self, objects: Objects, committed: str, *, unchanged_for: int = 0) -> Edits:
        assert self._scanner is not None
        return self._scanner.scan(Lower(objects, self.base, committed), unchanged_for=unchanged_for)

    def place(self, objects: Objects, changed: Changed) -> None:
        assert self._root is not None
        with Placer(self._root, objects, None) as placer:
            placer.apply(changed)

    def handle(self, *, read_only: bool) -> int | Path:
        return self._files

    def close(self) -> None:
        if self._root is not None:
            os.close(self._root)
