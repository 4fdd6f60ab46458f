"""The daemon's end of a spawner's channel: requests and answers over the event loop, never blocking it."""

import asyncio
import os
import socket
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from mesabox.engine.sandbox.channel import Decoder, Message, close_all, encode, receive_some, send_start
from mesabox.engine.sandbox.values import CannotStart

Answer = tuple[Message, list[int]]


class SandboxGone(ConnectionError):
    """The sandbox ended while it was asked, or had ended before."""


class Link:
    """Numbered requests to one spawner. Exits of commands are told by the number of the request that started them."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._turn = asyncio.Lock()
        self._posted: set[asyncio.Task[Answer]] = set()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), self._readable)

    async def call(self, op: str, fds: Sequence[int] = (), **arguments: Any) -> Answer:
        """The answer and its descriptors, the caller's to close. OSError or CannotStart as the spawner says it."""
        return await self._request(next(self._numbers), op, fds, arguments)

    async def start(self, command: Message, fds: Sequence[int]) -> tuple[Answer, int, "asyncio.Future[int]"]:
        """Spawn: the answer, the request's number, and the exit code to come."""
        number = next(self._numbers)
        exited = self._exits[number] = self._loop.create_future()
        try:
            return await self._request(number, "spawn", fds, command), number, exited
        except BaseException:
            self._exits.pop(number, None)
            raise

    def post(self, op: str, **arguments: Any) -> None:
        """Ask without waiting; an answer that never comes is nobody's loss."""
        task = self._loop.create_task(self._quietly(self.call(op, **arguments)))
        self._posted.add(task)
        task.add_done_callback(self._posted.discard)

    async def _quietly(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        with suppress(OSError, CannotStart):
            return await call
        return {}, []

    async def _request(self, number: int, op: str, fds: Sequence[int], arguments: dict[str, Any]) -> Answer:
        if self.ended.done():
            raise SandboxGone("the sandbox has ended")
        answered = self._waiting[number] = self._loop.create_future()
        try:
            await self._send({"id": number, "op": op, **arguments}, fds)
            message, given = await answered
        finally:
            self._waiting.pop(number, None)
        return check(message), given

    async def _send(self, message: Message, fds: Sequence[int]) -> None:
        data = encode(message, fds)
        async with self._turn:  # one message at a time: they are pieces of one stream
            try:
                sent = await self._send_start(data, fds)
                if sent < len(data):
                    await self._loop.sock_sendall(self._sock, memoryview(data)[sent:])
            except (BrokenPipeError, ConnectionResetError) as error:
                raise SandboxGone("the sandbox has ended") from error

    async def _send_start(self, data: bytes, fds: Sequence[int]) -> int:
        while True:
            try:
                return send_start(self._sock, data, fds)
            except BlockingIOError:
                await self._writable()

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(self._sock.fileno(), _resolve, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        try:
            data, fds = receive_some(self._sock)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self.close()
        for message, given in self._decoder.feed(data, fds):
            self._arrived(message, given)

    def _arrived(self, message: Message, fds: list[int]) -> None:
        if "exited" in message:
            exited = self._exits.pop(message["exited"], None)
            if exited is not None and not exited.done():
                exited.set_result(message["status"])
            return
        waiting = self._waiting.get(message["id"])
        if waiting is None or waiting.done():  # who asked has been cancelled
            close_all(fds)
        else:
            waiting.set_result((message, fds))

    def close(self) -> None:
        """The end: what was asked fails, what ran was killed."""
        if self.ended.done():
            return
        self.ended.set_result(None)
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(SandboxGone("the sandbox has ended"))
        for exited in self._exits.values():
            if not exited.done():
                exited.set_result(137)
        self._exits.clear()


async def receive_message(sock: socket.socket) -> Message:
    """The one message of a socket that carries no more; SandboxGone if it closes without."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    decoder = Decoder()
    while data := await loop.sock_recv(sock, 1 << 16):
        for message, _ in decoder.feed(data, []):
            return message
    raise SandboxGone("the operation was cut short")


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def check(message: Message) -> Message:
    """The message, or the error it carries."""
    if "cannot_start" in message:
        raise CannotStart(*message["cannot_start"])
    if message.get("errno") is not None:
        raise OSError(message["errno"], message["text"] or os.strerror(message["errno"]), message["path"])
    return message
