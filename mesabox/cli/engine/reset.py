"""Stop the local engine and delete everything in it: sprites, repos, keys."""

from mesabox.cli._asking import Yes, make_sure
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox engine reset", "mesabox engine reset --yes")


async def command(board: Switchboard, yes: Yes = False) -> Result:
    make_sure(board, yes, "Delete every sprite, repo and key of the local engine?")
    await board.engine.stop()
    await board.engine.reset()
    return Result(data={"reset": True}, notes=["the engine is empty; it starts by itself when a command needs it"])
