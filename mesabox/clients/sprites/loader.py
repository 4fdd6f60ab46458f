"""A command too long for a URL travels as a file: a shell script that deletes itself and becomes the command.

Edges refuse long URLs (wire/sprites §1.4), and a query is logged where a body is not. Inside single quotes a POSIX
shell keeps every byte, newlines included, so the words arrive as they were; ``exec`` makes it the same process, so exit
code, signals, terminal and stdin are the command's own. The name cannot be guessed, and the file is 0600.
"""

import re
import secrets
import shlex
from dataclasses import replace

from mesabox.wire.execution import ExecRequest

LONGEST_QUERY = 6 * 1024
"""Bytes of a query that still go in the URL."""

_EXPORTABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def goes_as_file(request: ExecRequest) -> bool:
    """Too long for a URL, or with bytes that are no UTF-8, which services take for mistakes of the encoding there."""
    try:
        return len(request.query()) > LONGEST_QUERY and bool(request.argv)
    except UnicodeEncodeError:
        return bool(request.argv)


def as_file(request: ExecRequest) -> tuple[str, bytes, ExecRequest]:
    """(path in the sprite, the script, the short request that runs it). What no shell can export stays in the query."""
    path = f"/tmp/.mesabox-{secrets.token_hex(16)}"
    exported = {name: value for name, value in request.env.items() if _EXPORTABLE.fullmatch(name)}
    lines = [f"rm -f -- {path}", *(f"export {name}={shlex.quote(value)}" for name, value in exported.items())]
    script = "\n".join([*lines, f"exec {shlex.join(request.argv)}", ""])
    left = {name: value for name, value in request.env.items() if name not in exported}
    return path, script.encode("utf-8", "surrogateescape"), replace(request, argv=("sh", path), env=left)
