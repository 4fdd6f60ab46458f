"""The files API (``S/fs``): every path is opened inside the sandbox's own root, as user ``sprite`` unless asRoot."""

import asyncio
import os
import posixpath
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from io import FileIO
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from mesabox.engine.sandbox.host import Sandbox
from mesabox.engine.sprites.answers import Json
from mesabox.engine.sprites.bodies import json_object
from mesabox.engine.sprites.machines import VERSION_HEADER, Machines
from mesabox.engine.sprites.problems import FileProblem, Invalid

_BLOCK = 256 * 1024
_TRUE = ("true", "1", True)
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})")
_PLACEHOLDERS = (".keep", ".mkdir_placeholder")


class FileRoutes:
    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def _sandbox(self, request: Request) -> Sandbox:
        _, sandbox = await self._machines.awake(request.path_params["name"])
        return sandbox

    async def read(self, request: Request) -> Response:
        """Raw bytes; one ``Range: bytes=a-b`` gives 206, or 416 where the file has nothing."""
        path = _path(request.query_params)
        sandbox = await self._sandbox(request)
        descriptor = await _open(sandbox, path, os.O_RDONLY, _user(request.query_params))
        try:
            file = FileIO(descriptor)
        except IsADirectoryError:
            os.close(descriptor)
            raise FileProblem(IsADirectoryError(21, "is a directory"), path) from None
        return _content(file, request.headers.get("range"))

    async def write(self, request: Request) -> Response:
        query = request.query_params
        path, user = _path(query), _user(query)
        mode = _mode(query.get("mode"), 0o644)
        sandbox = await self._sandbox(request)
        await _make_way(sandbox, path, user, parents=query.get("mkdirParents", query.get("mkdir", "true")) in _TRUE)
        descriptor = await _open(sandbox, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, user, mode)
        try:
            size = await _store(request.stream(), descriptor)
            if query.get("mode"):
                os.fchmod(descriptor, mode)
        except OSError as error:
            raise FileProblem(error, path) from None
        finally:
            os.close(descriptor)
        return Json({"path": path, "size": size, "mode": f"{mode:04o}"})

    async def index(self, request: Request) -> Response:
        query = request.query_params
        path = _path(query)
        recursive = query.get("recursive") in _TRUE
        sandbox = await self._sandbox(request)
        entries = await _operate(sandbox, "list", path, _user(query), path=path, recursive=recursive)
        if pattern := query.get("pattern"):
            entries = [entry for entry in entries if fnmatch(entry["name"], pattern)]
        return Json({"path": path, "entries": entries, "count": len(entries)})

    async def delete(self, request: Request) -> Response:
        """Arguments in the query (SDKs) or in a JSON body (documentation)."""
        values = {**await json_object(request), **request.query_params}
        path = _path(values)
        recursive = values.get("recursive") in _TRUE
        sandbox = await self._sandbox(request)
        deleted = await _operate(sandbox, "delete", path, _user(values), path=path, recursive=recursive)
        return Json({"deleted": deleted, "count": len(deleted)})

    async def rename(self, request: Request) -> Response:
        values = await json_object(request)
        both = {"source": _path(values, "source"), "dest": _path(values, "dest")}
        sandbox = await self._sandbox(request)
        await _operate(sandbox, "rename", both["source"], _user(values), **both)
        return Json(both)

    async def copy(self, request: Request) -> Response:
        values = await json_object(request)
        both = {"source": _path(values, "source"), "dest": _path(values, "dest")}
        options = {"recursive": values.get("recursive") in _TRUE, "preserve": values.get("preserveAttrs") in _TRUE}
        sandbox = await self._sandbox(request)
        result = await _operate(sandbox, "copy", both["source"], _user(values), **both, **options)
        return Json({**result, "count": len(result["copied"])})

    async def chmod(self, request: Request) -> Response:
        values = await json_object(request)
        if values.get("mode") is None:
            raise Invalid("mode is required")
        return await self._affect(request, "chmod", values, mode=_mode(str(values["mode"]), 0))

    async def chown(self, request: Request) -> Response:
        values = await json_object(request)
        owner = {key: values[key] for key in ("uid", "gid") if values.get(key) is not None}
        if not owner or not all(map(_is_owner, owner.values())):
            raise Invalid("uid or gid is required: a number or a name")
        return await self._affect(request, "chown", values, **owner)

    async def _affect(self, request: Request, op: str, values: Mapping[str, Any], **arguments: Any) -> Response:
        path = _path(values)
        recursive = values.get("recursive") in _TRUE
        sandbox = await self._sandbox(request)
        affected = await _operate(sandbox, op, path, _user(values), path=path, recursive=recursive, **arguments)
        return Json({"affected": affected, "count": len(affected)}, headers=_version())


def _version() -> dict[str, str]:
    return {VERSION_HEADER[0].decode(): VERSION_HEADER[1].decode()}


def _path(values: Mapping[str, Any], key: str = "path") -> str:
    """Absolute, made so by ``workingDir`` (default ``/``), normalized. Invalid when it is missing."""
    path, base = values.get(key), values.get("workingDir") or "/"
    if not isinstance(path, str) or not path or not isinstance(base, str):
        raise Invalid(f"{key} is required")
    if "\0" in path + base:
        raise Invalid(f"{key} must not contain NUL")
    return "/" + posixpath.normpath(posixpath.join("/", base, path)).lstrip("/")


def _user(values: Mapping[str, Any]) -> str:
    return "root" if values.get("asRoot") in _TRUE else "sprite"


def _mode(text: str | None, default: int) -> int:
    if not text:
        return default
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise Invalid("mode must be octal, such as 0644")
    return mode


def _is_owner(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is int and 0 <= value < 1 << 32)


def _content(file: FileIO, header: str | None) -> Response:
    """The file, or the part of it that was asked for. One without a size (of /proc, say) goes to its end."""
    headers = {"Accept-Ranges": "bytes"}
    size = os.fstat(file.fileno()).st_size
    span = _range(header, size)
    if span is not None and span[0] >= span[1]:
        file.close()
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    first, last = span or (0, size)
    if size:
        headers["Content-Length"] = str(last - first)
    if span:
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
    body = _blocks(file, first, last if size else None)
    return _FileResponse(body, 206 if span else 200, headers, "application/octet-stream")


class _Shorter(Exception):
    """A file has become shorter than was told of it."""


class _FileResponse(StreamingResponse):
    """Breaks off when the file does, and the connection with it: the client must not take the part for the whole."""

    async def stream_response(self, send: Send) -> None:
        with suppress(_Shorter):
            await super().stream_response(send)


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """(first, one past last) of one byte range, empty when the file has no such bytes; None when none is asked for."""
    asked = _RANGE.fullmatch((header or "").strip())
    if asked is None or not any(asked.groups()):
        return None
    first, last = asked.groups()
    if not first:
        return max(0, size - int(last)), size
    return (int(first), min(int(last) + 1, size) if last else size) if not last or int(first) <= int(last) else None


async def _make_way(sandbox: Sandbox, path: str, user: str, *, parents: bool) -> None:
    """There is no mkdir endpoint: SDKs write a placeholder, and sprites-py's ``mkdir()`` forbids parents while it does.

    Then the folder itself is made, and nothing above it.
    """
    folder, name = posixpath.split(path)
    if parents:
        await _operate(sandbox, "mkdirs", path, user, path=folder)
    elif name in _PLACEHOLDERS:
        await _operate(sandbox, "list", path, user, path=posixpath.dirname(folder), recursive=False)
        await _operate(sandbox, "mkdirs", path, user, path=folder)


async def _open(sandbox: Sandbox, path: str, flags: int, user: str, mode: int = 0o644) -> int:
    try:
        return await sandbox.open_file(path, flags, mode, user=user)
    except OSError as error:
        raise FileProblem(error, path) from None


async def _operate(sandbox: Sandbox, op: str, about: str, user: str, **arguments: Any) -> Any:
    try:
        return await sandbox.file_op(op, user=user, **arguments)
    except OSError as error:
        where = str(error.filename or "")  # a tree's removal names them relative to folders it holds open
        raise FileProblem(error, where if where.startswith("/") else about) from None


async def _blocks(file: FileIO, first: int, last: int | None) -> AsyncIterator[bytes]:
    """Up to ``last`` or the end. The file closes itself when the client has left before the first block."""
    with file:
        while last is None or first < last:
            wanted = _BLOCK if last is None else min(_BLOCK, last - first)
            data = await asyncio.to_thread(os.pread, file.fileno(), wanted, first)
            if not data and last is not None:
                raise _Shorter
            if not data:
                break
            first += len(data)
            yield data


async def _store(pieces: AsyncIterator[bytes], descriptor: int) -> int:
    size = 0
    async for piece in pieces:
        rest = memoryview(piece)
        while rest:
            written = await asyncio.to_thread(os.write, descriptor, rest)
            rest, size = rest[written:], size + written
    return size
