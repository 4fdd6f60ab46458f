"""The machine output: one versioned JSON object for every command, on success and on failure."""

import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import Any

from mesabox.errors import MesaboxError
from mesabox.ui.result import Result

SCHEMA = 1
_NO_CHARACTER = re.compile("[\ud800-\udfff]")


def envelope(command: str, result: Result, *, runs_a_command: bool) -> str:
    """One line. ``failed_by`` is there for the commands that run a command."""
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "command": command,
        "status": "ok" if result.exit_code == 0 else "error",
        "exit_code": int(result.exit_code),
        "data": result.data,
        "error": None if result.error is None else _error(result.error),
    }
    if runs_a_command:
        fields["failed_by"] = result.failed_by
    return json_line(fields)


def json_line(value: Any) -> str:
    """JSON in one line, in which nothing looks like a command of a CI's log (``##[...]``). A byte of a name or a word
    that is no UTF-8 is U+FFFD: every reader of JSON refuses it as it is, and some its escape.
    """
    line = json.dumps(value, ensure_ascii=False, default=_plain).replace("##[", "#\\u0023[")
    return _NO_CHARACTER.sub("\ufffd", line)


def _error(error: MesaboxError) -> dict[str, Any]:
    return {
        "code": error.code,
        "title": error.what,
        "detail": error.why,
        "fix": error.fix,
        "retryable": error.retryable,
    }


def _plain(value: object) -> Any:
    """Times as RFC 3339 in UTC; value types as objects without what is unset for secrecy."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)
