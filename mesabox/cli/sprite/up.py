"""Create or reuse a sprite, and wait until it runs commands."""

from mesabox.cli._checks import sprite_name
from mesabox.cli._flow import recorded
from mesabox.cli._options import SpriteName
from mesabox.cli.sprite._facts import sprite_fields
from mesabox.flow import steps
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox sprite up builder", "mesabox sprite up builder -q", "mesabox sprite up builder --json")


async def command(board: Switchboard, name: SpriteName) -> Result:
    sprite_name(name)
    async with recorded(board) as (services, ledger):
        _, made = await steps.have_sprite(services, ledger, name)
        await steps.answer(services, name)
        sprite = await services.sandboxes.sprite(name)
    board.names.gain("sprites", name)
    note = f"{'made' if made else 'reused'} sprite {name}; it answers"
    return Result(
        data={"sprite": sprite, "made": made}, view=[sprite_fields(sprite)], quiet=[sprite.name], notes=[note]
    )
