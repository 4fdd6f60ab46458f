"""One request as the endpoints see it: who asks, of which repo, with which parameters and body."""

import asyncio
import re
import sys
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mesabox.engine.mesa.grants import Grant
from mesabox.engine.mesa.problems import Problem, internal, invalid, not_found, unauthenticated
from mesabox.engine.mesa.repos import Repo
from mesabox.engine.mesa.service import Mesa
from mesabox.wire.mesa import SCOPES, Scope, parse_change_id
from mesabox.wire.mesa_tokens import b64url, b64url_decode

MOST_BODY = 64 << 20
_MOST_ITEMS = 100
_COMMIT = re.compile(r"[0-9a-f]{40}")
_USUAL_ITEMS = 50

Body = TypeVar("Body", bound=BaseModel)
Item = TypeVar("Item")
Handler = Callable[["Call"], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was admitted: the credential is live, and has the endpoint's scope where it asks."""

    mesa: Mesa
    grant: Grant
    request: Request
    named_repo: Repo | None

    @property
    def repo(self) -> Repo:
        assert self.named_repo is not None
        return self.named_repo

    def parameter(self, name: str) -> str:
        """A part of the path, decoded; Problem 404 when it is not UTF-8, since nothing has such a name."""
        return parameter(self.request, name)

    def change_id(self) -> str:
        text = self.parameter("change_id")
        try:
            return parse_change_id(text)
        except ValueError:
            raise not_found(f"change '{text}'") from None

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name)

    def query_choice(self, name: str, choices: Iterable[str], default: str) -> str:
        value = self.query(name) or default
        if value not in (choices := tuple(choices)):
            raise invalid(name, f"must be one of {', '.join(choices)}")
        return value

    def query_number(self, name: str, allowed: range, default: int) -> int:
        text = self.query(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) not in allowed:
            raise invalid(name, f"must be a whole number from {allowed.start} to {allowed.stop - 1}")
        return int(text)

    def query_change_id(self, name: str) -> str | None:
        text = self.query(name)
        try:
            return None if text is None else parse_change_id(text)
        except ValueError as error:
            raise invalid(name, str(error)) from None

    def query_revision(self, name: str) -> str | None:
        """A change id; or a commit, which tells two states of one change apart (not in the published schema)."""
        text = self.query(name)
        return text if text is not None and _COMMIT.fullmatch(text) else self.query_change_id(name)

    def prefers(self, media_type: str) -> bool:
        """Whether the client named this type, and not JSON before it."""
        named = [part.partition(";")[0].strip().lower() for part in self.request.headers.get("accept", "").split(",")]
        return next((name for name in named if name in (media_type, "application/json")), "") == media_type

    async def body(self, model: type[Body]) -> Body:
        """The JSON body, checked; Problem 400 names the field, 413 when it is above 64 MiB."""
        data = await _read(self.request)
        try:
            return await asyncio.to_thread(model.model_validate_json, data or b"{}", strict=True)
        except ValidationError as error:
            raise _told(error) from None

    def page(self, items: Iterable[Item], key: Callable[[Item], str]) -> tuple[list[Item], dict[str, Any]]:
        """The asked page of items in the order of their keys, and the two fields that stand beside it."""
        limit = self.query_number("limit", range(1, _MOST_ITEMS + 1), _USUAL_ITEMS)
        after = self._cursor()
        left = [item for item in items if after is None or key(item) > after]
        shown, has_more = left[:limit], len(left) > limit
        return shown, {"has_more": has_more, "next_cursor": b64url(key(shown[-1]).encode()) if has_more else None}

    def _cursor(self) -> str | None:
        text = self.query("cursor")
        try:
            return b64url_decode(text).decode() if text else None
        except ValueError:
            raise invalid("cursor", "is not one that this service gave") from None


def endpoint(mesa: Mesa, scope: Scope | None, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """What Starlette calls. The order is fixed: credential, organization, scope, repo, and only then the rest."""

    async def answer(request: Request) -> Response:
        try:
            call = await asyncio.to_thread(_admit, mesa, scope, request)
            return await handler(call)
        except Problem as problem:
            return problem.response()
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            trace_id = uuid.uuid4().hex
            print(f"mesa: trace {trace_id}\n{traceback.format_exc()}", file=sys.stderr)
            return internal(trace_id)

    return answer


def parameter(request: Request, name: str) -> str:
    try:
        return unquote(request.path_params[name], errors="strict")
    except UnicodeDecodeError:
        raise not_found(name) from None


def _admit(mesa: Mesa, scope: Scope | None, request: Request) -> Call:
    grant = mesa.authenticate(_credential(request))
    if "org" in request.path_params and parameter(request, "org") != grant.org:
        raise not_found(f"organization '{parameter(request, 'org')}'")
    if "repo" not in request.path_params:
        if scope is not None:
            grant.require(scope)
        return Call(mesa, grant, request, None)
    name = parameter(request, "repo")
    repo = mesa.repos.get(grant.org, name)
    if not grant.scopes_in(repo.id):
        raise not_found(f"repository '{name}'")
    grant.require(scope or SCOPES[0], repo.id)
    return Call(mesa, grant, request, repo)


def _credential(request: Request) -> str:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise unauthenticated()
    return credential.strip()


async def _read(request: Request) -> bytes:
    if int(request.headers.get("content-length", "0")) > MOST_BODY:
        raise _too_large()
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BODY:
            raise _too_large()
    return b"".join(pieces)


def _too_large() -> Problem:
    return Problem(413, "PAYLOAD_TOO_LARGE", f"The body is larger than {MOST_BODY} bytes")


def _told(error: ValidationError) -> Problem:
    """The first complaint, in a sentence that begins with the field."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return invalid(field, first["msg"].removeprefix("Value error, "))
