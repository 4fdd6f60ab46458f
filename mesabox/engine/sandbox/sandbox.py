"""One sandbox, as the daemon holds it: commands, files and mounts through its two spawners, and its end."""

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mesabox.engine.sandbox import environment, identity, layers, plain, syscalls
from mesabox.engine.sandbox.channel import Channel, close_all
from mesabox.engine.sandbox.launch import SandboxHost
from mesabox.engine.sandbox.link import Link, SandboxGone, check, receive_message
from mesabox.engine.sandbox.places import HOME
from mesabox.engine.sandbox.process import Process
from mesabox.engine.sandbox.values import CannotStart, SandboxSpec

__all__ = ["Sandbox", "SandboxGone", "create"]

_BUILD_SECONDS = 30.0
_STOP_SECONDS = 5.0
Made = TypeVar("Made")
_STREAMS = ("stdin", "stdout", "stderr")


async def create(spec: SandboxSpec, host: SandboxHost) -> "Sandbox":
    """Ask the zygote for a builder and see it through: prepared folders, the user namespace's map, its descriptors."""
    creating = asyncio.get_running_loop().create_task(_create(spec, host))
    try:
        return await asyncio.shield(creating)
    except asyncio.CancelledError:
        creating.add_done_callback(_dismiss)
        raise


async def _create(spec: SandboxSpec, host: SandboxHost) -> "Sandbox":
    channel, fds = await asyncio.to_thread(_build, spec, host)
    return Sandbox(spec, host, channel.sock, fds)


def _dismiss(creating: "asyncio.Task[Sandbox]") -> None:
    """Whoever wanted it has gone."""
    if not creating.cancelled() and creating.exception() is None:
        creating.result().kill()


def _build(spec: SandboxSpec, host: SandboxHost) -> tuple[Channel, list[int]]:
    base = host.base()
    if host.isolated:
        layers.prepare_upper(spec, host.ids)
    channel = host.request_builder(spec, base)
    try:
        return channel, _see_through(channel, identity.mapping(host.tier))
    except EOFError:
        channel.close()
        raise OSError(errno.EIO, "the sandbox could not be built: its builder died (see the engine's log)") from None
    except OSError:
        channel.close()
        raise


def _see_through(channel: Channel, mapping: identity.Mapping) -> list[int]:
    """The builder's messages until it is ready; its descriptors."""
    channel.sock.settimeout(_BUILD_SECONDS)
    while True:
        message, fds = channel.receive()
        if "map" in message:
            mapping.write(message["map"])
            channel.send({})
        elif "failed" in message:
            raise OSError(message["errno"], f"the sandbox could not be built: {message['failed']}")
        else:
            return fds


class Sandbox:
    """``died`` resolves when all of its processes have ended, by themselves or by ``stop``."""

    def __init__(self, spec: SandboxSpec, host: SandboxHost, root: socket.socket, fds: list[int]) -> None:
        loop = asyncio.get_running_loop()
        self.name = spec.name
        self.died: asyncio.Future[None] = loop.create_future()
        self._spec, self._host = spec, host
        self._loop = loop
        root_link = Link(root)
        self._links = {"root": root_link, "sprite": root_link}
        self._network: int | None = None
        self._alive = fds
        self._all_dead = False
        if host.isolated:
            *self._alive, sprite, self._network = fds
            self._links["sprite"] = Link(socket.socket(fileno=sprite))
        self._starting: set[asyncio.Task[Process]] = set()
        loop.add_reader(self._first, self._first_ended)
        for link in self._links.values():
            link.ended.add_done_callback(lambda _: self._look_for_end())

    @property
    def _first(self) -> int:
        return self._alive[0]

    def _first_ended(self) -> None:
        """Process 1 ends after all others inside."""
        self._loop.remove_reader(self._first)
        self._all_dead = True
        self._look_for_end()

    def _look_for_end(self) -> None:
        """The spawners let go before the kernel unmounts, which syncs the whole disk and can take seconds: not waited
        for, as nobody is left to write."""
        if not self._all_dead:
            self.kill()
        elif all(link.ended.done() for link in self._links.values()) and not self.died.done():
            close_all([*self._alive, self._network])
            self._network = None
            self.died.set_result(None)

    def kill(self) -> None:
        """Begin its end. Process 1 first, so that the spawners can reap what they started; they end when it has."""
        if not self._host.isolated:
            self._links["root"].close()
        elif not self._all_dead:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        user: str = "sprite",
        tty: tuple[int, int] | None = None,
        stdin: bool = True,
        fds: tuple[int, int, int] | None = None,
    ) -> Process:
        """Start a command in a session of its own. tty: rows, columns. stdin False: nothing to read.

        fds: used as its 0, 1 and 2 instead; they stay the caller's. CannotStart: 127 not found, 126 not to be run.
        """
        if not argv:
            raise CannotStart(127, "no command")
        command = {
            "argv": list(argv),
            "env": {**self._environment(user, tty is not None), **env},
            "cwd": cwd or (identity.home(user) if self._host.isolated else HOME),
            "tty": tty,
            "stdin": stdin,
        }
        starting = self._loop.create_task(_start(self._links[user], command, fds or ()))
        starting.add_done_callback(self._starting.discard)
        self._starting.add(starting)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_abandon)
            raise

    def _environment(self, user: str, terminal: bool) -> dict[str, str]:
        if self._host.isolated:
            return environment.inside(user, terminal=terminal)
        tools = str(self._host.base().sprite / "bin")
        return environment.plain(str(plain.home(self._spec)), tools, str(self._spec.door), terminal=terminal)

    async def place_mount(self, mount_fd: int | Path, path: str, *, read_only: bool, user: str = "sprite") -> None:
        """Put a detached mount (without isolation: a symlink to a folder) at ``path``; a stale one there goes.

        Missing folders on the way are made as ``user``.
        """
        if isinstance(mount_fd, Path):
            await self._root("link", target=str(mount_fd), path=path)
            return
        uid = 0 if user == "root" else identity.sprite_uid(self._host.tier)
        await self._root("place", [mount_fd], path=path, read_only=read_only, uid=uid)

    async def remove_mount(self, path: str) -> None:
        """Lazily; absent is fine, and so is a sandbox that has ended. By the path it was placed at."""
        with suppress(SandboxGone):
            await self._root("remove" if self._host.isolated else "unlink", path=path)

    async def make_read_only(self, path: str) -> None:
        """Nobody writes there any more: processes that hold a file open for writing are killed, at worst it goes."""
        await self._root("read_only" if self._host.isolated else "unlink", path=path)

    async def open_file(self, path: str, flags: int, mode: int = 0o644, *, user: str) -> int:
        """An fd of a regular file or a folder, opened inside as ``user``. OSError as there."""
        _, (fd,) = await self._links[user].call("open", path=path, flags=flags, mode=mode)
        return fd

    async def file_op(self, op: str, *, user: str, **arguments: Any) -> Any:
        """list, stat, mkdirs, delete, rename, copy, chmod or chown; see ``files.FileOperations``. OSError as there."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                await self._links[user].call("file", [theirs.fileno()], name=op, arguments=arguments)
            message = await receive_message(ours)
        return check(message)["result"]

    async def network_socket(self, family: int, type: int, protocol: int = 0) -> socket.socket:
        """A socket of the sandbox's network namespace; the host's own without isolation."""
        return await self.in_network(lambda: socket.socket(family, type, protocol))

    async def in_network(self, act: Callable[[], Made]) -> Made:
        """Run ``act`` inside the sandbox's network namespace with the daemon's own rights."""
        if not self._host.isolated:
            return act()
        if self._network is None:
            raise SandboxGone("the sandbox has ended")
        return await asyncio.wrap_future(_in_network(os.dup(self._network), act))

    async def processes(self) -> int:
        """User processes alive inside; 0 is idle."""
        message, _ = await self._root("processes")
        return int(message["count"])

    async def freeze(self) -> None:
        await self._root("init", what="freeze")

    async def thaw(self) -> None:
        await self._root("init", what="thaw")

    async def _root(self, op: str, fds: Sequence[int] = (), **arguments: Any) -> tuple[dict[str, Any], list[int]]:
        return await self._links["root"].call(op, fds, **arguments)

    async def stop(self) -> None:
        """Kill all, and wait until it is reaped."""
        self.kill()
        try:
            await asyncio.wait_for(asyncio.shield(self.died), _STOP_SECONDS)
        except TimeoutError:
            for fd in self._alive:
                with suppress(OSError):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
            await self.died


async def _start(link: Link, command: dict[str, Any], fds: Sequence[int]) -> Process:
    (message, ends), number, exited = await link.start(command, fds)
    return Process(link, number, _pid_inside(message["pid"]), _named(ends, command["tty"] is not None), exited)


def _pid_inside(pid: int) -> int:
    """Its number in the innermost PID namespace; the one we know it by if it has ended already."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[-1]) for line in lines if line.startswith("NSpid:"))
    except (OSError, StopIteration):
        return pid


def _named(ends: Sequence[int], terminal: bool) -> dict[str, int]:
    if terminal and ends:
        return {"terminal": ends[0]}
    return dict(zip(_STREAMS[len(_STREAMS) - len(ends) :], ends, strict=True))


def _abandon(starting: "asyncio.Task[Process]") -> None:
    """Whoever asked has gone: the command goes, too."""
    if not starting.cancelled() and starting.exception() is None:
        process = starting.result()
        process.signal(signal.SIGKILL)
        process.close()


def _in_network(namespace: int, act: Callable[[], Made]) -> "Future[Made]":
    """In a thread that ends there: a rootless daemon could not come back from it."""
    made: Future[Made] = Future()

    def enter() -> None:
        try:
            syscalls.setns(namespace, syscalls.CLONE_NEWNET)
            made.set_result(act())
        except BaseException as error:
            made.set_exception(error)
        finally:
            os.close(namespace)

    threading.Thread(target=enter, daemon=True).start()
    return made
