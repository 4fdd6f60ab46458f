"""Destroy sprites, their files and checkpoints included."""

from typing import Annotated

from typer import Argument

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox sprite destroy builder", "mesabox sprite list --prefix run- -q | xargs mesabox sprite destroy")


async def command(
    board: Switchboard,
    names: Annotated[list[str], Argument(metavar="SPRITE...", help="Their names.", show_default=False)],
) -> Result:
    async with board.services() as services:
        for name in names:
            await services.sandboxes.destroy_sprite(name)
    board.names.lose("sprites", *names)
    return Result(
        data={"destroyed": names}, view=["".join(f"destroyed sprite {name}\n" for name in names)], quiet=names
    )
