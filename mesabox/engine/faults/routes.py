"""``/_engine/faults``: what is on, and PUT for these and no others."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesabox.engine.faults.faults import Faults
from mesabox.wire.faults import Fault


def routes(faults: Faults) -> list[Route]:
    """PUT takes ``{"faults": ["cut=0.5", …], "seed": int | null}``; both answer with what is on then."""

    async def show(_: Request) -> Response:
        return JSONResponse(faults.told())

    async def replace(request: Request) -> Response:
        try:
            wanted, seed = _wanted(await request.body())
        except ValueError as error:
            return JSONResponse({"errors": [str(error)]}, 400)
        faults.set(wanted, seed)
        return JSONResponse(faults.told())

    return [Route("/faults", show, methods=["GET"]), Route("/faults", replace, methods=["PUT"])]


def _wanted(body: bytes) -> tuple[list[Fault], int | None]:
    value = json.loads(body)
    texts, seed = (value.get("faults"), value.get("seed")) if isinstance(value, dict) else (None, None)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("faults must be an array of strings")
    if seed is not None and type(seed) is not int:
        raise ValueError("seed must be a whole number")
    return [Fault.parse(text) for text in texts], seed
