"""``GET S/exec`` and ``S/exec/{id}`` as WebSockets: run a command, or attach to one that runs."""

import asyncio
import contextlib
import json
import signal
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from mesabox.engine.sprites.machines import VERSION_HEADER, Machines
from mesabox.engine.sprites.problems import Invalid, Problem
from mesabox.engine.sprites.sessions import Session, Watcher
from mesabox.wire.execution import ExecRequest
from mesabox.wire.frames import Stream, data_frame, exit_frame

_HEADERS = [VERSION_HEADER, (b"x-sprite-capabilities", b"signal")]
_AFTER_EXIT = 1.0
_HEARTBEAT = 20.0


class ExecSocket:
    """The two WebSocket routes of exec, over the sprites' machines."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def execute(self, socket: WebSocket) -> None:
        """A new session, or with ``?id=`` the attach of SDKs before rc30."""
        if session_id := socket.query_params.get("id"):
            return await self._attach_to(socket, session_id)
        try:
            request = exec_request(socket)
            session, watcher = await self._machines.execute(_name(socket), request)
        except Problem as problem:
            return await socket.send_denial_response(problem.response())
        await self._serve(socket, session, watcher, takes_stdin=request.stdin or request.tty)

    async def attach(self, socket: WebSocket) -> None:
        await self._attach_to(socket, socket.path_params["session"])

    async def _attach_to(self, socket: WebSocket, session_id: str) -> None:
        try:
            session = await self._machines.session(_name(socket), session_id)
        except Problem as problem:
            return await socket.send_denial_response(problem.response())
        await self._serve(socket, session, session.watch(scrollback=True), takes_stdin=True)

    async def _serve(self, socket: WebSocket, session: Session, watcher: Watcher, *, takes_stdin: bool) -> None:
        listener = None
        try:
            await socket.accept(headers=_HEADERS)
            listener = asyncio.create_task(_listen(socket, session, watcher, takes_stdin))
            await socket.send_text(json.dumps(_session_info(session)))
            await _tell(socket, session, watcher)
            await _finish(socket, session, watcher, listener)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # the client has left: the session goes on by its linger time
        finally:
            session.leave(watcher)
            if listener:
                listener.cancel()


def exec_request(connection: Any) -> ExecRequest:
    """The request in a connection's query; Invalid names the parameter that is wrong."""
    pairs = connection.query_params.multi_items()
    for name, value in pairs:
        if "\0" in value:
            raise Invalid(f"{name[:40]} must not contain NUL")
    try:
        return ExecRequest.from_query(pairs)
    except ValueError as error:
        raise Invalid(str(error)) from None


def _name(socket: WebSocket) -> str:
    return str(socket.path_params["name"])


def _session_info(session: Session) -> dict[str, Any]:
    return {
        "type": "session_info",
        "session_id": session.id,
        "command": " ".join(session.argv),
        "created": int(session.created),
        "cols": 0,
        "rows": 0,
        "is_owner": True,
        "tty": session.tty,
    }


async def _tell(socket: WebSocket, session: Session, watcher: Watcher) -> None:
    """Output as it comes. A silent command is kept alive by harmless text (@fly/sprites gives up after 45 s)."""
    heartbeat = asyncio.create_task(_beat(socket, session, watcher))
    try:
        async for stream, data in watcher:
            await socket.send_bytes(data if session.tty else data_frame(Stream(stream), data))
    finally:
        heartbeat.cancel()


async def _beat(socket: WebSocket, session: Session, watcher: Watcher) -> None:
    """Also how the leaving of a client is noticed that sent more input than its command takes: no more is read."""
    try:
        while not session.tty:
            await asyncio.sleep(_HEARTBEAT)
            await socket.send_text('{"type":"debug"}')
    except (WebSocketDisconnect, RuntimeError, OSError):
        watcher.close()


async def _finish(socket: WebSocket, session: Session, watcher: Watcher, listener: "asyncio.Task[None]") -> None:
    """All output is out: tell the exit code, close, and keep reading for a moment until the peer has closed too."""
    if watcher.fell_behind:
        return await socket.close(1008, "too much output was left unread")
    if session.exit_code is None:
        return await socket.close(1001, "the sprite has stopped")
    if session.tty:
        await socket.send_text(json.dumps({"type": "exit", "exit_code": session.exit_code}))
    else:
        await socket.send_bytes(exit_frame(session.exit_code))
    await socket.close(1000)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(listener, _AFTER_EXIT)


async def _listen(socket: WebSocket, session: Session, watcher: Watcher, takes_stdin: bool) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            await _hear(session, message, takes_stdin)
    watcher.close()


async def _hear(session: Session, message: Any, takes_stdin: bool) -> None:
    if (text := message.get("text")) is not None:
        return _control(session, text)
    data: bytes = message.get("bytes") or b""
    if not data:
        return
    if session.tty:
        await session.write(data)
    elif takes_stdin:
        await _input(session, data)


async def _input(session: Session, frame: bytes) -> None:
    if frame[0] == Stream.STDIN:
        await session.write(frame[1:])
    elif frame[0] == Stream.STDIN_EOF:
        await session.close_stdin()


def _control(session: Session, text: str) -> None:
    """``resize`` and ``signal``; anything else, malformed text included, is ignored as the service does."""
    try:
        message = json.loads(text)
        if message["type"] == "resize":
            session.resize(_length(message["rows"]), _length(message["cols"]))
        elif message["type"] == "signal":
            session.signal(signal_number(str(message["signal"])))
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return


def _length(value: Any) -> int:
    """Of one side of a terminal."""
    length = int(value)
    if not 0 <= length <= 0xFFFF:
        raise ValueError("not a terminal's length")
    return length


def signal_number(name: str) -> int:
    """``TERM``, ``SIGTERM`` or ``15``. ValueError for anything else."""
    text = name.upper().removeprefix("SIG")
    if text.isdecimal() and 0 < int(text) < 65:
        return int(text)
    try:
        return signal.Signals[f"SIG{text}"].value
    except KeyError:
        raise ValueError(f"unknown signal: {name[:40]}") from None
