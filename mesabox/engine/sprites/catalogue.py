"""Sprites as a client lists them: create, list, watch, retrieve, update, destroy, and the machine's own routes."""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mesabox.engine.sprites.answers import Json
from mesabox.engine.sprites.bodies import environment, json_object, string_list
from mesabox.engine.sprites.machines import AGENT_VERSION, Machines
from mesabox.engine.sprites.problems import Invalid, name_taken
from mesabox.engine.sprites.store import SpriteRecord, rfc3339

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST = 50
_HEARTBEAT = 15.0
_LOOK = 0.5


class CatalogueRoutes:
    def __init__(self, machines: Machines, organization: str) -> None:
        self._machines = machines
        self._store = machines.store
        self._organization = organization

    async def create(self, request: Request) -> Response:
        body = await json_object(request)
        name = body.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Invalid("invalid sprite name format")
        auth = _url_auth(body)
        try:
            record = self._store.create(name, string_list(body, "labels"), auth, environment(body, "environment"))
        except sqlite3.IntegrityError:
            raise name_taken(name) from None
        self._machines.wake_soon(record)
        return Json(self._shape(record, "cold"), 201)

    async def index(self, request: Request) -> Response:
        query = request.query_params
        if "application/x-ndjson" in request.headers.get("accept", ""):
            return StreamingResponse(self._watch(query.get("prefix", "")), media_type="application/x-ndjson")
        every = self._store.all(query.get("prefix", ""))
        rest = [record for record in every if record.name > query.get("continuation_token", "")]
        page = rest[: _page_size(query.get("max_results"))]
        more = len(rest) > len(page)
        counts = self._counts(every)
        return Json(
            {
                "sprites": [self._shape(record) for record in page],
                "next_continuation_token": page[-1].name if more else None,
                "has_more": more,
                **counts,
                "org": counts,
            }
        )

    async def _watch(self, prefix: str) -> AsyncIterator[str]:
        """The state of each sprite, then each change of it; a heartbeat when nothing happens."""
        seen: dict[str, str] = {}
        quiet = 0.0
        while True:
            records = self._store.all(prefix)
            now = {record.name: self._status(record) for record in records}
            for record in records:
                if seen.get(record.name) != now[record.name]:
                    quiet = 0.0
                    yield json.dumps(self._event(record, records)) + "\n"
            seen = now
            await asyncio.sleep(_LOOK)
            if (quiet := quiet + _LOOK) >= _HEARTBEAT:
                quiet = 0.0
                yield json.dumps({"type": "heartbeat", "timestamp": rfc3339(time.time())}) + "\n"

    def _event(self, record: SpriteRecord, every: list[SpriteRecord]) -> dict[str, Any]:
        return {
            "name": record.name,
            "status": self._status(record),
            "running_version": AGENT_VERSION,
            "last_running_at": rfc3339(record.running) if record.running else None,
            "last_warming_at": None,
            "timestamp": rfc3339(time.time()),
            "org": self._counts(every),
        }

    async def show(self, request: Request) -> Response:
        return Json(self._shape(self._record(request)))

    async def update(self, request: Request) -> Response:
        record = self._record(request)
        body = await json_object(request)
        columns: dict[str, Any] = {}
        if "labels" in body or body.get("clear_labels"):
            columns["labels"] = string_list(body, "labels")
        if "url_settings" in body:
            columns["url_auth"] = _url_auth(body)
        if columns:
            self._store.update(record.id, **columns)
        return Json(self._shape(self._record(request)))

    async def destroy(self, request: Request) -> Response:
        await self._machines.destroy(self._record(request))
        return Response(status_code=204, media_type="text/plain; charset=utf-8")

    async def restart(self, request: Request) -> Response:
        record = self._record(request)
        await self._machines.stop(record)
        await self._machines.awake(record.name)
        return Json({"sprite_name": record.name, "machine_id": record.id, "message": "restarted"})

    async def check(self, request: Request) -> Response:
        record = self._record(request)
        status = "hibernated" if self._status(record) == "cold" else "healthy"
        facts = {"sprite_name": record.name, "sprite_id": record.id, "status": status}
        return Json({**facts, "reason": None, "checked_at": rfc3339(time.time()), "elapsed": None})

    async def upgrade(self, request: Request) -> Response:
        return Json({"name": self._record(request).name, "status": "upgraded"})

    def _record(self, request: Request) -> SpriteRecord:
        return self._machines.record(request.path_params["name"])

    def _status(self, record: SpriteRecord) -> str:
        return self._machines.of(record).status

    def _counts(self, records: list[SpriteRecord]) -> dict[str, Any]:
        statuses = [self._status(record) for record in records]
        counts = {status: statuses.count(status) for status in ("running", "warm", "cold")}
        return {"name": self._organization, **counts, "running_limit": 100, "warm_limit": 100}

    def _shape(self, record: SpriteRecord, status: str | None = None) -> dict[str, Any]:
        started = record.running is not None
        return {
            "id": record.id,
            "name": record.name,
            "status": status or self._status(record),
            "version": AGENT_VERSION if started else None,
            "environment_version": AGENT_VERSION if started else None,
            "url": f"https://{record.name}-local.sprites.app",
            "organization": self._organization,
            "url_settings": {"auth": record.url_auth},
            "labels": record.labels,
            "environment": record.environment,
            "created_at": rfc3339(record.created),
            "updated_at": rfc3339(record.updated),
            "last_running_at": rfc3339(record.running) if record.running else None,
            "last_warming_at": None,
        }


def _url_auth(body: dict[str, Any]) -> str:
    settings = body.get("url_settings") or {}
    auth = settings.get("auth", "sprite") if isinstance(settings, dict) else None
    if auth not in ("sprite", "public"):
        raise Invalid("invalid auth type, must be one of: sprite, public")
    return str(auth)


def _page_size(text: str | None) -> int:
    """Out of 1..50 is clamped, as SDKs send 100."""
    try:
        return max(1, min(_MOST, int(text or _MOST)))
    except ValueError:
        raise Invalid("invalid max_results parameter") from None
