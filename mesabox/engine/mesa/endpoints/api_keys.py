"""API keys: made, listed, tagged, revoked."""

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.bodies import CreateKey, UpdateKey
from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.keys import ApiKey, matching
from mesabox.engine.mesa.problems import forbidden, not_found
from mesabox.engine.mesa.times import optional_timestamp, timestamp
from mesabox.wire.mesa import SCOPES, scopes_within

_CREATED = ("id", "name", "scopes", "repo_ids", "tags", "created_at")
"""What the creation tells beside the key itself; when it expires is told by the list alone."""


async def create_api_key(call: Call) -> Response:
    """A key never grants more than its maker holds, and a token signed with a key makes none."""
    body = await call.body(CreateKey)
    if call.grant.kind == "signed by api key":
        raise forbidden("an access token signed with an API key cannot create keys")
    key, secret = await asyncio.to_thread(_create, call, body)
    told = {name: value for name, value in _key_json(key).items() if name in _CREATED}
    return JSONResponse({**told, "key": secret}, 201)


async def list_api_keys(call: Call) -> Response:
    status = call.query_choice("status", ("active", "revoked", "expired", "all"), "all")
    scope = call.query("scope") and call.query_choice("scope", SCOPES, "read")
    keys = await asyncio.to_thread(call.mesa.keys.all, call.grant.org)
    wanted = matching(
        [key for key in keys if _in_reach(call, key)],
        call.mesa.clock(),
        query=call.query("query") or "",
        status=status,
        scope=scope,
        repo_id=call.query("repo_id"),
    )
    page, beside = call.page(wanted, lambda key: f"{key.seq:012d}")
    return JSONResponse({**beside, "api_keys": [_key_json(key) for key in page]})


async def update_api_key(call: Call) -> Response:
    body = await call.body(UpdateKey)
    key = await asyncio.to_thread(_reachable, call)
    merged = {**key.tags, **body.tags}
    tags = {name: value for name, value in merged.items() if value is not None}
    await asyncio.to_thread(call.mesa.keys.set_tags, key.org, key.id, tags)
    return JSONResponse({"tags": tags})


async def revoke_api_key(call: Call) -> Response:
    key = await asyncio.to_thread(_reachable, call)
    await call.mesa.revoke(key.org, key.id)
    return JSONResponse({"success": True})


def _create(call: Call, body: CreateKey) -> tuple[ApiKey, str]:
    if not set(scopes_within(body.scopes)) <= set(call.grant.scopes):
        raise forbidden("a key cannot have a scope that its maker lacks")
    if body.repo_ids is None:
        call.grant.require_whole_org("create a key for the whole organization")
    known = {repo.id for repo in call.mesa.repos.all(call.grant.org) if call.grant.scopes_in(repo.id)}
    for repo_id in body.repo_ids or ():
        if repo_id not in known:
            raise not_found(f"repository '{repo_id}'")
    return call.mesa.keys.create(
        call.grant.org,
        name=body.name,
        scopes=body.scopes,
        repo_ids=body.repo_ids,
        ttl=call.mesa.lifetime(call.request.url.path, body.expires_in_seconds),
        tags=body.tags,
    )


def _reachable(call: Call) -> ApiKey:
    key = call.mesa.keys.get(call.grant.org, call.parameter("id"))
    if not _in_reach(call, key):
        raise not_found(f"API key '{key.id}'")
    return key


def _in_reach(call: Call, key: ApiKey) -> bool:
    """An admin of some repos sees and manages the keys of those alone."""
    return call.grant.repos is None or (key.repo_ids is not None and set(key.repo_ids) <= set(call.grant.repos))


def _key_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "repo_ids": None if key.repo_ids is None else list(key.repo_ids),
        "metadata": None,
        "tags": dict(key.tags),
        "last_used_at": optional_timestamp(key.last_used_at),
        "expires_at": optional_timestamp(key.expires_at),
        "revoked_at": optional_timestamp(key.revoked_at),
        "created_at": timestamp(key.created_at),
    }
