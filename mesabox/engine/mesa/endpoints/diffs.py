"""The difference of two changes."""

import re

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.diffs import DiffRequest, diff_json, patch_text
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import invalid

_COMMIT = re.compile(r"[0-9a-f]{40}")


async def get_diff(call: Call) -> Response:
    base_id, head_id = _required(call, "base_change_id"), _required(call, "head_change_id")
    conflicts = call.query_choice("conflicts", ("include", "only", "exclude"), "include")
    as_text = call.prefers("text/plain")

    def read(repo: OpenRepo) -> Response:
        base, head = repo.history.at(base_id), repo.history.at(head_id)
        if as_text:
            return Response(patch_text(repo.objects, base, head), media_type="text/plain")
        return JSONResponse(diff_json(repo.objects, DiffRequest(base, head, conflicts)))

    return await call.mesa.read(call.repo, read)


def _required(call: Call, name: str) -> str:
    """A change id; or a commit, which tells two states of one change apart (not in the published schema)."""
    if _COMMIT.fullmatch(text := call.query(name) or ""):
        return text
    if (change_id := call.query_change_id(name)) is None:
        raise invalid(name, "is required")
    return change_id
