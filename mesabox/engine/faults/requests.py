"""Faults of whole requests: slow, refused before anything is done, or done and not answered."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from mesabox.engine.faults.aimed import Aimed
from mesabox.engine.faults.faults import Shot
from mesabox.engine.gate import App, Message, Receive, Scope, Send
from mesabox.engine.transport import hang_up

_TEXTS = {500: "internal error", 502: "bad gateway", 503: "service unavailable", 504: "gateway timeout"}


def latency(shot: Shot, _: Aimed, app: App) -> App:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        shot.fires()
        await asyncio.sleep(shot.amount)
        await app(scope, receive, send)

    return slow


def hang(shot: Shot, _: Aimed, app: App) -> App:
    """Until the client has had enough."""

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        if not shot.fires():
            return await app(scope, receive, send)
        while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
            pass

    return silent


def rate_limit(shot: Shot, aimed: Aimed, app: App) -> App:
    creates = aimed.is_for("POST", "")
    error = "sprite_creation_rate_limited" if creates else "rate_limited"
    return _instead(shot, app, _too_many(aimed, error, round(shot.amount)))


def sprite_limit(shot: Shot, aimed: Aimed, app: App) -> App:
    """429 once there are so many."""
    if aimed.world.sprites() < round(shot.amount):
        return app
    return _instead(shot, app, _too_many(aimed, "concurrent_sprite_limit_exceeded", 30, limit=round(shot.amount)))


def _too_many(aimed: Aimed, error: str, seconds: int, limit: int = 10) -> App:
    """The documented body and headers (wire §1.5); of Mesa nothing is known but the status."""
    headers = {
        "Retry-After": str(seconds),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(time.time()) + seconds),
    }
    if aimed.service == "mesa":
        return aimed.refusal(429, "too many requests", code="RATE_LIMITED", headers={"Retry-After": str(seconds)})
    counts = {"limit": limit, "window_seconds": 60, "retry_after_seconds": seconds, "current_count": limit}
    more: dict[str, Any] = {"message": "too many requests: slow down", **counts, "upgrade_available": False}
    return aimed.refusal(429, error, more=more, headers=headers)


def unavailable(shot: Shot, aimed: Aimed, app: App) -> App:
    status = round(shot.amount)
    return _instead(shot, app, aimed.refusal(status, _TEXTS.get(status, "server error"), code="INTERNAL_ERROR"))


def sprites_401(shot: Shot, aimed: Aimed, app: App) -> App:
    return _instead(shot, app, aimed.refusal(401, "authentication failed"))


def mesa_401(shot: Shot, aimed: Aimed, app: App) -> App:
    text, headers = "The API key has expired", {"WWW-Authenticate": 'Bearer realm="mesa"'}
    return _instead(shot, app, aimed.refusal(401, text, code="UNAUTHENTICATED", headers=headers))


def no_minting(shot: Shot, aimed: Aimed, app: App) -> App:
    return _instead(shot, app, aimed.refusal(404, "not found", code="NOT_FOUND"))


def sprite_not_ready(shot: Shot, aimed: Aimed, app: App) -> App:
    return _instead(shot, app, aimed.refusal(503, "sprite is starting"))


def url_limit(shot: Shot, aimed: Aimed, app: App) -> App:
    length = len(aimed.scope["raw_path"]) + 1 + len(aimed.scope["query_string"])
    return _instead(shot, app, aimed.refusal(431, "request header too large")) if length > shot.amount else app


def lost_answer(shot: Shot, _: Aimed, app: App) -> App:
    async def done(scope: Scope, receive: Receive, send: Send) -> None:
        if not shot.fires():
            return await app(scope, receive, send)
        await _unanswered(app, scope, receive)
        await hang_up(scope)

    return done


def lost_answer_502(shot: Shot, aimed: Aimed, app: App) -> App:
    async def done(scope: Scope, receive: Receive, send: Send) -> None:
        if not shot.fires():
            return await app(scope, receive, send)
        await _unanswered(app, scope, receive)
        await aimed.refusal(502, _TEXTS[502], code="BAD_GATEWAY")(scope, receive, send)

    return done


async def _unanswered(app: App, scope: Scope, receive: Receive) -> None:
    """To its end; a command's socket as far as its opening, as if it broke just then: the command has been started."""

    async def nowhere(message: Message) -> None:
        if message["type"] == "websocket.accept":
            raise ConnectionResetError

    with suppress(ConnectionResetError):
        await app(scope, receive, nowhere)


def _instead(shot: Shot, app: App, refusal: App) -> App:
    async def refused(scope: Scope, receive: Receive, send: Send) -> None:
        await (refusal if shot.fires() else app)(scope, receive, send)

    return refused
