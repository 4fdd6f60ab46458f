"""Show every setting."""

from typing import Annotated

from typer import Option

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox config show", "mesabox config show --origin", "mesabox config show --json | jq .data")


def command(
    board: Switchboard,
    origin: Annotated[bool, Option("--origin", help="And where each value came from.")] = False,
) -> Result:
    settings = board.settings
    rows, data = [], {}
    for key, value in settings.items():
        kind, where = settings.origin(key)
        rows.append((key, value, where or kind) if origin else (key, value))
        data[key] = {"value": value, "origin": kind, "where": where or None}
    columns = ("setting", "value", "origin") if origin else ("setting", "value")
    return Result(data=data, view=[Table(columns, rows, empty="")], quiet=[f"{row[0]}={row[1] or ''}" for row in rows])
