"""Take the repo mounts of a sprite away, their last edits saved first."""

from mesabox.cli._flow import recorded
from mesabox.cli._options import SpriteName
from mesabox.flow import steps
from mesabox.flow.record.runs import Resource
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox unmount builder", "mesabox unmount builder --json")


async def command(board: Switchboard, sprite: SpriteName) -> Result:
    async with recorded(board) as (services, ledger):
        await services.sandboxes.sprite(sprite)
        await steps.unmount(services, sprite)
        ledger.removed(Resource("mount", sprite))
    return Result(data={"sprite": sprite}, notes=[f"nothing is mounted in sprite {sprite} any more"])
