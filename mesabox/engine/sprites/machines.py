"""The machines behind the sprites: a sandbox each while it is awake, its sessions, its door, its repo mounts."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mesabox.engine.sandbox.host import CannotStart, Process, Sandbox, SandboxHost, SandboxSpec
from mesabox.engine.sprites.door import Door
from mesabox.engine.sprites.problems import Problem, no_such_sprite
from mesabox.engine.sprites.sessions import Session, Sessions, Watcher
from mesabox.engine.sprites.store import SpriteRecord, SpriteStore
from mesabox.wire.execution import ExecRequest

AGENT_VERSION = "v0.0.1-rc46"
VERSION_HEADER = (b"sprite-version", AGENT_VERSION.encode())
_WARM_AFTER = 30.0


class RepoMounts(Protocol):
    """What the sprites need of the mounts room."""

    async def request(self, sprite: str, sandbox: Sandbox, user: str, request: dict[str, Any]) -> dict[str, Any]: ...
    async def detach(self, sprite: str) -> None: ...
    def mounted(self, sprite: str) -> list[dict[str, Any]]: ...


class Egress(Protocol):
    """What the sprites need of the network room."""

    async def open(self, sandbox: Sandbox, rules: list[dict[str, str]]) -> None: ...
    async def close(self, name: str) -> None: ...
    def set_policy(self, name: str, rules: list[dict[str, str]]) -> None: ...
    def environment(self, name: str) -> Mapping[str, str]: ...


@dataclass(eq=False)
class Machine:
    """One sprite's machine. ``lock`` is held while it wakes, stops, is checkpointed or restored."""

    folder: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sandbox: Sandbox | None = None
    door: Door | None = None
    sessions: Sessions = field(default_factory=Sessions)
    last_active: float = 0.0
    destroyed: bool = False

    @property
    def status(self) -> str:
        if self.sandbox is None:
            return "cold"
        busy = self.sessions.running or time.monotonic() - self.last_active < _WARM_AFTER
        return "running" if busy else "warm"

    def layer(self, number: int) -> Path:
        return self.folder / "layers" / str(number)


class Machines:
    """Wakes, stops and destroys the machines of the sprites in ``store``; layers lie under ``state``."""

    def __init__(
        self,
        store: SpriteStore,
        host: SandboxHost,
        mounts: RepoMounts,
        egress: Egress | None,
        state: Path,
        runtime: Path,
    ) -> None:
        self.store = store
        self.mounts = mounts
        self._host = host
        self._egress = egress
        self._state = state
        self._runtime = runtime
        self._machines: dict[str, Machine] = {}
        self._background: set[asyncio.Task[Any]] = set()

    def record(self, name: str) -> SpriteRecord:
        if (record := self.store.find(name)) is None:
            raise no_such_sprite()
        return record

    def of(self, record: SpriteRecord) -> Machine:
        return self._machines.setdefault(record.id, Machine(self._state / record.id))

    def sweep(self) -> None:
        """At start: folders of sprites that are no more (a destroy that was cut short) are removed."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = {record.id for record in self.store.all()}
        for folder in self._state.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def wake_soon(self, record: SpriteRecord) -> None:
        """Begin to wake a new sprite while its maker reads the answer."""
        self._later(self._wake_quietly(record.name))

    async def _wake_quietly(self, name: str) -> None:
        with contextlib.suppress(Problem, OSError):
            await self.awake(name)

    async def awake(self, name: str) -> tuple[Machine, Sandbox]:
        """The sprite's machine with its sandbox up, woken if need be."""
        record = self.record(name)
        machine = self.of(record)
        machine.last_active = time.monotonic()
        if (sandbox := machine.sandbox) is not None:
            return machine, sandbox
        async with machine.lock:
            if machine.destroyed:
                raise no_such_sprite()
            return machine, machine.sandbox or await self._start(self.record(name), machine)

    async def _start(self, record: SpriteRecord, machine: Machine) -> Sandbox:
        machine.folder.mkdir(mode=0o700, exist_ok=True)
        door = Door(self._runtime / record.id[-12:], self._host.ids)
        layers = tuple(machine.layer(number) for number in record.stack)
        spec = SandboxSpec(name=record.name, layers=layers, upper=machine.layer(record.upper), door=door.folder)
        try:
            sandbox = await self._host.create(spec)
        except OSError as error:
            await door.close()
            raise Problem(500, f"the sprite could not be started: {error}") from error
        try:
            await door.open(lambda user, request: self.mounts.request(record.name, sandbox, user, request), sandbox)
            if self._egress:
                await self._egress.open(sandbox, self._rules(record))
        except BaseException:
            await door.close()
            await sandbox.stop()
            raise
        machine.sandbox, machine.door = sandbox, door
        self.store.touch(record.id)
        sandbox.died.add_done_callback(lambda _: self._sandbox_died(record, machine, sandbox))
        return sandbox

    def _sandbox_died(self, record: SpriteRecord, machine: Machine, sandbox: Sandbox) -> None:
        """It ended by itself (its init was killed): the sprite is cold, and the next request wakes it."""
        if machine.sandbox is sandbox:
            self._later(self.stop(record))

    async def execute(self, name: str, request: ExecRequest) -> tuple[Session, Watcher]:
        """Start a command, watched from its first byte. One that cannot start reports by exit code and stderr."""
        machine, sandbox = await self.awake(name)
        argv = request.argv or ("bash",)
        env = {**self.record(name).environment, **self._egress_environment(name), **request.env}
        process = await self._spawn(sandbox, argv, env, request)
        session = Session(request, argv, request.dir or "/home/sprite", process)
        machine.sessions.add(session)
        return session, session.watch(scrollback=False)

    async def _spawn(
        self, sandbox: Sandbox, argv: tuple[str, ...], env: Mapping[str, str], request: ExecRequest
    ) -> Process:
        size = (request.rows, request.cols) if request.tty else None
        try:
            return await sandbox.spawn(argv, env=env, cwd=request.dir, tty=size, stdin=request.stdin)
        except CannotStart as error:
            words = ("/bin/sh", "-c", 'printf "%s\\n" "$0" >&2; exit "$1"', str(error), str(error.exit_code))
            return await sandbox.spawn(words, env=env, cwd="/", tty=size, stdin=request.stdin)
        except OSError as error:
            raise Problem(500, f"the command could not be started: {error}") from error

    def _rules(self, record: SpriteRecord) -> list[dict[str, str]]:
        return self.store.policy(record.id, "network") or []

    async def apply_policy(self, record: SpriteRecord) -> None:
        """The stored rules, on the running machine if there is one."""
        if self._egress and self.of(record).sandbox:
            self._egress.set_policy(record.name, self._rules(record))

    def _egress_environment(self, name: str) -> Mapping[str, str]:
        return self._egress.environment(name) if self._egress else {}

    async def session(self, name: str, session_id: str) -> Session:
        machine = self.of(self.record(name))
        if (session := machine.sessions.running.get(session_id)) is None:
            raise Problem(404, f"session not found: {session_id}", plain=True)
        return session

    async def stop(self, record: SpriteRecord) -> None:
        """Make the sprite cold: its mounts' last edits saved, its processes gone, its disk kept."""
        machine = self.of(record)
        async with machine.lock:
            await self.halt(record, machine)

    async def halt(self, record: SpriteRecord, machine: Machine) -> None:
        """``stop`` for one who holds the lock. Processes go first: what they wrote can then be saved whole."""
        sandbox, door = machine.sandbox, machine.door
        machine.sandbox = machine.door = None
        if sandbox is None or door is None:
            return
        machine.sessions.lose_all()
        await sandbox.stop()
        await self.mounts.detach(record.name)
        if self._egress:
            await self._egress.close(record.name)
        await door.close()

    async def destroy(self, record: SpriteRecord) -> None:
        machine = self.of(record)
        async with machine.lock:
            machine.destroyed = True
            await self.halt(record, machine)
            self.store.delete(record.id)
            self._machines.pop(record.id, None)
        if machine.folder.exists():
            await asyncio.to_thread(shutil.rmtree, machine.folder, True)

    async def in_use(self) -> bool:
        """Whether a command runs, or a repo is mounted, in any sprite."""
        for record in self.store.all():
            machine = self.of(record)
            if machine.sandbox and (self.mounts.mounted(record.name) or await machine.sandbox.processes()):
                return True
        return False

    def drop_unused_layers(self, record: SpriteRecord) -> None:
        """Remove the layers that neither the sprite nor a checkpoint of it stands on, in the background."""
        used = {record.upper, *record.stack}
        used.update(*(checkpoint.stack for checkpoint in self.store.checkpoints(record)))
        folders = self.of(record).folder / "layers"
        present = [folder for folder in folders.iterdir() if int(folder.name) not in used] if folders.exists() else []
        for folder in present:
            self._later(asyncio.to_thread(shutil.rmtree, folder, True))

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        for record in self.store.all():
            await self.stop(record)
