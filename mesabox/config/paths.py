"""Where things live: XDG folders, or everything under MESABOX_HOME. What we make is ours alone (0700, 0600)."""

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesabox.config.environment import process_environment
from mesabox.errors import Failed

PROJECT_FILE = "mesabox.toml"

_LONGEST_RUNTIME = 60
"""Bytes: a socket's path ends at 108, and a sandbox's own folder and the socket's name come after this."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders are made when they are first written to, by ``ours``. project is None outside of a project."""

    config: Path
    state: Path
    cache: Path
    runtime: Path
    project: Path | None = None

    @property
    def runs(self) -> Path:
        """The record: one folder a run."""
        return self.state / "runs"

    @property
    def credentials(self) -> Path:
        """What `mesabox auth login` keeps, or where it keeps it."""
        return self.config.parent / "credentials.json"

    @property
    def names(self) -> Path:
        """What shell completion offers without asking a service."""
        return self.cache / "names"


def paths_for(environ: Mapping[str, str], folder: Path) -> Paths:
    """folder: where the look for a project's ``mesabox.toml`` begins, and goes upward."""
    project = next((up / PROJECT_FILE for up in (folder, *folder.parents) if (up / PROJECT_FILE).is_file()), None)
    if text := environ.get("MESABOX_HOME"):
        home = Path(text).absolute()
        return Paths(home / "config.toml", home / "state", home / "cache", _runtime(home / "run", home), project)
    config, state, cache = (
        _xdg(environ, name) or _home() / usual / "mesabox"
        for name, usual in (
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
        )
    )
    return Paths(config / "config.toml", state, cache, _runtime(_xdg(environ, "XDG_RUNTIME_DIR"), state), project)


def working_folder() -> Path:
    """Failed when somebody removed it meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        why, fix = "it was removed, or moved away", "cd to one that is there"
        raise Failed("the working folder is gone", why=why, fix=fix, code="no_working_folder") from None


def ours(folder: Path) -> Path:
    """The folder, made 0700 with its parents when it is absent. Raises Failed when it is another user's."""
    if folder.parent.name.startswith("mesabox-"):  # the shared temporary folder: the outer folder is checked too
        ours(folder.parent)
    for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if about.st_uid != os.geteuid() or not stat.S_ISDIR(about.st_mode):
        raise Failed(
            f"{folder} is not a folder of yours",
            why=f"it belongs to uid {about.st_uid}",
            fix="set MESABOX_HOME to a folder of your own",
        )
    return folder


def keep_crash_log(text: str) -> Path | None:
    """Writes what a bug left behind, 0600 under the state folder. None where even that cannot be written."""
    try:
        state = ours(paths_for(process_environment(), working_folder()).state)
        path = state / f"crash-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as log:
            log.write(text)
    except (OSError, Failed):
        return None
    return path


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        why, fix = (
            "HOME is not set, and this user is not in /etc/passwd",
            "set HOME or MESABOX_HOME to a folder of yours",
        )
        raise Failed("there is no home folder", why=why, fix=fix, code="no_home") from None


def _xdg(environ: Mapping[str, str], name: str) -> Path | None:
    """A relative path there counts as unset (XDG Base Directory Specification)."""
    folder = Path(environ.get(name, ""))
    return folder / "mesabox" if folder.is_absolute() else None


def _runtime(wanted: Path | None, state: Path) -> Path:
    """One folder for each state folder, so that engines of two homes never meet; short enough for sockets."""
    mark = hashlib.sha256(os.fsencode(state)).hexdigest()[:8]
    if wanted is not None and len(os.fsencode(wanted / mark)) <= _LONGEST_RUNTIME:
        return wanted / mark
    return Path(tempfile.gettempdir()) / f"mesabox-{os.geteuid()}" / mark
