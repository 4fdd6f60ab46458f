"""Checkpoints: their NDJSON streams tell success and failure inside a 200 (wire/sprites §2.8)."""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from mesabox.clients.transport import Transport
from mesabox.errors import Failed, MesaboxError, NotFound, OutcomeUnknown

_SECONDS = 300.0
_ID = re.compile(r"\s*ID: (\S+)|Checkpoint (\S+) created")


async def create(http: Transport, sprite_path: str, sprite: str, comment: str) -> str:
    """The new checkpoint's id, which no field holds: it is read out of the lines meant for people."""
    body = {"comment": comment} if comment else {}
    lines = await _follow(http, f"{sprite_path}/checkpoint", f"checkpoint of sprite {sprite!r}", body)
    ids = [match[1] or match[2] for line in lines if (match := _ID.match(line))]
    if not ids:
        raise http.misunderstood(f"a checkpoint of sprite {sprite!r}")
    return ids[0]


async def restore(http: Transport, sprite_path: str, sprite: str, checkpoint_id: str) -> None:
    path = f"{sprite_path}/checkpoints/{quote(checkpoint_id, safe='')}/restore"
    await _follow(http, path, f"checkpoint {checkpoint_id!r} of sprite {sprite!r}", {})


async def _follow(http: Transport, path: str, subject: str, body: Mapping[str, Any]) -> list[str]:
    """The lines' texts up to ``complete``. The stream's own end is not waited for: it may never come."""
    texts = []
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(_SECONDS),
            http.stream("POST", path, subject=subject, json=body, timeout=_SECONDS) as response,
        ):
            async for line in response.aiter_lines():
                event = _event(line)
                if event.get("type") == "error":
                    raise _failure(subject, str(event.get("error") or event.get("data") or ""))
                texts.append(str(event.get("data") or ""))
                if event.get("type") == "complete":
                    return texts
    raise OutcomeUnknown(
        f"the answer for {subject} ended before it was complete", fix="look at the list of checkpoints"
    )


def _event(line: str) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _failure(subject: str, text: str) -> MesaboxError:
    if "not found" in text:
        return NotFound(f"there is no {subject}", why=text)
    return Failed(f"{subject} failed", why=text)
