"""The read-only lowers of mounts: one checkout for each tree, shared by all that mount it, kept in the cache."""

import os
import secrets
import sys
from pathlib import Path

from mesabox.engine.mesa.objects import Objects
from mesabox.engine.mounts.placing import Placer
from mesabox.engine.removal import remove_folder

_KEPT = 16
"""Checkouts that stay when nobody uses them, the newest."""


class Checkouts:
    """Folders named by their tree's oid, below one for the owner their files have."""

    def __init__(self, cache: Path, owner: tuple[int, int] | None) -> None:
        self._folder = cache / "checkouts" / ("own" if owner is None else f"{owner[0]}")
        self._owner = owner
        self._used: dict[str, int] = {}
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def take(self, objects: Objects, tree: str) -> Path:
        """The checkout, made if need be; it stays until it is given back."""
        place = self._folder / tree
        if place.exists():
            os.utime(place)
        else:
            self._make(objects, tree, place)
        self._used[tree] = self._used.get(tree, 0) + 1
        return place

    def give_back(self, tree: str) -> None:
        self._used[tree] -= 1
        if not self._used[tree]:
            del self._used[tree]

    def trim(self) -> None:
        """Remove half-made ones, and the oldest of those that nobody uses."""
        places = sorted(self._folder.iterdir(), key=lambda place: place.stat().st_mtime, reverse=True)
        unused = [place for place in places if place.name not in self._used]
        whole = [place for place in unused if not place.name.startswith(".")]
        for place in {*unused} - {*whole[:_KEPT]}:
            try:
                remove_folder(place)
            except OSError as error:
                print(f"mounts: a checkout stays: {error}", file=sys.stderr)

    def _make(self, objects: Objects, tree: str, place: Path) -> None:
        beside = self._folder / f".{secrets.token_hex(8)}"
        check_out(objects, tree, beside, self._owner)
        beside.rename(place)


def check_out(objects: Objects, tree: str, folder: Path, owner: tuple[int, int] | None) -> None:
    """The tree's files in a new folder."""
    folder.mkdir(mode=0o755)
    if owner:
        os.chown(folder, *owner)
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with Placer(root, objects, owner) as placer:
            placer.check_out(tree)
    finally:
        os.close(root)
