"""What every request passes before a route sees it: log, length, host, raw path, token. Small plain ASGI."""

import hmac
import ipaddress
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_REQUEST_LINE = 1 << 20
"""Bytes, without the end of the line."""
_AROUND_TARGET = len("GET  HTTP/1.1")


class RequestLog:
    """One line a request on stderr: method, path, status, time. Never a query or a header: secrets travel there."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.last_request = time.monotonic()
        self.open_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        started, status = time.monotonic(), [0]

        async def watched(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status[0] = message["status"]
            elif message["type"] == "websocket.accept":
                status[0] = 101
            await send(message)

        self.open_requests += 1
        try:
            await self._app(scope, receive, watched)
        finally:
            self.open_requests -= 1
            self.last_request = time.monotonic()
            milliseconds = (self.last_request - started) * 1000
            word = "WS" if scope["type"] == "websocket" else scope["method"]
            path = scope["raw_path"].decode("latin-1")[:200]
            print(f"{word} {path} {status[0]} {milliseconds:.1f} ms", file=sys.stderr)


class RawPath:
    """Route on the path as it was sent: ``feat%2Fx`` is one segment, which its route unquotes."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "raw_path" in scope:
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


class ShortEnough:
    """A request line above the limit is 414, however it happened to arrive."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = len(scope.get("raw_path", b"")) + 1 + len(scope.get("query_string", b""))
        if target + _AROUND_TARGET > MOST_REQUEST_LINE:
            text = f"the request line is above {MOST_REQUEST_LINE} bytes"
            return await refuse(scope, receive, send, 414, {"error": text})
        await self._app(scope, receive, send)


class LoopbackHost:
    """Only requests that name the loopback as their host: a web page cannot rebind its name to us."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not _is_loopback(_header(scope, b"host")):
            return await refuse(scope, receive, send, 403, {"error": "the Host header must name the loopback"})
        await self._app(scope, receive, send)


class TokenGuard:
    """``Authorization: Bearer <token>``, compared in constant time; else the recorded 401 of Sprites."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scheme, _, given = _header(scope, b"authorization").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
            return await refuse(scope, receive, send, 401, {"error": "authentication failed"})
        await self._app(scope, receive, send)


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    body: dict[str, Any],
    headers: Mapping[str, str] | None = None,
) -> None:
    """A JSON answer, before any upgrade when it is a WebSocket."""
    response = JSONResponse(body, status, headers)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _header(scope: Scope, name: bytes) -> bytes:
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else b""


def _is_loopback(host: bytes) -> bool:
    text = host.decode("latin-1").lower()
    name = text.rpartition(":")[0] if text.rstrip("0123456789").endswith(":") else text
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
