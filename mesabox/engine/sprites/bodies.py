"""Request bodies, read with a bound and checked."""

import json
from typing import Any

from starlette.requests import Request

from mesabox.engine.sprites.problems import Invalid, Problem

MOST_JSON = 1 << 20


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty one."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_JSON:
            raise Problem(413, f"request body above {MOST_JSON} bytes")
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except ValueError:
        raise Invalid("request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Invalid("request body must be a JSON object")
    return value


def string_list(body: dict[str, Any], key: str) -> list[str]:
    value = body.get(key) or []
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise Invalid(f"{key} must be an array of strings")
    return value


def string_map(body: dict[str, Any], key: str) -> dict[str, str]:
    value = body.get(key) or {}
    if not (isinstance(value, dict) and all(isinstance(item, str) for item in value.values())):
        raise Invalid(f"{key} must be an object of strings")
    return value
