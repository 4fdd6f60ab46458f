"""Print a file of a repo, byte for byte."""

import base64
from typing import Annotated, Any

from typer import Argument, Option

from mesabox.cli._options import RepoName
from mesabox.cli.repo._changes import change_named
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox repo cat notes README.md",
    "mesabox repo cat notes logo.png > logo.png",
    "mesabox repo cat notes README.md --at try-1",
)


async def command(
    board: Switchboard,
    name: RepoName,
    path: Annotated[str, Argument(metavar="PATH", help="The file's path in the repo.", show_default=False)],
    at: Annotated[
        str | None, Option(metavar="CHANGE", help="At this change or bookmark.", show_default="latest")
    ] = None,
) -> Result:
    async with board.services() as services:
        change_id = None if at is None else await change_named(services.repos, name, at)
        content = await services.repos.read_file(name, path, change_id=change_id)
    return Result(data={"path": path, "size": len(content), **_text(content)}, view=[content], quiet=content)


def _text(content: bytes) -> dict[str, Any]:
    try:
        return {"content": content.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"content": base64.b64encode(content).decode(), "encoding": "base64"}
