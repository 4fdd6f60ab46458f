"""Start the local engine; one that runs already is fine."""

from typing import Annotated, Literal

from typer import Option

from mesabox.cli.engine._facts import facts_of, fields_of
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox engine start",
    "mesabox engine start -q",
    "mesabox engine start --isolation none   # throw-away CI",
)


async def command(
    board: Switchboard,
    isolation: Annotated[
        Literal["auto", "none"] | None, Option(help="none: plain processes, no sandbox.", show_default=False)
    ] = None,
) -> Result:
    board = board.with_settings(isolation=isolation) if isolation else board
    endpoint, started = await board.engine.ensure()
    return Result(
        data={**facts_of(endpoint), "started": started},
        view=[fields_of(endpoint)],
        quiet=[endpoint.url],
        notes=["started the engine" if started else "the engine runs already"],
    )
