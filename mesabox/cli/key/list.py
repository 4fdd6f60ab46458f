"""List the keys that mesabox minted."""

from typing import Annotated

from typer import Option

from mesabox.cli.key._facts import key_data, state_of
from mesabox.flow.steps import LABEL
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox key list", "mesabox key list --all --json", "mesabox key list -q")

_COLUMNS = ("id", "name", "state", "scopes", "created", "expires")


async def command(
    board: Switchboard,
    every: Annotated[bool, Option("--all", help="Every key, whoever made it, ended ones too.")] = False,
) -> Result:
    async with board.services() as services:
        everything = services.repos.keys()
        keys = [key async for key in everything if every or (LABEL in key.tags and state_of(key) == "live")]
    rows = [(key.id, key.name, state_of(key), key.scopes, key.created_at, key.expires_at or "never") for key in keys]
    return Result(
        data=[key_data(key) for key in keys],
        view=[Table(_COLUMNS, rows, empty="no keys")],
        quiet=[key.id for key in keys],
    )
