"""Bytes of a command or a file inside JSON: text, or base64 where they are not UTF-8."""

import base64
import codecs
from typing import Any


def as_text(name: str, data: bytes, *, cut: bool = False) -> dict[str, Any]:
    """``{name: text}``; with ``{name}_encoding`` when it is base64, ``{name}_truncated`` when it was cut."""
    fields: dict[str, Any] = {}
    try:
        fields[name] = codecs.getincrementaldecoder("utf-8")().decode(data, final=not cut)
    except UnicodeDecodeError:
        fields[name] = base64.b64encode(data).decode()
        fields[f"{name}_encoding"] = "base64"
    if cut:
        fields[f"{name}_truncated"] = True
    return fields
