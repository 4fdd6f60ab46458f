"""Exec over plain HTTP: run with ``POST S/exec``, list the sessions, signal one."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from mesabox.engine.sprites.answers import Json
from mesabox.engine.sprites.bodies import json_object
from mesabox.engine.sprites.exec_socket import exec_request, signal_number
from mesabox.engine.sprites.machines import VERSION_HEADER, Machines
from mesabox.engine.sprites.problems import Invalid, Problem
from mesabox.engine.sprites.sessions import Session, Watcher
from mesabox.engine.sprites.store import rfc3339
from mesabox.wire.durations import parse_duration
from mesabox.wire.frames import Stream, data_frame, exit_frame

_CHUNK = 4096
_BETWEEN_CHUNKS = 0.002
"""Seconds: @fly/sprites takes whatever it reads at once for one frame, so that two must not arrive together."""
_VERSION = {VERSION_HEADER[0].decode(): VERSION_HEADER[1].decode()}


class ExecRoutes:
    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def execute(self, request: Request) -> Response:
        """One HTTP chunk a frame; the last is ``03 code``. The body is stdin when ``stdin=true``."""
        wanted = exec_request(request)
        session, watcher = await self._machines.execute(request.path_params["name"], wanted)
        return FrameResponse(request, session, watcher, takes_stdin=wanted.stdin)

    async def version(self, request: Request) -> Response:
        self._machines.record(request.path_params["name"])
        return Response(headers=_VERSION)

    async def index(self, request: Request) -> Response:
        machine = self._machines.of(self._machines.record(request.path_params["name"]))
        sessions = [_shape(session) for session in machine.sessions.running.values()]
        return Json({"count": len(sessions), "sessions": sessions}, headers=_VERSION)

    async def show(self, request: Request) -> Response:
        """Without an upgrade there is nothing to attach to."""
        await self._machines.session(request.path_params["name"], request.path_params["session"])
        raise Problem(426, "a session is attached to over a WebSocket", plain=True)

    async def kill(self, request: Request) -> Response:
        """Arguments in the query (Go, JS, documentation) or in a JSON body (sprites-py)."""
        values = {**await json_object(request), **request.query_params}
        number, patience = _signal(values), _patience(values)
        name, session_id = request.path_params["name"], request.path_params["session"]
        sessions = self._machines.of(self._machines.record(name)).sessions
        if sessions.ended(session_id) is not None:
            raise Problem(410, f"session already exited: {session_id}", plain=True)
        session = await self._machines.session(name, session_id)
        return StreamingResponse(_kill(session, number, patience), media_type="application/x-ndjson", headers=_VERSION)


class FrameResponse(Response):
    """Output as chunks while the request's body is still read as stdin; StreamingResponse would read that itself."""

    def __init__(self, request: Request, session: Session, watcher: Watcher, *, takes_stdin: bool) -> None:
        super().__init__(headers=_VERSION, media_type="application/octet-stream")
        del self.headers["content-length"]
        self._request = request
        self._session = session
        self._watcher = watcher
        self._takes_stdin = takes_stdin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        feeder = asyncio.create_task(self._feed())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for frame in self._frames():
                await send({"type": "http.response.body", "body": frame, "more_body": True})
                await asyncio.sleep(_BETWEEN_CHUNKS)
            await send({"type": "http.response.body", "body": b""})
        finally:
            feeder.cancel()
            self._session.leave(self._watcher)

    async def _frames(self) -> AsyncIterator[bytes]:
        async for stream, data in self._watcher:
            for start in range(0, len(data), _CHUNK):
                yield data_frame(Stream(stream), data[start : start + _CHUNK])
        code = self._session.exit_code
        yield exit_frame(255 if code is None or self._watcher.fell_behind else code)

    async def _feed(self) -> None:
        """The body to its end; then wait for the client to leave, which lets go of the command."""
        with contextlib.suppress(ClientDisconnect):
            async for piece in self._request.stream():
                if self._takes_stdin and piece:
                    await self._session.write(piece)
            await self._session.close_stdin()
            await self._request.receive()
        self._watcher.close()


def _shape(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "created": rfc3339(session.created),
        "command": " ".join(session.argv),
        "workdir": session.workdir,
        "tty": session.tty,
        "bytes_per_second": 0,
        "is_active": True,
        "last_activity": rfc3339(session.last_activity),
    }


def _signal(values: dict[str, Any]) -> int:
    try:
        return signal_number(str(values.get("signal") or "TERM"))
    except ValueError as error:
        raise Invalid(str(error)) from None


def _patience(values: dict[str, Any]) -> float:
    try:
        return parse_duration(str(values.get("timeout", "10s")))
    except ValueError:
        raise Invalid("timeout must be a duration such as 10s") from None


async def _kill(session: Session, number: int, patience: float) -> AsyncIterator[str]:
    """Signal, wait, then KILL. A timeout of 0 signals and does not wait (sprites-go's fallback)."""
    pid = int(session.id)
    name = signal.Signals(number).name if number in signal.Signals._value2member_map_ else str(number)
    yield _event("signal", message=f"Signaling {name} to process group {pid}", signal=name, pid=pid)
    session.signal(number)
    if patience:
        if not await _over(session, patience):
            yield _event("timeout", message=f"still running after {patience:g}s")
            session.signal(signal.SIGKILL)
            yield _event("killed", message=f"killed process group {pid}")
            await _over(session, 5.0)
        yield _event("exited", message="process exited")
        yield _event("complete", exit_code=session.exit_code if session.exit_code is not None else 255)


async def _over(session: Session, seconds: float) -> bool:
    try:
        await asyncio.wait_for(session.exited.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}) + "\n"
