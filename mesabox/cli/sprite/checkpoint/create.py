"""Keep a sprite's files as they are now."""

from typing import Annotated

from typer import Option

from mesabox.cli._options import SpriteName
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox sprite checkpoint create builder",
    "mesabox sprite checkpoint create builder --comment 'before the upgrade' -q",
)


async def command(
    board: Switchboard,
    name: SpriteName,
    comment: Annotated[str, Option(help="What it is for.", show_default=False)] = "",
) -> Result:
    async with board.services() as services:
        made = await services.sandboxes.create_checkpoint(name, comment)
    back = f"mesabox sprite checkpoint restore {name} {made}"
    return Result(
        data={"sprite": name, "id": made, "comment": comment},
        view=[f"checkpoint {made} of sprite {name}\n"],
        quiet=[made],
        notes=[f"back to it: {back}"],
    )
