"""Changes: made, listed, shown, edited."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.attribution import attributed
from mesabox.engine.mesa.bodies import CreateChange, FileEdit, UpdateChange
from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.changes import Change
from mesabox.engine.mesa.objects import Entry, Objects
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import Problem, not_found
from mesabox.engine.mesa.shapes import change_json


async def list_changes(call: Call) -> Response:
    """What the bookmark reaches, newest first; the virtual root is not among it."""

    def read(repo: OpenRepo) -> tuple[list[Change], dict[str, Any]]:
        start = repo.bookmarks.get(call.query("bookmark") or call.repo.default_bookmark)
        numbered = [(f"{number:012d}", change_id) for number, change_id in enumerate(repo.history.newest_first(start))]
        page, beside = call.page(numbered, lambda one: one[0])
        return [repo.history.get(change_id) for _, change_id in page], beside

    changes, beside = await call.mesa.read(call.repo, read)
    return JSONResponse({**beside, "changes": [change_json(change) for change in changes]})


async def get_change(call: Call) -> Response:
    change_id = call.change_id()

    def read(repo: OpenRepo) -> dict[str, Any]:
        change = repo.history.get(change_id)
        files = sorted(repo.objects.changed_paths(repo.history.base_tree(change), change.tree_oid))
        return {**change_json(change), "files": files, "conflicts": sorted(change.conflicts)}

    return JSONResponse(await call.mesa.read(call.repo, read))


async def create_change(call: Call) -> Response:
    """On any change of the repo; no bookmark moves."""
    body = await call.body(CreateChange)
    by = attributed(call, message=body.message, author=body.author, committer=body.committer)

    def create(repo: OpenRepo) -> Change:
        base = repo.history.get(body.base_change_id)
        edits = _edits(repo.objects, base.tree_oid, body.files)
        return repo.history.create(base, repo.objects.edit_tree(base.tree_oid, edits), by)

    return JSONResponse(change_json(await call.mesa.edit(call.repo, create)), 201)


async def update_change(call: Call) -> Response:
    body, change_id = await call.body(UpdateChange), call.change_id()
    return JSONResponse(change_json(await call.mesa.edit(call.repo, lambda repo: _update(call, repo, change_id, body))))


def _update(call: Call, repo: OpenRepo, change_id: str, body: UpdateChange) -> Change:
    change = repo.history.get(change_id)
    if change.is_root:
        raise Problem(400, "INVALID_REQUEST", "change_id: the virtual root cannot be edited")
    if body.base_commit_oid not in (None, change.commit_oid):
        message = f"The change is at commit {change.commit_oid} by now, not at {body.base_commit_oid}"
        raise Problem(409, "LOCK_CONFLICT", message, {"current_commit_oid": change.commit_oid})
    by = attributed(call, message=body.message, author=body.author, committer=body.committer)
    if body.resolutions:
        return repo.note(repo.history.resolve(change, [one.resolution() for one in body.resolutions], by))
    if change.conflicts:
        raise repo.history.unresolved(change.conflicts)
    edits = _edits(repo.objects, change.tree_oid, body.files or [])
    return repo.evolve(change, repo.objects.edit_tree(change.tree_oid, edits), by)


def _edits(objects: Objects, tree: str, files: Sequence[FileEdit]) -> dict[str, Entry | None]:
    """Path -> entry. A file keeps the mode it has unless another is given. Problem 404 to delete what is not there."""
    upserts = [file for file in files if file.action == "upsert"]
    oids = dict(
        zip((file.path for file in upserts), objects.write_blobs([f.content or b"" for f in upserts]), strict=True)
    )
    return {file.path: _entry(objects, tree, file, oids.get(file.path)) for file in files}


def _entry(objects: Objects, tree: str, file: FileEdit, oid: str | None) -> Entry | None:
    before = objects.entry(tree, file.path)
    if file.action == "delete" or oid is None:
        if before is None:
            raise not_found(f"path '{file.path}'")
        return None
    if file.mode is not None:
        return Entry(oid, int(file.mode, 8))
    return Entry(oid, before.mode if before and before.mode == 0o100755 else 0o100644)
