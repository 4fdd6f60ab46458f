"""The engine's front door: ``python -m mesabox.engine serve | probe --json | reset``."""

import errno
import fcntl
import json
import os
import resource
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mesabox.engine.sandbox.launch import CannotIsolate, SandboxHost
from mesabox.engine.settings import EngineSettings

_INSIDE = {
    "mesa": Path(__file__).parent / "mounts/inside/mesa.py",
    "sudo": Path(__file__).parent / "sandbox/inside/sudo.py",
}
_LOOKS, _BETWEEN_LOOKS = 10, 0.05
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


def main(argv: list[str]) -> None:
    commands = {"serve": serve, "probe": probe, "reset": reset}
    if not argv or argv[0] not in commands:
        sys.exit(f"usage: python -m mesabox.engine {'|'.join(commands)}")
    commands[argv[0]]()


def probe() -> None:
    from mesabox.engine.probe import probe as look

    json.dump(look(), sys.stdout)
    print()


def serve() -> None:
    """The zygote is forked first, while this process is small, has one thread, and knows no secret."""
    settings = _settings()
    lock = _lock(settings)
    try:
        host = SandboxHost.launch(settings.isolation, settings.cache, _INSIDE)
    except CannotIsolate as error:
        _refuse("cannot_isolate", error.what, error.why, error.fix, 6)
    listening = _listen(settings)
    _run(settings, host, listening)
    os.close(lock)


def _run(settings: EngineSettings, host: SandboxHost, listening: socket.socket) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each command takes three; the sandboxes keep theirs
    os.environ["WEBSOCKETS_MAX_LINE_LENGTH"] = str(2 << 20)  # read when it is imported; the gate has the exact limit
    import asyncio

    from mesabox.engine.endpoint import Endpoint
    from mesabox.engine.server import Engine

    def ready(endpoint: Endpoint) -> None:
        _say({"ok": True, "url": endpoint.url, "pid": endpoint.pid})

    async def whole() -> None:
        await Engine(settings, host, listening).run(ready)

    with _writable(settings.state):
        asyncio.run(whole())


def reset() -> None:
    """Delete the engine's state, from inside the namespaces its files belong to."""
    settings = _settings()
    lock = _lock(settings)
    try:
        SandboxHost.launch(settings.isolation, settings.cache, {})
    except CannotIsolate:
        SandboxHost.launch("none", settings.cache, {})
    for entry in settings.state.iterdir():
        if entry.name != "engine.lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    os.close(lock)
    _say({"ok": True})


def _settings() -> EngineSettings:
    try:
        settings = EngineSettings.read(sys.stdin)
    except (ValueError, TypeError, KeyError) as error:
        _refuse("bad_settings", "the engine's settings on stdin are not readable", str(error), "", 70)
    with _writable(settings.state):
        settings.make_folders()
    return settings


@contextmanager
def _writable(state: Path) -> Iterator[None]:
    """A disk that is full or may not be written is said to be one; other errors pass."""
    from sqlite3 import OperationalError

    try:
        yield
    except (OSError, OperationalError) as error:
        if isinstance(error, OSError) and error.errno not in _UNWRITABLE:
            raise
        place = (error.filename if isinstance(error, OSError) else None) or state
        fix = "free space or set MESABOX_HOME to a folder you can write"
        _refuse("state_unwritable", f"cannot write to {place}", getattr(error, "strerror", None) or str(error), fix, 1)


def _lock(settings: EngineSettings) -> int:
    """Held as long as the engine lives, also through a kill: the kernel lets go of it."""
    with _writable(settings.state):
        lock = os.open(settings.state / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_LOOKS):  # whoever asks whether an engine lives holds the lock for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            time.sleep(_BETWEEN_LOOKS)
    what, fix = "an engine with this state is running already", "mesabox engine stop"
    _refuse("engine_running", what, str(settings.state), fix, 75)


def _listen(settings: EngineSettings) -> socket.socket:
    """The port of last time, so that exported settings stay good; a free one the first time."""
    from mesabox.engine.endpoint import Endpoint

    before = Endpoint.read(settings.state / "engine.json")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else no TCP_NODELAY: 40 ms
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", before.port if before else 0))
    except OSError as error:
        fix = "end the program that holds it, or `mesabox engine reset` for a new port and an empty engine"
        port = before.port if before else 0
        _refuse("port_taken", f"port {port} of the engine is taken", error.strerror or "", fix, 75)
    listening.listen(1024)
    return listening


def _refuse(code: str, what: str, why: str, fix: str, exit_code: int) -> NoReturn:
    error = {"code": code, "what": what, "why": why, "fix": fix, "exit_code": exit_code}
    _say({"ok": False, "error": error})
    sys.exit(exit_code)


def _say(message: dict[str, object]) -> None:
    """The one line on stdout; from then on stdout is the log, so that who started us reads an end of file."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
    os.dup2(2, 1)


if __name__ == "__main__":
    main(sys.argv[1:])
