"""Destroy sprites, their files and checkpoints included."""

from typing import Annotated

from typer import Argument

from mesabox.cli._each import for_each
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox sprite destroy builder", "mesabox sprite list --prefix run- -q | xargs -r mesabox sprite destroy")


async def command(
    board: Switchboard,
    names: Annotated[list[str], Argument(metavar="SPRITE...", help="Their names.", show_default=False)],
) -> Result:
    async with board.services() as services:
        result = await for_each(names, services.sandboxes.destroy_sprite, "destroyed", "sprite")
    board.names.lose("sprites", *names)
    return result
