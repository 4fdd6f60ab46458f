"""Mesa's refusals: each a status, a code and a message, in the one envelope every endpoint answers with."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse


class Problem(Exception):
    """A refusal. code: the published ones where known (UNAUTHENTICATED, NOT_FOUND, MERGE_CONFLICT, LOCK_CONFLICT)."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def response(self) -> JSONResponse:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        headers = {"WWW-Authenticate": 'Bearer realm="mesa"'} if self.status == 401 else None
        return JSONResponse({"error": error}, self.status, headers)


def unauthenticated(message: str = "A valid API key or access token is required") -> Problem:
    return Problem(401, "UNAUTHENTICATED", message)


def forbidden(message: str) -> Problem:
    return Problem(403, "FORBIDDEN", message)


def not_found(what: str) -> Problem:
    """what: ``"repository 'x'"``."""
    return Problem(404, "NOT_FOUND", f"{what} was not found")


def invalid(field: str, why: str) -> Problem:
    """field: where in the body or query, as ``files.0.path``."""
    return Problem(400, "INVALID_REQUEST", f"{field}: {why}", {"field": field})


def conflict(message: str) -> Problem:
    return Problem(409, "CONFLICT", message)


def merge_conflict(paths: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> Problem:
    """entries: shaped as ``conflicted_entries`` of a diff, so that a caller can answer with resolutions."""
    message = f"{len(paths)} conflicted path{'s' * (len(paths) != 1)} must be resolved: {', '.join(paths[:5])}"
    return Problem(409, "MERGE_CONFLICT", message, {"conflict_paths": list(paths), "conflicted_entries": list(entries)})


def internal(trace_id: str) -> JSONResponse:
    error = {"code": "INTERNAL_ERROR", "message": "The engine failed; its log has the trace", "trace_id": trace_id}
    return JSONResponse({"error": error}, 500)
