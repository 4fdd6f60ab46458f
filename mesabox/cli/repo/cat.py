"""Print a file of a repo, byte for byte."""

from typing import Annotated

from typer import Argument, Option

from mesabox.cli._options import RepoName
from mesabox.cli.repo._changes import change_named
from mesabox.switchboard import Switchboard
from mesabox.ui.capture import as_text
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
    data = {"path": path, "size": len(content), **as_text("content", content)}
    return Result(data=data, view=[content], quiet=content)
