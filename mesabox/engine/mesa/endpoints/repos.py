"""Repositories: made, listed, renamed, tagged, deleted."""

import asyncio
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.bodies import BulkTags, CreateRepo, UpdateRepo
from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.problems import invalid, not_found
from mesabox.engine.mesa.repos import Repo
from mesabox.engine.mesa.shapes import repo_json
from mesabox.engine.mesa.tag_filter import parse_tag_filter


async def create_repo(call: Call) -> Response:
    body = await call.body(CreateRepo)
    call.grant.require_whole_org("create repositories")
    repo = await asyncio.to_thread(call.mesa.repos.create, call.grant.org, body.name, body.default_bookmark, body.tags)
    return JSONResponse(repo_json(repo), 201)


async def list_repos(call: Call) -> Response:
    try:
        wanted = parse_tag_filter(call.query("tags") or "{}")
    except ValueError as error:
        raise invalid("tags", str(error)) from None
    repos = await asyncio.to_thread(_seen, call)
    page, beside = call.page([repo for repo in repos if wanted(repo.tags)], lambda repo: f"{repo.seq:012d}")
    return JSONResponse({**beside, "repos": [repo_json(repo) for repo in page]})


async def get_repo(call: Call) -> Response:
    repo = await call.mesa.read(call.repo, lambda _: call.mesa.repos.by_id(call.repo.id))
    return JSONResponse(repo_json(repo))


async def update_repo(call: Call) -> Response:
    body = await call.body(UpdateRepo)
    return JSONResponse(repo_json(await asyncio.to_thread(_update, call, body)))


async def delete_repo(call: Call) -> Response:
    await call.mesa.delete_repo(call.repo)
    return JSONResponse({"success": True})


async def bulk_update_repo_tags(call: Call) -> Response:
    body = await call.body(BulkTags)
    return JSONResponse({"updated": await asyncio.to_thread(_tag_all, call, body)})


def _seen(call: Call) -> list[Repo]:
    return [repo for repo in call.mesa.repos.all(call.grant.org) if call.grant.scopes_in(repo.id)]


def _update(call: Call, body: UpdateRepo) -> Repo:
    with call.mesa.database.transaction():
        repo = call.mesa.repos.by_id(call.repo.id)
        if body.default_bookmark and not call.mesa.repos.has_bookmark(repo, body.default_bookmark):
            raise not_found(f"bookmark '{body.default_bookmark}'")
        return call.mesa.repos.update(
            repo, name=body.name, default_bookmark=body.default_bookmark, tags=_patched(repo.tags, body.tags)
        )


def _patched(tags: Mapping[str, str], edits: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**tags, **edits}.items() if value is not None}


def _tag_all(call: Call, body: BulkTags) -> int:
    """All of them or none."""
    with call.mesa.database.transaction():
        repos = {repo.id: repo for repo in _seen(call)}
        for repo_id in dict.fromkeys(body.repo_ids):
            if repo_id not in repos:
                raise not_found(f"repository '{repo_id}'")
            call.grant.require("write", repo_id)
            value = body.value if body.action == "set" else None
            call.mesa.repos.update(repos[repo_id], tags=_patched(repos[repo_id].tags, {body.key: value}))
        return len(set(body.repo_ids))
