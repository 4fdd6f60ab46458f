"""Faults of answers: what was done is told wrongly, in part, or in the words of an older service."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from mesabox.engine.faults.aimed import Aimed
from mesabox.engine.faults.faults import Shot
from mesabox.engine.gate import App, Message, Receive, Scope, Send
from mesabox.engine.transport import hang_up

Rewrite = Callable[[Aimed, int, bytes], tuple[int, str, bytes] | None]
"""(the request, status, body) -> (status, content type, body), or None to leave it."""

_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"


def cut_answer(shot: Shot, _: Aimed, app: App) -> App:
    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        left = int(shot.amount)
        gone = False

        async def some(message: Message) -> None:
            nonlocal left, gone
            body = message.get("body", b"")
            if gone or message["type"] != "http.response.body":
                return None if gone else await send(message)
            last = not message.get("more_body")
            if not last and len(body) <= left:
                left -= len(body)
                return await send(message)
            gone = shot.fires()
            if not gone:
                return await send(message)
            part = body[: left if left < len(body) else left % max(1, len(body))]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await hang_up(scope)

        await app(scope, receive, some)

    return cut


def rewritten(rewrite: Rewrite) -> Callable[[Shot, Aimed, App], App]:
    """A wrap that holds an answer until it is whole, and then sends what the rewrite makes of it. Streams go by."""

    def wrap(shot: Shot, aimed: Aimed, app: App) -> App:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            start: Message = {}
            body, streams = b"", False

            async def held(message: Message) -> None:
                nonlocal start, body, streams
                if message["type"] == "http.response.start":
                    start, streams = message, _kind_of(message) == b"application/x-ndjson"
                if streams:
                    return await send(message)
                if message is start:
                    return
                body += message.get("body", b"")
                if not message.get("more_body"):
                    other = rewrite(aimed, start["status"], body)
                    head, told = _changed(start, other) if other and shot.fires() else (start, body)
                    await send(head)
                    await send({"type": "http.response.body", "body": told})

            await app(scope, receive, held)

        return answer

    return wrap


def _kind_of(start: Message) -> bytes:
    return bytes(dict(start["headers"]).get(b"content-type", b"").partition(b";")[0])


def _changed(start: Message, other: tuple[int, str, bytes]) -> tuple[Message, bytes]:
    status, kind, body = other
    kept = [(name, value) for name, value in start["headers"] if name not in (b"content-type", b"content-length")]
    headers = [*kept, (b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    return {**start, "status": status, "headers": headers}, body


def missing_sprite_500(aimed: Aimed, status: int, body: bytes) -> tuple[int, str, bytes] | None:
    """Recorded in January 2026 (§2.4)."""
    if status != 404:
        return None
    verb = "delete" if aimed.method == "DELETE" else "retrieve"
    return 500, _JSON, _dumped({"error": f"failed to {verb} sprite"})


def missing_checkpoint_500(_: Aimed, status: int, body: bytes) -> tuple[int, str, bytes] | None:
    """Recorded (§1.5, shape 3)."""
    text = str(_loaded(body).get("error", ""))
    if status != 404 or not text.startswith("checkpoint"):
        return None
    return 500, _TEXT, f"Failed to get checkpoint: failed to get checkpoint: {text}\n".encode()


def has_more(_: Aimed, status: int, body: bytes) -> tuple[int, str, bytes] | None:
    page = _loaded(body)
    if status != 200 or page.get("has_more") is not False:
        return None
    return 200, _JSON, _dumped({**page, "has_more": True})


def bare_list(_: Aimed, status: int, body: bytes) -> tuple[int, str, bytes] | None:
    page = _loaded(body)
    if status != 200 or "sprites" not in page:
        return None
    bare = [
        {"name": sprite["name"], "org_slug": sprite["organization"], "updated_at": sprite["updated_at"]}
        for sprite in page["sprites"]
    ]
    return 200, _JSON, _dumped({**page, "sprites": bare})


def is_active_wrong(_: Aimed, status: int, body: bytes) -> tuple[int, str, bytes] | None:
    listed = _loaded(body)
    if status != 200 or not listed.get("sessions"):
        return None
    sessions = [{**session, "is_active": not session["is_active"]} for session in listed["sessions"]]
    return 200, _JSON, _dumped({**listed, "sessions": sessions})


def sessions_vanish(aimed: Aimed, status: int, _: bytes) -> tuple[int, str, bytes] | None:
    if status != 410:
        return None
    return 404, _TEXT, f"session not found: {aimed.path.split('/')[-2]}\n".encode()


def checkpoint_fails(shot: Shot, aimed: Aimed, app: App) -> App:
    """Nothing is made, and the 200 was sent before (§2.8)."""

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        if not shot.fires():
            return await app(scope, receive, send)
        lines = [
            {"type": "info", "data": "Creating checkpoint..."},
            {"type": "error", "error": "Failed to create checkpoint: storage is not available"},
        ]
        body = b"".join(_dumped(line) + b"\n" for line in lines)
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return fails


def restore_hangs(shot: Shot, _: Aimed, app: App) -> App:
    return _endless(shot, app, lambda line: b'"complete"' not in line and b"started successfully" not in line)


def restore_no_end(shot: Shot, _: Aimed, app: App) -> App:
    return _endless(shot, app, lambda line: True)


def _endless(shot: Shot, app: App, tells: Callable[[bytes], bool]) -> App:
    """The lines of the stream that it tells; then nothing until the client leaves, and no end."""

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        if not shot.fires():
            return await app(scope, receive, send)

        async def some(message: Message) -> None:
            if message["type"] == "http.response.start":
                return await send(message)
            lines = [line for line in message.get("body", b"").splitlines(keepends=True) if tells(line)]
            await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
            if not message.get("more_body"):
                await asyncio.get_running_loop().create_future()

        await app(scope, receive, some)

    return stream


def read_not_ready(shot: Shot, aimed: Aimed, app: App) -> App:
    return _file_error(shot, aimed, app, "EIO", "input/output error")


def disk_full(shot: Shot, aimed: Aimed, app: App) -> App:
    return _file_error(shot, aimed, app, "ENOSPC", "no space left on device")


def _file_error(shot: Shot, aimed: Aimed, app: App, code: str, text: str) -> App:
    async def refused(scope: Scope, receive: Receive, send: Send) -> None:
        if not shot.fires():
            return await app(scope, receive, send)
        path = parse_qs(scope["query_string"].decode("latin-1")).get("path", [""])[0]
        await aimed.refusal(500, f"{text}: {path}", more={"code": code, "path": path})(scope, receive, send)

    return refused


def _loaded(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
