"""A running command: the exec WebSocket (wire/sprites §3), from the first frame to the exit frame."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mesabox.clients.base import Output, Tail, no_tail
from mesabox.errors import OutcomeUnknown
from mesabox.wire.frames import MAX_PAYLOAD, STDIN_EOF_FRAME, Stream, data_frame, exit_code_of, split_frame

_SILENCE_SECONDS = 45.0
_PONG_SECONDS = 20.0
_TRAILING_SECONDS = 1.0
"""What a JSON exit without a TTY may still be followed by: output, and the exit frame itself (wire/sprites §3.9)."""
_SESSION_INFO_SECONDS = 10.0
_MOST = 255
"""An exit code beyond it would be another one, 0 perhaps, as that of a process."""

Connect = Callable[[], Awaitable[ClientConnection]]
Kill = Callable[[str, str], Awaitable[None]]


class SpriteExecution:
    """tty None: not known before the service says so (attach). kill: (session id, signal name) by HTTP.

    tail: asked at the exit, for how many seconds output is still taken in after it.
    """

    def __init__(self, connect: Connect, kill: Kill, *, tty: bool | None, tail: Tail = no_tail) -> None:
        self.session_id: str | None = None
        self.exit_code: int | None = None
        self._connect = connect
        self._kill = kill
        self._tty = tty
        self._tail = tail
        self._socket: ClientConnection | None = None
        self._early: list[bytes] = []

    async def __aenter__(self) -> "SpriteExecution":
        self._socket = await self._connect()
        try:
            if self._tty is None:
                await self._learn_mode()
        except BaseException:
            await self._socket.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Leaves at once: the service may hold the socket for 5 s after the exit frame (sprites-py #24)."""
        await self._opened.close()

    def __aiter__(self) -> AsyncIterator[Output]:
        return self._outputs()

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), MAX_PAYLOAD):
            piece = data[start : start + MAX_PAYLOAD]
            await self._send(piece if self._tty else data_frame(Stream.STDIN, piece))

    async def close_stdin(self) -> None:
        """A terminal has no end of input but the keystroke, which is the same byte as the frame."""
        await self._send(STDIN_EOF_FRAME)

    async def resize(self, rows: int, cols: int) -> None:
        await self._send(json.dumps({"type": "resize", "rows": rows, "cols": cols}))

    async def signal(self, name: str) -> None:
        if "signal" in self._capabilities():
            await self._send(json.dumps({"type": "signal", "signal": name}))
        elif self.session_id is not None:
            await self._kill(self.session_id, name)

    @property
    def _opened(self) -> ClientConnection:
        assert self._socket is not None, "an execution is used inside its async with"
        return self._socket

    async def _outputs(self) -> AsyncIterator[Output]:
        async for message in self._messages():
            if isinstance(message, str):
                if self._control(message) and self._tty:
                    break
            elif (output := self._output(message)) is not None:
                yield output
            elif message[:1] == bytes([Stream.EXIT]):
                self.exit_code = exit_code_of(message[1:])
                break
        async for message in self._after_exit():
            if (output := self._output(message)) is not None:
                yield output

    def _output(self, message: bytes) -> Output | None:
        if self._tty:
            return Output(Stream.STDOUT, message)
        stream, payload = split_frame(message) or (Stream.EXIT, b"")
        return Output(stream, payload) if stream in (Stream.STDOUT, Stream.STDERR) and payload else None

    async def _after_exit(self) -> AsyncIterator[bytes]:
        """What overtook nothing but the exit: it is on its way already. A service that closes at once, as they should,
        costs nothing by it; one that holds the socket for seconds costs all of it. Another exit says nothing new.
        """
        seconds = self._tail()
        until = asyncio.get_running_loop().time() + seconds
        while seconds:
            try:
                async with asyncio.timeout_at(until):
                    message = await self._opened.recv()
            except (ConnectionClosed, TimeoutError):
                return
            if isinstance(message, bytes):
                yield message

    async def _messages(self) -> AsyncIterator[str | bytes]:
        """Until the socket closes. Raises OutcomeUnknown when it does before any exit was told."""
        for early in self._early:
            yield early
        while True:
            try:
                message = await self._receive()
            except (ConnectionClosed, TimeoutError) as ended:
                if self.exit_code is None:
                    raise self._unknown(ended) from None
                return
            yield message

    async def _receive(self) -> str | bytes:
        """The next message. A silent command is kept apart from a dead connection by a ping of our own: the
        library's would also end a connection whose pongs wait behind output that is being read slowly.
        """
        if self.exit_code is not None:
            async with asyncio.timeout(_TRAILING_SECONDS):
                return await self._opened.recv()
        while True:
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    return await self._opened.recv()
            except TimeoutError:
                async with asyncio.timeout(_PONG_SECONDS):
                    await (await self._opened.ping())

    def _control(self, text: str) -> bool:
        """Takes in a control message; True when it told the exit. One without a code tells nothing: never a guess."""
        try:
            message: Any = json.loads(text)
        except ValueError:
            return False
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "session_info":
            self.session_id = str(message.get("session_id"))
            self._tty = bool(message.get("tty", self._tty))
        elif kind == "exit" and isinstance(code := message.get("exit_code"), int):
            self.exit_code = code if 0 <= code <= _MOST else _MOST
            return True
        return False

    async def _learn_mode(self) -> None:
        async with asyncio.timeout(_SESSION_INFO_SECONDS):
            while self._tty is None:
                message = await self._opened.recv()
                if isinstance(message, str):
                    self._control(message)
                else:
                    self._early.append(message)

    async def _send(self, message: str | bytes) -> None:
        """Waits while the service is slow. After the end there is nobody to tell, which is no error."""
        with suppress(ConnectionClosed):
            await self._opened.send(message)

    def _capabilities(self) -> list[str]:
        response = self._opened.response
        listed = response.headers.get("X-Sprite-Capabilities", "") if response else ""
        return [word.strip() for word in listed.split(",")]

    def _unknown(self, ended: Exception) -> OutcomeUnknown:
        why = str(ended) if isinstance(ended, ConnectionClosed) else "the service stopped answering"
        return OutcomeUnknown("the connection ended before the command's exit code was told", why=why)
