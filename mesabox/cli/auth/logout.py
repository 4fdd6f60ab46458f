"""Forget the credentials that are kept: of one service, or of both."""

from typing import Annotated

from typer import Argument

from mesabox.config.credentials import MESA_VARIABLES, SPRITES_VARIABLES
from mesabox.config.stored import SERVICES, Service
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox auth logout", "mesabox auth logout sprites")


def command(
    board: Switchboard,
    service: Annotated[
        Service | None, Argument(metavar="[SERVICE]", help="mesa or sprites; both without.", show_default=False)
    ] = None,
) -> Result:
    forgotten = [one for one in ((service,) if service else SERVICES) if board.stored.forget(one)]
    notes = [f"forgot the {one} credential" for one in forgotten] or ["nothing was kept"]
    environ = board.local_environment()
    notes += [f"{name} is still set" for name in (*MESA_VARIABLES, *SPRITES_VARIABLES) if environ.get(name)]
    return Result(data={"forgotten": forgotten}, quiet=forgotten, notes=notes)
