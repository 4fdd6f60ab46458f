"""Bookmarks: made, listed, moved, merged, deleted."""

from typing import Any

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.attribution import attributed
from mesabox.engine.mesa.bodies import CreateBookmark, MergeBookmarks, MoveBookmark
from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.changes import Change
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import conflict, invalid
from mesabox.engine.mesa.shapes import bookmark_json


async def list_bookmarks(call: Call) -> Response:
    found = await call.mesa.read(call.repo, lambda repo: repo.bookmarks.all(call.query("glob") or "*"))
    page, beside = call.page(found, lambda bookmark: bookmark[0])
    return JSONResponse({**beside, "bookmarks": [bookmark_json(*bookmark, call.repo) for bookmark in page]})


async def get_bookmark(call: Call) -> Response:
    name = call.parameter("bookmark")
    change_id = await call.mesa.read(call.repo, lambda repo: repo.bookmarks.get(name))
    return JSONResponse(bookmark_json(name, change_id, call.repo))


async def create_bookmark(call: Call) -> Response:
    body = await call.body(CreateBookmark)

    def create(repo: OpenRepo) -> None:
        repo.place_bookmark(body.name, repo.history.get(body.change_id), new=True)

    await call.mesa.edit(call.repo, create)
    return JSONResponse(bookmark_json(body.name, body.change_id, call.repo), 201)


async def move_bookmark(call: Call) -> Response:
    """Forward only, where the client's schema has the field that says so."""
    body, name = await call.body(MoveBookmark), call.parameter("bookmark")

    def move(repo: OpenRepo) -> str:
        before, change = repo.bookmarks.get(name), repo.history.get(body.change_id)
        if body.allow_backwards is False and not repo.history.is_ancestor(before, change.id):
            raise conflict(f"Bookmark '{name}' would not move forward; set allow_backwards to move it anyway")
        repo.place_bookmark(name, change)
        return before

    before = await call.mesa.edit(call.repo, move)
    return JSONResponse({**bookmark_json(name, body.change_id, call.repo), "from_change_id": before})


async def delete_bookmark(call: Call) -> Response:
    name = call.parameter("bookmark")

    def delete(repo: OpenRepo) -> None:
        repo.bookmarks.get(name)
        if name == call.mesa.repos.by_id(call.repo.id).default_bookmark:
            raise conflict(f"Bookmark '{name}' is the repository's default")
        repo.remove_bookmark(name)

    await call.mesa.edit(call.repo, delete)
    return JSONResponse({"success": True})


async def merge_bookmark(call: Call) -> Response:
    body = await call.body(MergeBookmarks)
    if body.target == body.source:
        raise invalid("source", "is the target itself")
    return JSONResponse(await call.mesa.edit(call.repo, lambda repo: _merge(call, repo, body)))


def _merge(call: Call, repo: OpenRepo, body: MergeBookmarks) -> dict[str, Any]:
    if body.delete_source and body.source == call.repo.default_bookmark:
        raise conflict(f"Bookmark '{body.source}' is the repository's default, and cannot be deleted")
    target, source = (repo.history.get(repo.bookmarks.get(name)) for name in (body.target, body.source))
    if target.id == source.id:
        merged = target
    else:
        merged = _merged_change(call, repo, body, target, source)
        repo.place_bookmark(body.target, merged)
    if body.delete_source:
        repo.remove_bookmark(body.source)
    return {
        "merge_type": "no_op" if merged is target else "merge_commit",
        "is_conflicted": bool(merged.conflicts),
        "commit_oid": merged.commit_oid,
        "change_id": merged.id,
        "target": body.target,
        "source": body.source,
        "source_deleted": body.delete_source,
    }


def _merged_change(call: Call, repo: OpenRepo, body: MergeBookmarks, target: Change, source: Change) -> Change:
    message = f"Merge bookmark '{body.source}' into '{body.target}'" if body.message is None else body.message
    return repo.history.merge(
        target,
        source,
        [one.resolution() for one in body.resolutions],
        attributed(call, message=message),
        allow_conflicted=body.allow_conflicted,
    )
