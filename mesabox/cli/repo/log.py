"""List the changes of a repo, newest first."""

from typing import Annotated

from typer import Option

from mesabox.cli._options import RepoName
from mesabox.cli.repo._facts import CHANGE_COLUMNS, change_row
from mesabox.clients.base import Change
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = (
    "mesabox repo log notes",
    "mesabox repo log notes --bookmark try-1 --limit 3",
    "mesabox repo log notes -q --limit 1",
)


async def command(
    board: Switchboard,
    name: RepoName,
    bookmark: Annotated[str | None, Option(help="Of this bookmark.", show_default="the default one")] = None,
    limit: Annotated[int, Option(min=1, help="At most so many.")] = 30,
) -> Result:
    found: list[Change] = []
    async with board.services() as services:
        async for change in services.repos.changes(name, bookmark=bookmark):
            found.append(change)
            if len(found) == limit:
                break
    return Result(
        data=found,
        view=[Table(CHANGE_COLUMNS, [change_row(change) for change in found], empty="no changes yet")],
        quiet=[change.id for change in found],
    )
