"""Who asks, and the organization."""

import asyncio

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.problems import not_found
from mesabox.engine.mesa.times import timestamp


async def whoami(call: Call) -> Response:
    organization = await asyncio.to_thread(call.mesa.organization, call.grant.org)
    return JSONResponse(
        {
            "org": {"id": organization.id, "slug": organization.slug, "name": organization.name},
            "key_id": call.grant.key_id,
            "key_name": call.grant.key_name,
            "scopes": list(call.grant.scopes),
        }
    )


async def get_org(call: Call) -> Response:
    organization = await asyncio.to_thread(call.mesa.organization, call.grant.org)
    repos = await asyncio.to_thread(call.mesa.repos.all, call.grant.org)
    seen = sum(bool(call.grant.scopes_in(repo.id)) for repo in repos)
    return JSONResponse({"created_at": timestamp(organization.created_at), "num_repos": seen})


async def unknown(call: Call) -> Response:
    raise not_found(f"{call.request.method} on this path")
