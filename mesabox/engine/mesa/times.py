"""Unix seconds as the RFC 3339 texts of the REST API."""

from datetime import UTC, datetime


def timestamp(seconds: float) -> str:
    """``2026-05-06T12:00:00.000Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_timestamp(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
