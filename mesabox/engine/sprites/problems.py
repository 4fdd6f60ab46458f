"""The error bodies of Sprites (wire: four shapes; recorded replies and the SDKs' parsers)."""

import errno as errnos
import os

from starlette.requests import Request
from starlette.responses import Response

from mesabox.engine.sprites.answers import Json

_CODES = {
    errnos.ENOENT: 404,
    errnos.EEXIST: 409,
    errnos.ENOTDIR: 400,
    errnos.EISDIR: 400,
    errnos.EINVAL: 400,
    errnos.ELOOP: 400,
    errnos.ENAMETOOLONG: 400,
    errnos.EACCES: 403,
    errnos.EPERM: 403,
    errnos.EROFS: 403,
    errnos.ENOTEMPTY: 409,
}


class Problem(Exception):
    """``{"error": text}`` of the control plane, or of the agent as plain text."""

    def __init__(self, status: int, text: str, *, plain: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.plain = plain

    def response(self) -> Response:
        if self.plain:
            return Response(self.text + "\n", self.status, media_type="text/plain")
        return Json({"error": self.text}, self.status)


class Invalid(Problem):
    """``{"errors": [text]}``: a request that does not validate."""

    def __init__(self, *texts: str) -> None:
        super().__init__(400, "; ".join(texts))
        self.texts = texts

    def response(self) -> Response:
        return Json({"errors": list(self.texts)}, self.status)


class FileProblem(Problem):
    """``{"error", "code": "ENOENT", "path"}`` of the files API."""

    def __init__(self, error: OSError, path: str) -> None:
        number = error.errno or errnos.EIO
        super().__init__(_CODES.get(number, 500), error.strerror or os.strerror(number))
        self.code = errnos.errorcode.get(number, "EIO")
        self.path = path

    def response(self) -> Response:
        return Json({"error": f"{self.text}: {self.path}", "code": self.code, "path": self.path}, self.status)


def no_such_sprite() -> Problem:
    return Problem(404, "sprite not found")


def name_taken(name: str) -> Problem:
    return Problem(409, f"A sprite named '{name}' already exists. Please choose a different name.")


async def answer(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.response()
