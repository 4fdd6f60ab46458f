"""Which paths a repo can hold: what every checkout can have and none can be led out of by."""

import re

MOST_BYTES = 4095
MOST_NAME_BYTES = 255
MOST_PARTS = 200

# What git refuses as a tree entry: its own folder, also in the spellings that some file systems take for it.
_GITS_OWN = re.compile(r"(?:\.git|git~1)[ .]*(?:[:\\].*)?", re.IGNORECASE | re.DOTALL)


def check_path(path: str) -> str:
    """The path itself; ValueError says why no repo can hold it (lone surrogates: a name that is not UTF-8)."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("must be relative to the repository's root, without empty, '.' and '..' parts")
    if any(_GITS_OWN.fullmatch(part) for part in parts):
        raise ValueError("must not lead into '.git'")
    if "\0" in path or len(path.encode()) > MOST_BYTES or any(len(part.encode()) > MOST_NAME_BYTES for part in parts):
        raise ValueError(f"has a NUL, a name above {MOST_NAME_BYTES} bytes, or more than {MOST_BYTES} bytes")
    if len(parts) > MOST_PARTS:
        raise ValueError(f"is nested deeper than {MOST_PARTS} folders")
    return path


def can_hold(path: str) -> bool:
    try:
        check_path(path)
    except ValueError:
        return False
    return True
