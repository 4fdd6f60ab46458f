"""The difference of two changes."""

from starlette.responses import JSONResponse, Response

from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.diffs import DiffRequest, diff_json, patch_text
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import invalid


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
    if (revision := call.query_revision(name)) is None:
        raise invalid(name, "is required")
    return revision
