"""Files, symlinks and folders at a change: as JSON, or a file's bytes alone."""

import base64
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.bodies import path_in_query
from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.changes import Change
from mesabox.engine.mesa.objects import Entry, Objects
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import Problem, not_found

_BYTES = "application/octet-stream"
_KNOWN_QUERY = {"change_id", "path", "depth"}


async def get_content(call: Call) -> Response:
    revision, path = call.query_revision("change_id"), path_in_query(call.query("path"))
    depth = call.query_number("depth", range(11), 1)
    raw, filtered = call.prefers(_BYTES), _names_metadata(call)

    def read(repo: OpenRepo) -> Response:
        change = repo.change(revision, call.repo)
        entry = repo.objects.entry(change.tree_oid, path)
        if entry is None:
            raise not_found(f"path '{path}'")
        if not entry.is_tree:
            data = repo.objects.blob(entry.oid)
            return Response(data, media_type=_BYTES) if raw else JSONResponse(_file(change, path, entry, data))
        if raw:
            raise Problem(406, "NOT_ACCEPTABLE", f"'{path}' is a directory, and has no bytes")
        return JSONResponse(_folder(repo.objects, path, entry, 0 if filtered else depth))

    return await call.mesa.read(call.repo, read)


def _names_metadata(call: Call) -> bool:
    """Both published clients send ``metadata[key]=value`` as ``key=value``; no path here has metadata that matches."""
    return not set(call.request.query_params) <= _KNOWN_QUERY


def _file(change: Change, path: str, entry: Entry, data: bytes) -> dict[str, Any]:
    return {
        **_named(path, entry),
        "size": len(data),
        "encoding": "base64",
        "content": base64.b64encode(data).decode(),
        "mode": f"{entry.mode:o}",
        "is_conflicted": path in change.conflicts,
    }


def _folder(objects: Objects, path: str, entry: Entry, depth: int) -> dict[str, Any]:
    return {
        **_named(path, entry),
        "child_count": len(objects.children(entry.oid)),
        "entries": list(_entries(objects, path, entry, depth)),
    }


def _entries(objects: Objects, path: str, folder: Entry, depth: int) -> Iterator[dict[str, Any]]:
    """Descendants down to ``depth``, flat, each folder before what is in it."""
    if not depth:
        return
    for name, entry in objects.children(folder.oid):
        place = f"{path}/{name}" if path else name
        if entry.is_tree:
            yield _named(place, entry)
            yield from _entries(objects, place, entry, depth - 1)
        else:
            yield {**_named(place, entry), "size": objects.size(entry.oid), "mode": f"{entry.mode:o}"}


def _named(path: str, entry: Entry) -> dict[str, Any]:
    kind = "dir" if entry.is_tree else "symlink" if entry.is_symlink else "file"
    return {"type": kind, "name": path.rpartition("/")[2], "path": path, "sha": entry.oid}
