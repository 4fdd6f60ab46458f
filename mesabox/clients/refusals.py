"""A service said no: what its body says, in whichever shape, and which of our errors that is. One table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesabox.errors import Conflict, CredentialsProblem, Failed, MesaboxError, NotFound, ServiceError, TryLater

_LONGEST_MESSAGE = 400


@dataclass(frozen=True, slots=True)
class Refusal:
    """code: the service's own word for it, where it has one. retry_after: seconds, where it said."""

    service: str
    status: int
    message: str
    code: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """what: with {subject} ("repo 'x'") and {service}."""

    error: type[MesaboxError]
    what: str
    fix: str = ""
    code: str | None = None


_KINDS: Mapping[int, _Kind] = {
    401: _Kind(
        CredentialsProblem,
        "{service} does not accept the credential",
        "check that it is complete, unexpired and of this service: mesabox doctor",
    ),
    403: _Kind(CredentialsProblem, "the credential does not allow this for {subject}", "use one with more rights"),
    404: _Kind(NotFound, "there is no {subject}"),
    409: _Kind(Conflict, "{subject} exists already, or was changed at the same time"),
    410: _Kind(NotFound, "{subject} has ended already", code="gone"),
    429: _Kind(TryLater, "{service} asks us to slow down"),
    502: _Kind(TryLater, "{service} is out of order for the moment", "try again in a minute"),
    503: _Kind(TryLater, "{service} is out of order for the moment", "try again in a minute"),
    504: _Kind(TryLater, "{service} took too long to answer", "try again in a minute"),
}
_OTHER = _Kind(ServiceError, "{service} refused the request for {subject}")

_REALLY_NOT_FOUND = ("failed to retrieve sprite", "failed to delete sprite", "not found")
"""500 bodies that mean 404 (recordings of Sprites of January 2026; missing checkpoints still)."""

_FILE_CODES: Mapping[str, type[MesaboxError]] = {
    "ENOENT": NotFound,
    "EEXIST": Conflict,
    "ENOTEMPTY": Conflict,
    **dict.fromkeys(("ENOTDIR", "EISDIR", "EACCES", "EPERM", "EINVAL", "EIO"), Failed),
}


def read_refusal(service: str, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """The five shapes: Mesa's ``{"error": {code, message}}``; Sprites' ``{"error"}``, ``{"errors"}``, file and quota
    errors, and plain text (wire/sprites §1.5).
    """
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    message, code = _words(content if isinstance(content, dict) else {})
    text = message or body.decode("utf-8", "replace").strip()
    if text.startswith("<"):  # an edge's HTML page says nothing to a person
        text = ""
    return Refusal(service, status, text[:_LONGEST_MESSAGE], code, _retry_after(content, headers))


def as_error(refusal: Refusal, subject: str) -> MesaboxError:
    kind = _KINDS.get(refusal.status, _OTHER)
    if refusal.status == 500 and any(words in refusal.message for words in _REALLY_NOT_FOUND):
        kind = _KINDS[404]
    if (error := _FILE_CODES.get(refusal.code or "")) is not None:
        kind = _Kind(error, "{subject}: {message}")
    why = f"{refusal.service} answered {refusal.status}"
    fix = f"try again in {refusal.retry_after:g} s" if refusal.retry_after else kind.fix
    error_of_ours = kind.error(
        kind.what.format(subject=subject, service=refusal.service, message=refusal.message),
        why=f"{why}: {refusal.message}" if refusal.message else why,
        fix=fix,
        code=kind.code,
    )
    if isinstance(error_of_ours, TryLater):
        error_of_ours.after = refusal.retry_after
    return error_of_ours


def _words(content: Mapping[str, Any]) -> tuple[str, str | None]:
    error = content.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or ""), error.get("code")
    if errors := content.get("errors"):
        return "; ".join(map(str, errors)), None
    return str(content.get("message") or error or ""), content.get("code")


def _retry_after(content: Any, headers: Mapping[str, str]) -> float | None:
    """The body's number goes before the header's, as in every SDK. A date there is not understood, and left."""
    told = content.get("retry_after_seconds") if isinstance(content, dict) else None
    try:
        return max(0.0, float(headers.get("retry-after", "") if told is None else told))
    except ValueError:
        return None
