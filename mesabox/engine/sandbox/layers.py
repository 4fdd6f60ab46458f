"""What is in a layer folder: ``root/`` and ``usr/``, each the upper (later a lower) of its overlay, and ``work/``."""

import os
from pathlib import Path

from mesabox.engine.sandbox.values import Ids, SandboxSpec

_PARTS = ("root", "usr", "work/root", "work/usr")


def prepare_upper(spec: SandboxSpec, ids: Ids) -> None:
    """Make the writable layer if it is not there. A sprite's first one carries its name."""
    new = not (spec.upper / "root").exists()
    spec.upper.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in _PARTS:
        _own_folder(spec.upper / part, ids)
    if new and not spec.layers:
        _name(spec.upper / "root", spec.name, ids)


def _own_folder(folder: Path, ids: Ids) -> None:
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    if not folder.exists():
        folder.mkdir()
        folder.chmod(0o755)  # it is what / and /usr look like inside
        os.chown(folder, ids.root_uid, ids.root_gid)


def _name(root: Path, name: str, ids: Ids) -> None:
    """No sprite has written here yet, so no symlink of one can lead astray."""
    etc = root / "etc"
    etc.mkdir()
    etc.chmod(0o1775)
    os.chown(etc, ids.root_uid, ids.sprite_gid)
    for file, text in (("hostname", f"{name}\n"), ("hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")):
        (etc / file).write_text(text)
        (etc / file).chmod(0o644)
        os.chown(etc / file, ids.root_uid, ids.root_gid)
