"""The file that ``doctor`` makes for a bug report: what it found, and what was written down lately, without secrets."""

import io
import json
import os
import platform
import re
import secrets
import tarfile
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from mesabox import __version__
from mesabox.config.environment import VARIABLES
from mesabox.errors import MesaboxError
from mesabox.flow.record.runs import newest_first
from mesabox.flow.redaction import MASK
from mesabox.switchboard import Switchboard

_RUNS, _CRASHES = 5, 5
_TAIL = 512 * 1024
"""Bytes of a log's end."""
_CREDENTIAL = re.compile(rb"\b(mesa_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]{16,})")
"""Of Mesa's own shapes, whoever it was made for: nothing that is known now, but better not in a mail."""


def write_bundle(board: Switchboard, file: str, report: Mapping[str, Any]) -> list[str]:
    """A tar.gz, 0600, whole or not at all. Returns the names of what is in it."""
    _teach(board)
    names = []
    target = Path(file).absolute()
    fresh = target.with_name(f".{target.name}-{secrets.token_hex(8)}")
    try:
        out = os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        with out, tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name, content in _contents(board, report):
                _add(tar, name, _CREDENTIAL.sub(MASK.encode(), board.redactor.data(content)))
                names.append(name)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return names


def _contents(board: Switchboard, report: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield "doctor.json", _json(report)
    yield "versions.json", _json(_versions())
    yield "config.json", _json(_config(board))
    if board.engine.log.exists():
        yield "engine.log", _tail(board.engine.log)
    crashes = sorted(board.paths.state.glob("crash-*.log"), reverse=True)[:_CRASHES]
    yield from ((crash.name, _tail(crash)) for crash in crashes)
    for run in islice(newest_first(board.paths.runs), _RUNS):
        if (events := run.folder / "events.ndjson").exists():
            yield f"runs/{run.id}/events.ndjson", _tail(events)


def _teach(board: Switchboard) -> None:
    """All secrets that are at hand here, whether this command needs them or not."""
    environ, endpoint = board.local_environment(), board.engine.endpoint()
    for variable in VARIABLES:
        if variable.secret:
            board.redactor.learn(environ.get(variable.name, ""))
    for secret in (endpoint.token, endpoint.mesa_api_key, endpoint.mesa_private_key) if endpoint else ():
        board.redactor.learn(secret)


def _versions() -> dict[str, Any]:
    known = {name: metadata.version(name) for name in sorted(_dependencies())}
    return {"mesabox": __version__, "python": platform.python_version(), "platform": platform.platform(), **known}


def _dependencies() -> Iterator[str]:
    """What is installed of what we need, as our own metadata lists it."""
    try:
        wanted = metadata.requires("mesabox") or []
    except metadata.PackageNotFoundError:  # run from a checkout
        return
    for line in wanted:
        name = re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0]
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        yield name


def _config(board: Switchboard) -> dict[str, Any]:
    try:
        settings = board.settings
    except MesaboxError as error:
        return {"error": {"what": error.what, "why": error.why}}
    told = {}
    for key, value in settings.items():
        kind, where = settings.origin(key)
        told[key] = {"value": value, "origin": kind, "where": where or None}
    environ = board.local_environment()
    return {"settings": told, "variables": [one.name for one in VARIABLES if environ.get(one.name)]}


def _tail(path: Path) -> bytes:
    """Whole lines."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        content = file.read()
    return content if size <= _TAIL else content.partition(b"\n")[2]


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, default=str).encode() + b"\n"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"mesabox-doctor/{name}")
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    tar.addfile(entry, io.BytesIO(content))
