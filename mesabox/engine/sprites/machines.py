"""The machines behind the sprites: a sandbox each while it is awake, its sessions, its door, its repo mounts."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mesabox.engine.faults.faults import Faults
from mesabox.engine.faults.waking import leave_fuse_to_root, wake_slowly
from mesabox.engine.removal import remove_folder
from mesabox.engine.sandbox.host import CannotStart, Process, Sandbox, SandboxHost, SandboxSpec
from mesabox.engine.sprites.door import Door
from mesabox.engine.sprites.problems import Problem, no_such_sprite
from mesabox.engine.sprites.sessions import Session, Sessions, Watcher
from mesabox.engine.sprites.store import SpriteRecord, SpriteStore
from mesabox.wire.execution import ExecRequest

AGENT_VERSION = "v0.0.1-rc46"
VERSION_HEADER = (b"sprite-version", AGENT_VERSION.encode())
_WARM_AFTER = 30.0
_LOOKS, _BETWEEN_LOOKS = 3, 0.01
T = TypeVar("T")


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
        faults: Faults | None = None,
    ) -> None:
        self.store = store
        self.mounts = mounts
        self._host = host
        self._egress = egress
        self._state = state
        self._runtime = runtime
        self._faults = Faults() if faults is None else faults
        self._machines: dict[str, Machine] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._closing = False

    def record(self, name: str) -> SpriteRecord:
        if (record := self.store.find(name)) is None:
            raise no_such_sprite()
        return record

    def of(self, record: SpriteRecord) -> Machine:
        return self._machines.setdefault(record.id, Machine(self._state / record.id))

    @contextlib.asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[tuple[SpriteRecord, Machine]]:
        """The sprite's record as it is now and its machine, for one who wakes it or changes what it stands on."""
        machine = self.of(self.record(name))
        async with machine.lock:
            if machine.destroyed:
                raise no_such_sprite()
            if self._closing:
                raise Problem(503, "the engine is stopping")
            yield self.record(name), machine

    async def whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end also when who asked for it leaves: half a restore is nobody's wish."""
        return await asyncio.shield(self._later(work))

    def sweep(self) -> None:
        """At start, what a kill left: doors, and folders that nothing stands on."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        records = self.store.all()
        known = {record.id for record in records}
        for folder in self._state.iterdir():
            if folder.name not in known:
                self._later(_remove(folder))
        for record in records:
            self.drop_unused_layers(record)
        for door in self._runtime.iterdir():
            remove_folder(door)

    def wake_soon(self, record: SpriteRecord) -> None:
        """Begin to wake a new sprite while its maker reads the answer."""
        self._later(self._wake_quietly(record.name))

    async def _wake_quietly(self, name: str) -> None:
        with contextlib.suppress(Problem):
            await self.awake(name)

    async def awake(self, name: str) -> tuple[Machine, Sandbox]:
        """The sprite's machine with its sandbox up, woken if need be."""
        record = self.record(name)
        machine = self.of(record)
        machine.last_active = time.monotonic()
        if (sandbox := machine.sandbox) is not None:
            return machine, sandbox
        async with self.held(name) as (record, machine):
            return machine, machine.sandbox or await self._start(record, machine)

    async def _start(self, record: SpriteRecord, machine: Machine) -> Sandbox:
        try:
            await wake_slowly(self._faults, record.name)
            machine.folder.mkdir(mode=0o700, exist_ok=True)
            self._same_ids(record, machine.folder / "tier")
            door = Door(self._runtime / record.id[-12:], self._host.ids)
            try:
                sandbox = await self._assemble(record, machine, door)
            except BaseException:
                await door.close()
                raise
        except OSError as error:
            raise Problem(500, f"the sprite could not be started: {error}") from error
        machine.sandbox, machine.door = sandbox, door
        with contextlib.suppress(sqlite3.OperationalError):  # also on a full disk it wakes, so as to be tidied up
            self.store.touch(record.id)
        sandbox.died.add_done_callback(lambda _: self._sandbox_died(record, machine, sandbox))
        return sandbox

    def _same_ids(self, record: SpriteRecord, made_at: Path) -> None:
        """A sprite's files belong to the ids of the tier that it was made at (an engine that root started, uidmap
        installed since, ...): at another one they would be nobody's, or another user's."""
        tier = "single" if self._host.tier == "noproc" else self._host.tier
        before = made_at.read_text() if made_at.exists() else tier
        if before != tier:
            text = f"sprite '{record.name}' was made at isolation tier '{before}', and the engine now works at '{tier}'"
            raise Problem(500, f"{text}: destroy it and make it anew, or start the engine as it was then")
        made_at.write_text(tier)

    async def _assemble(self, record: SpriteRecord, machine: Machine, door: Door) -> Sandbox:
        """The sandbox with its door and its way out; nothing of it is left when one of them fails."""
        layers = tuple(machine.layer(number) for number in record.stack)
        spec = SandboxSpec(name=record.name, layers=layers, upper=machine.layer(record.upper), door=door.folder)
        sandbox = await self._host.create(spec)
        try:
            await door.open(lambda user, request: self.mounts.request(record.name, sandbox, user, request), sandbox)
            if self._egress:
                await self._egress.open(sandbox, self._rules(record))
            if self._host.isolated:
                await leave_fuse_to_root(self._faults, record.name, sandbox)
        except BaseException:
            await sandbox.stop()
            raise
        return sandbox

    def _sandbox_died(self, record: SpriteRecord, machine: Machine, sandbox: Sandbox) -> None:
        """It ended by itself (its init was killed): the sprite is cold, and the next request wakes it."""
        if machine.sandbox is sandbox:
            self._later(self.stop(record))

    async def execute(self, name: str, request: ExecRequest) -> tuple[Session, Watcher]:
        """Start a command, watched from its first byte. One that cannot start reports by exit code and stderr."""
        machine, sandbox = await self.awake(name)
        argv = (request.path or next(iter(request.argv), "bash"), *request.argv[1:])
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
            try:
                return await sandbox.spawn(argv, env=env, cwd=request.dir, tty=size, stdin=request.stdin)
            except CannotStart as error:
                words = ("/bin/sh", "-c", 'printf "%s\\n" "$0" >&2; exit "$1"', str(error), str(error.exit_code))
                return await sandbox.spawn(words, env=env, cwd="/", tty=size, stdin=request.stdin)
        except (CannotStart, OSError) as error:  # not even that: the sandbox is about to end, or starved
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
        try:
            await sandbox.stop()
            await self.mounts.detach(record.name)
        finally:
            if self._egress:
                await self._egress.close(record.name)
            await door.close()

    async def destroy(self, record: SpriteRecord) -> None:
        async with self.held(record.name) as (record, machine):
            await self.halt(record, machine)
            try:
                self.store.delete(record.id)
            except sqlite3.OperationalError:  # the disk is full, and perhaps of this very sprite
                await _remove(machine.folder)
                self.store.delete(record.id)
            machine.destroyed = True
            self._machines.pop(record.id, None)
        await _remove(machine.folder)

    async def in_use(self) -> bool:
        """Whether a command runs, or a repo is mounted, in any sprite."""
        for record in self.store.all():
            machine = self.of(record)
            if machine.sandbox and await self.busy(record, machine.sandbox):
                return True
        return False

    async def busy(self, record: SpriteRecord, sandbox: Sandbox) -> bool:
        """Whether somebody could be writing in it. One that has just ended is idle, as is one whose last command
        is still on its way out: so it is looked at more than once."""
        with contextlib.suppress(ConnectionError):
            for _ in range(_LOOKS):
                if not self.mounts.mounted(record.name) and not await sandbox.processes():
                    return False
                await asyncio.sleep(_BETWEEN_LOOKS)
            return True
        return False

    def drop_unused_layers(self, record: SpriteRecord) -> None:
        """Remove the layers that neither the sprite nor a checkpoint of it stands on, in the background.

        For one who holds the machine: what is being copied is not on record yet.
        """
        used = {record.upper, *record.stack}
        used.update(*(checkpoint.stack for checkpoint in self.store.checkpoints(record)))
        folders = self.of(record).folder / "layers"
        present = [folder for folder in folders.iterdir() if int(folder.name) not in used] if folders.exists() else []
        for folder in present:
            self._later(_remove(folder))

    def _later(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def close(self) -> None:
        """Every sprite is put away and none wakes any more; what still goes on in the background is waited for."""
        self._closing = True
        for record in self.store.all():
            await self.stop(record)
        await asyncio.gather(*self._background, return_exceptions=True)


async def _remove(folder: Path) -> None:
    """Again while another removal is under way in it; what cannot be removed at all is tried at the next start."""
    for _ in range(_LOOKS):
        with contextlib.suppress(OSError):
            await asyncio.to_thread(remove_folder, folder)
        if not folder.exists():
            return
        await asyncio.sleep(_BETWEEN_LOOKS)
