"""Sprites' API (wire/sprites §2): sandboxes, files, checkpoints, sessions; commands run in ``session``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from mesabox.clients.base import Checkpoint, Completed, FileEntry, Secret, Session, Sprite, Tail, no_tail
from mesabox.clients.sprites import checkpoints, replies
from mesabox.clients.sprites.loader import as_file, goes_as_file
from mesabox.clients.transport import Transport
from mesabox.errors import Failed, MesaboxError, NotFound
from mesabox.wire.durations import format_duration
from mesabox.wire.execution import ExecRequest
from mesabox.wire.frames import Stream

if TYPE_CHECKING:  # websockets takes 20 ms to import: only a command that is run pays for it
    from websockets.asyncio.client import ClientConnection

    from mesabox.clients.sprites.session import Connect, SpriteExecution

T = TypeVar("T")

_PAGE = 50
_CREATE_SECONDS = 120.0


class SpritesToken:
    """Sent as it is."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def token(self) -> str:
        return self._secret.reveal()


class SpritesClient:
    def __init__(self, http: Transport) -> None:
        self._http = http

    async def create_sprite(self, name: str, *, labels: Sequence[str] = ()) -> Sprite:
        body = {"name": name, **({"labels": list(labels)} if labels else {})}
        options = {"json": body, "timeout": _CREATE_SECONDS}
        return await self._json(replies.sprite, "POST", "/v1/sprites", f"sprite {name!r}", **options)

    async def sprite(self, name: str) -> Sprite:
        return await self._json(replies.sprite, "GET", _path(name), f"sprite {name!r}")

    async def sprites(self, *, prefix: str = "") -> AsyncIterator[Sprite]:
        """``has_more`` is not looked at: it has been seen true on a last page (wire/sprites §2.3)."""
        query: dict[str, Any] = {"max_results": _PAGE, **({"prefix": prefix} if prefix else {})}
        while True:
            page = await self._http.json("GET", "/v1/sprites", subject="sprites", params=query)
            for body in self._read(lambda page: page["sprites"], page, "sprites"):
                yield self._read(replies.sprite, body, "sprites")
            if not (token := page.get("next_continuation_token")):
                return
            query["continuation_token"] = token

    async def destroy_sprite(self, name: str) -> None:
        await self._http.send("DELETE", _path(name), subject=f"sprite {name!r}")

    def execute(self, sprite: str, request: ExecRequest, *, tail: Tail = no_tail) -> SpriteExecution:
        async def connect() -> ClientConnection:
            if not goes_as_file(request):
                return await self._dial(sprite, "/exec", request.query(), f"sprite {sprite!r}")
            return await self._dial_with_file(sprite, request)

        return self._execution(connect, sprite, tty=request.tty, tail=tail)

    def attach(self, sprite: str, session_id: str) -> SpriteExecution:
        path = f"/exec/{quote(session_id, safe='')}"

        async def connect() -> ClientConnection:
            return await self._dial(sprite, path, "stdin=true", f"session {session_id!r} of sprite {sprite!r}")

        return self._execution(connect, sprite, tty=None)

    async def run(self, sprite: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        collected = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
        request = ExecRequest(tuple(argv), stdin=bool(stdin))
        try:
            async with asyncio.timeout(timeout), self.execute(sprite, request) as execution, _fed(execution, stdin):
                async for output in execution:
                    collected[Stream(output.stream)] += output.data
        except TimeoutError:
            why = f"it was still running in sprite {sprite!r} after {timeout:g} s"
            raise Failed(f"{argv[0]!r} took too long", why=why, code="timeout", retryable=True) from None
        assert execution.exit_code is not None
        return Completed(execution.exit_code, *map(bytes, collected.values()))

    async def sessions(self, sprite: str) -> list[Session]:
        """Older services answer with a bare array."""

        def read(body: Any) -> list[Session]:
            return [replies.session(entry) for entry in (body["sessions"] if isinstance(body, dict) else body)]

        return await self._json(read, "GET", _path(sprite, "/exec"), f"sprite {sprite!r}")

    async def kill_session(self, sprite: str, session_id: str, *, signal: str = "TERM", timeout: float = 10.0) -> None:
        """Returns when it has ended or ``timeout`` was followed by KILL. One that has ended already is fine."""
        path = _path(sprite, f"/exec/{quote(session_id, safe='')}/kill")
        params = {"signal": signal, "timeout": format_duration(timeout)}
        try:
            await self._http.send(
                "POST", path, subject=f"session {session_id!r}", params=params, timeout=timeout + 30, repeatable=True
            )
        except NotFound as gone:
            if gone.code != "gone":
                raise

    async def read_file(self, sprite: str, path: str) -> AsyncIterator[bytes]:
        params = {"path": path, "workingDir": "/"}
        async with self._http.stream(
            "GET", _path(sprite, "/fs/read"), subject=_file(sprite, path), params=params
        ) as response:
            async for piece in response.aiter_bytes():
                yield piece

    async def write_file(
        self, sprite: str, path: str, data: bytes | AsyncIterator[bytes], *, mode: str | None = None
    ) -> None:
        """Makes the folders above. mode as ``0644``."""
        params = {"path": path, "workingDir": "/", "mkdirParents": "true", **({"mode": mode} if mode else {})}
        await self._http.send(
            "PUT",
            _path(sprite, "/fs/write"),
            subject=_file(sprite, path),
            params=params,
            content=data,
            repeatable=isinstance(data, bytes),
        )

    async def list_files(self, sprite: str, path: str) -> list[FileEntry]:
        def read(body: Any) -> list[FileEntry]:
            return [replies.file_entry(entry) for entry in body["entries"]]

        params = {"path": path, "workingDir": "/"}
        return await self._json(read, "GET", _path(sprite, "/fs/list"), _file(sprite, path), params=params)

    async def create_checkpoint(self, sprite: str, comment: str = "") -> str:
        return await checkpoints.create(self._http, _path(sprite), sprite, comment)

    async def checkpoints(self, sprite: str) -> list[Checkpoint]:
        """Newest first, without the pseudo-entry for what is not a checkpoint yet."""

        def read(body: Any) -> list[Checkpoint]:
            return [replies.checkpoint(entry) for entry in body if entry["id"] != "Current"]

        return await self._json(read, "GET", _path(sprite, "/checkpoints"), f"sprite {sprite!r}")

    async def restore_checkpoint(self, sprite: str, checkpoint_id: str) -> None:
        await checkpoints.restore(self._http, _path(sprite), sprite, checkpoint_id)

    async def request(self, method: str, path: str, **options: Any) -> Any:
        return await self._http.json(method, path, subject=path, **options)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _dial(self, sprite: str, path: str, query: str, subject: str) -> ClientConnection:
        from mesabox.clients.sprites.dial import dial

        return await dial(self._http, _path(sprite, path), query, subject)

    async def _dial_with_file(self, sprite: str, request: ExecRequest) -> ClientConnection:
        path, script, short = as_file(request)
        await self.write_file(sprite, path, script, mode="0600")
        try:
            return await self._dial(sprite, "/exec", short.query(), f"sprite {sprite!r}")
        except BaseException:  # nobody runs the file now, so nobody else deletes it
            with suppress(MesaboxError):
                params = {"path": path, "workingDir": "/"}
                await self._http.send("DELETE", _path(sprite, "/fs/delete"), subject=path, params=params)
            raise

    def _execution(self, connect: Connect, sprite: str, *, tty: bool | None, tail: Tail = no_tail) -> SpriteExecution:
        from mesabox.clients.sprites.session import SpriteExecution

        async def kill(session_id: str, name: str) -> None:
            await self.kill_session(sprite, session_id, signal=name, timeout=0)

        return SpriteExecution(connect, kill, tty=tty, tail=tail)

    async def _json(self, read: Callable[[Any], T], method: str, path: str, subject: str, **options: Any) -> T:
        return self._read(read, await self._http.json(method, path, subject=subject, **options), subject)

    def _read(self, read: Callable[[Any], T], body: Any, subject: str) -> T:
        try:
            return read(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._http.misunderstood(subject) from None


@asynccontextmanager
async def _fed(execution: SpriteExecution, stdin: bytes) -> AsyncIterator[None]:
    """Its stdin is written while its output is read: a command that answers while it reads blocks neither side."""

    async def feed() -> None:
        await execution.write(stdin)
        await execution.close_stdin()

    feeding = asyncio.create_task(feed()) if stdin else None
    try:
        yield
    finally:
        if feeding is not None:
            feeding.cancel()


def _path(sprite: str, below: str = "") -> str:
    return f"/v1/sprites/{quote(sprite, safe='')}{below}"


def _file(sprite: str, path: str) -> str:
    return f"{path} in sprite {sprite!r}"
