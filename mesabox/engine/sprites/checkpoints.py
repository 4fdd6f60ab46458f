"""The checkpoint routes. Their streams are the recorded lines of the real service (sprites-ruby's cassettes)."""

import json
import sqlite3
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mesabox.engine.sprites import layers
from mesabox.engine.sprites.answers import Json
from mesabox.engine.sprites.bodies import json_object, string
from mesabox.engine.sprites.machines import Machines
from mesabox.engine.sprites.problems import Problem
from mesabox.engine.sprites.store import CheckpointRecord


class CheckpointRoutes:
    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def create(self, request: Request) -> Response:
        name = request.path_params["name"]
        comment = string(await json_object(request), "comment")
        self._machines.record(name)
        return _stream(self._create(name, comment))

    async def _create(self, name: str, comment: str) -> AsyncIterator[str]:
        yield _line("info", "Creating checkpoint...")
        try:
            made = await self._machines.whole(layers.create(self._machines, name, comment))
        except (Problem, OSError, sqlite3.OperationalError) as error:
            yield _error(f"Failed to create checkpoint: {error}")
            return
        yield _created(made)

    async def index(self, request: Request) -> Response:
        """Newest first, under the pseudo-entry ``Current``."""
        record = self._machines.record(request.path_params["name"])
        current = {"id": "Current", "create_time": _seconds(time.time()), "is_auto": False}
        return Json([current, *(_shape(c) for c in self._machines.store.checkpoints(record))])

    async def show(self, request: Request) -> Response:
        return Json(_shape(self._find(request)))

    async def delete(self, request: Request) -> Response:
        await layers.delete(self._machines, request.path_params["name"], request.path_params["checkpoint"])
        return Response(status_code=204)

    def _find(self, request: Request) -> CheckpointRecord:
        record = self._machines.record(request.path_params["name"])
        return layers.find(self._machines, record, request.path_params["checkpoint"])

    async def restore(self, request: Request) -> Response:
        self._machines.record(request.path_params["name"])
        return _stream(self._restore(request))

    async def _restore(self, request: Request) -> AsyncIterator[str]:
        """An unknown id is a 200 whose stream holds the error, as recorded."""
        wanted = request.path_params["checkpoint"]
        try:
            self._find(request)
            yield _line("info", f"Restoring from checkpoint {wanted}...")
            await self._machines.whole(layers.restore(self._machines, request.path_params["name"], wanted))
        except (Problem, OSError, sqlite3.OperationalError) as error:
            yield _error(f"Failed to restore checkpoint: failed to restore checkpoint: {error}")
            return
        started = _line("info", "Container components started successfully")
        yield started + _line("complete", f"Restore from {wanted} complete")


def _created(made: CheckpointRecord) -> str:
    """The recorded lines, in one piece: each piece costs a turn of both sides' event loops."""
    created = datetime.fromtimestamp(made.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
    told = (
        "Checkpoint created successfully",
        "\nCheckpoint Details:",
        f"  ID: {made.id}",
        f"  Created: {created}",
        f"  Path: checkpoints/{made.id}",
        "\nTo restore this checkpoint:",
        f"  sprite checkpoint restore {made.id}",
        f"  curl -X POST /checkpoints/{made.id}/restore",
    )
    done = _line("complete", f"Checkpoint {made.id} created successfully")
    return "".join(_line("info", text) for text in told) + done


def _shape(checkpoint: CheckpointRecord) -> dict[str, Any]:
    shape: dict[str, Any] = {"id": checkpoint.id, "create_time": _seconds(checkpoint.created), "is_auto": False}
    return {**shape, "comment": checkpoint.comment} if checkpoint.comment else shape


def _seconds(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stream(lines: AsyncIterator[str]) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def _line(kind: str, text: str) -> str:
    return json.dumps({"type": kind, "data": text, "time": _nanoseconds()}) + "\n"


def _error(text: str) -> str:
    return json.dumps({"type": "error", "error": text, "time": _nanoseconds()}) + "\n"


def _nanoseconds() -> str:
    now = time.time_ns()
    return datetime.fromtimestamp(now // 10**9, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{now % 10**9:09d}Z")
