"""The local engine as a process: where it answers, starting and stopping it. To all else it is only a URL."""

import asyncio
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from mesabox.clients.base import Secret
from mesabox.clients.transport import Transport
from mesabox.errors import (
    Bug,
    Conflict,
    CredentialsProblem,
    Failed,
    MesaboxError,
    NotFound,
    TryLater,
    Unsupported,
    UsageProblem,
)

_FRONT_DOOR = (sys.executable, "-P", "-m", "mesabox.engine")
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_SMALLEST_ROOM = 1024 * 1024
_LARGEST_LOG = 10 * 1024 * 1024

_KINDS: Mapping[int, type[MesaboxError]] = {
    kind.exit_code: kind
    for kind in (UsageProblem, NotFound, CredentialsProblem, Conflict, Unsupported, TryLater, Failed, Bug)
}


@dataclass(frozen=True, slots=True)
class EngineEndpoint:
    """What a running engine wrote of itself. ``tier`` is how it isolates; started_at in Unix seconds.

    faults: those that were on when it was asked, as they would be asked for.
    """

    pid: int
    url: str
    token: str = field(repr=False)
    org: str
    mesa_api_key: str = field(repr=False)
    mesa_private_key: str = field(repr=False)
    version: str
    tier: str
    isolated: bool
    started_at: float
    faults: tuple[str, ...] = field(default=(), metadata={"asked": True})

    @property
    def mesa_url(self) -> str:
        return f"{self.url}/mesa/v1"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine is told on its stdin; ``environment`` is all that it gets of ours."""

    state: Path
    cache: Path
    runtime: Path
    isolation: Literal["auto", "none"] = "auto"
    debug: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> bytes:
        told: dict[str, Any] = {name: str(getattr(self, name)) for name in ("state", "cache", "runtime", "isolation")}
        return json.dumps({**told, "debug": self.debug}).encode()


class EngineProcess:
    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.log = settings.state / "engine.log"

    def endpoint(self) -> EngineEndpoint | None:
        """Of an engine that lives: it holds its lock as long as it does."""
        lock = self._settings.state / "engine.lock"
        if not lock.exists() or not _is_held(lock):
            return None
        try:
            written = json.loads((self._settings.state / "engine.json").read_text("utf-8"))
            return EngineEndpoint(**{one.name: written[one.name] for one in fields(EngineEndpoint) if not one.metadata})
        except (FileNotFoundError, ValueError, KeyError):
            return None

    async def status(self) -> Mapping[str, Any] | None:
        """What it says of itself; None when none runs."""
        endpoint = self.endpoint()
        return None if endpoint is None else await _ask(endpoint, "GET", "/_engine/status")

    async def ensure(self) -> tuple[EngineEndpoint, bool]:
        """(the running engine, whether it was started now). Raises what the engine refuses with, as our kinds."""
        endpoint = self.endpoint()
        if endpoint is not None and (status := await _answer(endpoint)):
            return replace(endpoint, faults=_names(status.get("faults") or {})), False
        return await asyncio.to_thread(self._start)

    async def set_faults(self, faults: Sequence[str], seed: int | None) -> Mapping[str, Any]:
        """These and no others, in an engine that runs. ``{"seed", "faults": [{"fault", "fired"}]}``, as it has them."""
        endpoint = self.endpoint()
        if endpoint is None:
            raise NotFound("the engine does not run any more", fix="mesabox engine start")
        body = {"faults": list(faults), "seed": seed}
        try:
            told: Mapping[str, Any] = await _ask(endpoint, "PUT", "/_engine/faults", json=body)
        except NotFound:
            why = "it was started by an older mesabox"
            raise Unsupported("the running engine knows no faults", why=why, fix="mesabox engine stop") from None
        return told

    async def stop(self) -> bool:
        """False when none was running. Returns when it has let go of its state."""
        endpoint = self.endpoint()
        if endpoint is None:
            return False
        await _ask(endpoint, "POST", "/_engine/stop")
        lock = self._settings.state / "engine.lock"
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                while _is_held(lock):  # noqa: ASYNC110 - a file lock of another process has no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            why = f"process {endpoint.pid} still runs after {_STOP_SECONDS:g} s"
            raise TryLater("the engine does not stop", why=why, fix="mesabox engine logs") from None
        return True

    async def reset(self) -> None:
        """Deletes the state of an engine that is stopped: from inside, since files there belong to its sandboxes."""
        await asyncio.to_thread(self._converse, "reset")

    async def probe(self) -> Mapping[str, Any]:
        """What this machine can, tried by doing it: ``tier``, ``isolated``, ``checks``. Needs no running engine."""
        process = await asyncio.create_subprocess_exec(
            *_FRONT_DOOR,
            "probe",
            "--json",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=dict(self._settings.environment),
        )
        said, complained = await process.communicate()
        try:
            found: Mapping[str, Any] = json.loads(said)
        except ValueError:
            why = complained.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise Failed("the probe of this machine ended without an answer", why=why, code="probe_failed") from None
        return found

    def _start(self) -> tuple[EngineEndpoint, bool]:
        """One starter at a time: those who waited find the engine of the first."""
        _private_folder(self._settings.state)
        with _locked(self._settings.state / "start.lock"):
            if (endpoint := self.endpoint()) is not None:
                return endpoint, False
            self._converse("serve")
            endpoint = self.endpoint()
        if endpoint is None:
            raise self._silent()
        return endpoint, True

    def _converse(self, verb: str) -> None:
        """Runs the engine's front door until its one line. It outlives us; no file or secret of ours goes along."""
        with self._open_log() as log:
            process = subprocess.Popen(
                [*_FRONT_DOOR, verb],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env=dict(self._settings.environment),
                start_new_session=True,
            )
        assert process.stdin is not None and process.stdout is not None
        with process.stdin as told, process.stdout as said:
            with suppress(BrokenPipeError):  # it ended already: its silence is told apart below
                told.write(self._settings.as_json())
                told.close()
            ready, _, _ = select.select([said], [], [], _START_SECONDS)
            line = said.readline() if ready else b""
        self._accept(line)

    def _accept(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._silent() from None
        if not answer["ok"]:
            told = answer["error"]
            kind = _KINDS.get(told["exit_code"], Failed)
            raise kind(told["what"], why=told["why"], fix=told["fix"], code=told["code"])

    def _silent(self) -> MesaboxError:
        state = self._settings.state
        if shutil.disk_usage(state).free < _SMALLEST_ROOM:  # its last words could not be written either
            fix = "free space there, or set MESABOX_HOME to a folder that has some"
            return Failed(
                f"no space is left in {state}", why="the engine keeps its state there", fix=fix, code="no_space"
            )
        why = _last_line(self.log) or "it ended without a word"
        return Failed("the local engine did not start", why=why, fix="mesabox engine logs", code="engine_failed")

    @contextmanager
    def _open_log(self) -> Iterator[int]:
        _private_folder(self._settings.state)
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            yield log
        finally:
            os.close(log)


class _Token:
    def __init__(self, text: str) -> None:
        self._secret = Secret(text)

    def token(self) -> str:
        return self._secret.reveal()


async def _ask(endpoint: EngineEndpoint, method: str, path: str, **options: Any) -> Any:
    http = Transport("the local engine", endpoint.url, _Token(endpoint.token))
    try:
        return await http.json(method, path, subject="the local engine", **options)
    finally:
        await http.aclose()


async def _answer(endpoint: EngineEndpoint) -> Mapping[str, Any]:
    """Its status; empty when there is none. While it starts it holds the lock already: the transport tries a few
    times."""
    try:
        return await _ask(endpoint, "GET", "/_engine/status") or {}
    except MesaboxError:
        return {}


def _names(told: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(one["fault"] for one in told.get("faults", ()))


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _is_held(lock: Path) -> bool:
    descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
