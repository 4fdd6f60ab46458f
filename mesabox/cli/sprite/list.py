"""List sprites."""

from typing import Annotated

from typer import Option

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox sprite list", "mesabox sprite list --prefix run- -q", "mesabox sprite list --json")


async def command(
    board: Switchboard,
    prefix: Annotated[str, Option(help="Only names that begin with this.", show_default=False)] = "",
) -> Result:
    async with board.services() as services:
        sprites = [sprite async for sprite in services.sandboxes.sprites(prefix=prefix)]
    if not prefix:
        board.names.are("sprites", (sprite.name for sprite in sprites))
    rows = [(sprite.name, sprite.status, sprite.created_at, sprite.labels) for sprite in sprites]
    return Result(
        data=sprites,
        view=[Table(("name", "status", "created", "labels"), rows, empty="no sprites")],
        quiet=[sprite.name for sprite in sprites],
    )
