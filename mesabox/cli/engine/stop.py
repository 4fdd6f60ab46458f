"""Stop the local engine; what is in its sprites and repos stays."""

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox engine stop", "mesabox engine stop --json")


async def command(board: Switchboard) -> Result:
    stopped = await board.engine.stop()
    return Result(
        data={"stopped": stopped}, notes=["stopped the engine" if stopped else "no engine was running: nothing to do"]
    )
