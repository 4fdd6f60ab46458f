"""List a sprite's checkpoints, newest first."""

from mesabox.cli._options import SpriteName
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox sprite checkpoint list builder", "mesabox sprite checkpoint list builder -q | head -1")


async def command(board: Switchboard, name: SpriteName) -> Result:
    async with board.services() as services:
        kept = await services.sandboxes.checkpoints(name)
    rows = [(checkpoint.id, checkpoint.created_at, checkpoint.comment) for checkpoint in kept]
    return Result(
        data=kept,
        view=[Table(("id", "created", "comment"), rows, empty="no checkpoints")],
        quiet=[checkpoint.id for checkpoint in kept],
    )
