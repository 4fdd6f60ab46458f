"""What lies under every sprite, built once for the host as it is and kept in the cache."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mesabox.engine.sandbox import identity, interpreter, skeleton
from mesabox.engine.sandbox.values import Tier

_FINGERPRINTED = (
    "/etc/passwd", "/etc/group", "/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache", "/etc/alternatives",
    "/var/lib/dpkg/status", "/usr/bin/sudo",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Base:
    """``root`` and ``usr`` go under every layer; ``sprite`` is what /.sprite shows. Without isolation it is all."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def usr(self) -> Path:
        return self.folder / "usr"

    @property
    def sprite(self) -> Path:
        return self.folder / "sprite"


def ensure(cache: Path, tier: Tier, tools: Mapping[str, Path]) -> Base:
    """The base for the host as it is now, built when it is not there yet (about a second); earlier ones go."""
    folder = cache / "base" / _fingerprint(tier, tools)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _lock(folder, fcntl.LOCK_SH)  # held until this process ends: a sandbox may stand on it as long
    _discard_others(folder)
    if not folder.exists():
        building = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
        lock = _lock(building, fcntl.LOCK_SH)
        try:
            _build(Base(building), tier, tools)
            with suppress(OSError):  # another engine was faster; what it built is the same
                building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
            building.with_suffix(".lock").unlink(missing_ok=True)
            os.close(lock)
    return Base(folder)


def _lock(folder: Path, kind: int) -> int:
    fd = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, kind)
    except OSError:
        os.close(fd)
        raise
    return fd


def _discard_others(kept: Path) -> None:
    """Bases of earlier hosts and versions, unless an engine stands on them, and what a kill left half-built."""
    for folder in kept.parent.iterdir():
        if folder != kept and folder.is_dir():
            with suppress(OSError):
                fd = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                folder.with_suffix(".lock").unlink()
                os.close(fd)


def _fingerprint(tier: Tier, tools: Mapping[str, Path]) -> str:
    digest = hashlib.sha256(tier.encode())
    for module in (__file__, skeleton.__file__, identity.__file__, interpreter.__file__):
        digest.update(Path(module).read_bytes())
    for name, script in sorted(tools.items()):
        digest.update(name.encode() + script.read_bytes())
    for path in (*_FINGERPRINTED, *(str(part.source) for part in interpreter.parts())):
        with suppress(OSError):
            found = Path(path).stat()
            digest.update(f"{path} {found.st_mtime_ns} {found.st_size}".encode())
    return digest.hexdigest()[:16]


def _build(base: Base, tier: Tier, tools: Mapping[str, Path]) -> None:
    base.folder.chmod(0o755)
    if tier != "none":
        skeleton.Skeleton(base.root, base.usr, tier).build()
        _make_places(base.sprite)
    _install(tools, base.sprite / "bin", tier)


def _make_places(sprite: Path) -> None:
    """Where the interpreter's parts and the door are going to be mounted."""
    (sprite / "run").mkdir(parents=True)
    for part in interpreter.parts():
        place = sprite / part.place
        (place if part.is_folder else place.parent).mkdir(parents=True, exist_ok=True)
        if not part.is_folder:
            place.touch()


def _install(tools: Mapping[str, Path], folder: Path, tier: Tier) -> None:
    """Each tool is its script behind lines that start it on the interpreter beside it."""
    folder.mkdir(parents=True)
    header = interpreter.script_header() if tier != "none" else interpreter.host_header()
    for name, script in tools.items():
        if name == "sudo" and skeleton.has_own_sudo(tier):
            continue
        tool = folder / name
        tool.write_text(header + script.read_text())
        tool.chmod(0o755)
    for path in (folder.parent, *folder.parent.rglob("*")):
        if tier != "none":
            os.chown(path, identity.mapping(tier).outside(0), identity.mapping(tier).outside(0))
