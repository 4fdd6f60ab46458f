"""Bring a sprite's files back to a checkpoint; what ran in it ends."""

from typing import Annotated

from typer import Argument

from mesabox.cli._options import SpriteName
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox sprite checkpoint restore builder v1", "mesabox sprite checkpoint restore builder v1 --json")


async def command(
    board: Switchboard,
    name: SpriteName,
    checkpoint: Annotated[str, Argument(metavar="CHECKPOINT", help="Its id.", show_default=False)],
) -> Result:
    async with board.services() as services:
        await services.sandboxes.restore_checkpoint(name, checkpoint)
    return Result(
        data={"sprite": name, "id": checkpoint},
        view=[f"sprite {name} is back at checkpoint {checkpoint}\n"],
        quiet=[name],
    )
