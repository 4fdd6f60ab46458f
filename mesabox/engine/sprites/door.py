"""The sprite's door: a unix socket inside the sandbox, through which its tools ask the engine for things.

One client is one JSON line in and one JSON line out; stdio descriptors may come with the first byte (``sudo``). Which
sprite asks is known by the socket it came through, which user by SO_PEERCRED; the sandbox is given nothing else.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mesabox.engine.network.tasks import visitors
from mesabox.engine.sandbox.host import CannotStart, Ids, Process, Sandbox
from mesabox.engine.sprites.descriptors import ready

Handler = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
_LINE = 1 << 20
_CLIENTS = 64
_STDIO = 3
_PASSED = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "HUP": signal.SIGHUP, "QUIT": signal.SIGQUIT}


class Door:
    """Listens at ``folder/door.sock`` while the sandbox is up."""

    def __init__(self, folder: Path, ids: Ids) -> None:
        self.folder = folder
        self._ids = ids
        self._socket: socket.socket | None = None
        self._clients: set[asyncio.Task[None]] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def open(self, handler: Handler, sandbox: Sandbox) -> None:
        """``handler(user, request) -> reply`` answers all but ``sudo``, which is answered here."""
        path = self.folder / "door.sock"
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self.folder.chmod(0o755)
        self._socket.listen(_CLIENTS)
        self._start(self._welcome(self._socket, handler, sandbox))

    async def close(self) -> None:
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self._socket:
            self._socket.close()
        (self.folder / "door.sock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _welcome(self, listening: socket.socket, handler: Handler, sandbox: Sandbox) -> None:
        async for client in visitors(listening):
            client.setblocking(False)
            if len(self._clients) > _CLIENTS:
                client.close()
            else:
                self._start(self._serve(client, handler, sandbox))

    async def _serve(self, client: socket.socket, handler: Handler, sandbox: Sandbox) -> None:
        visitor = Visitor(client)
        try:
            request = await visitor.line()
            if request is None:
                return
            if request.get("op") == "sudo":
                reply = await _sudo(visitor, request, sandbox)
            else:
                reply = await handler(self._user(client), request)
            await visitor.reply(reply)
        except (OSError, ValueError, RecursionError):
            pass  # a client that breaks off, or says what is no JSON object, gets no answer
        finally:
            visitor.close()

    def _user(self, client: socket.socket) -> str:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", credentials)
        return "root" if uid == self._ids.root_uid != self._ids.sprite_uid else "sprite"


class Visitor:
    """One connection through the door, with the descriptors that came with its first bytes."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._buffer = b""
        self.descriptors: list[int] = []

    async def line(self) -> dict[str, Any] | None:
        """The next JSON object; None at the end. ValueError for anything else, or a line above 1 MiB."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LINE:
                raise ValueError("line too long")
            data = await self._receive()
            if not data:
                return None
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\n")
        request = json.loads(text)
        if not isinstance(request, dict):
            raise ValueError("not an object")
        return request

    async def _receive(self) -> bytes:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._client, 65536, _STDIO)
            except BlockingIOError:
                await ready(self._client.fileno())
                continue
            self._take(descriptors)
            return data

    def _take(self, descriptors: list[int]) -> None:
        """ValueError when more come than a command has use for: the engine has only so many itself."""
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self.descriptors += descriptors
        if len(self.descriptors) > _STDIO:
            raise ValueError("too many descriptors")

    async def reply(self, message: dict[str, Any]) -> None:
        await asyncio.get_running_loop().sock_sendall(self._client, json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
        self._client.close()


async def _sudo(visitor: Visitor, request: dict[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    """Run ``argv`` as the sandbox's root on the visitor's own stdio; signals come as further lines."""
    argv, env, cwd = request.get("argv"), request.get("env") or {}, request.get("cwd")
    if not (isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv)):
        return {"ok": False, "error": "no command", "exit": 1}
    if not _is_environment(env) or not isinstance(cwd, str | None):
        return {"ok": False, "error": "the environment or the folder is none", "exit": 1}
    if len(visitor.descriptors) != _STDIO:
        return {"ok": False, "error": "stdin, stdout and stderr must come along", "exit": 1}
    user = "sprite" if request.get("user") == "sprite" else "root"
    fds = (visitor.descriptors[0], visitor.descriptors[1], visitor.descriptors[2])
    try:
        process = await sandbox.spawn(argv, env=env, cwd=cwd, user=user, fds=fds)
    except CannotStart as error:
        return {"ok": False, "error": str(error), "exit": error.exit_code}
    listener = asyncio.create_task(_pass_signals(visitor, process))
    try:
        return {"ok": True, "exit_code": await process.wait()}
    finally:
        listener.cancel()
        process.close()


def _is_environment(env: Any) -> bool:
    return isinstance(env, dict) and all(isinstance(value, str) for value in env.values())


async def _pass_signals(visitor: Visitor, process: Process) -> None:
    """Signals of the visitor; one who breaks off takes the command along."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        while (message := await visitor.line()) is not None:
            if number := _PASSED.get(str(message.get("signal"))):
                process.signal(number)
    process.signal(signal.SIGTERM)
