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
    except (ValueError, RecursionError):
        raise Invalid("request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Invalid("request body must be a JSON object")
    return value


def string(body: dict[str, Any], key: str) -> str:
    """Empty when it is not there."""
    value = body.get(key) or ""
    if not isinstance(value, str) or not _is_text(value):
        raise Invalid(f"{key} must be a string")
    return value


def _is_text(value: str) -> bool:
    """JSON can also escape halves of characters, which nothing can keep."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def string_list(body: dict[str, Any], key: str) -> list[str]:
    value = body.get(key) or []
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise Invalid(f"{key} must be an array of strings")
    return value


def environment(body: dict[str, Any], key: str) -> dict[str, str]:
    """Variables that a command can be given."""
    value = body.get(key) or {}
    if not (isinstance(value, dict) and all(isinstance(item, str) for item in value.values())):
        raise Invalid(f"{key} must be an object of strings")
    if not all(name and "=" not in name and "\0" not in name + text for name, text in value.items()):
        raise Invalid(f"{key} must hold names and values of environment variables")
    return value
