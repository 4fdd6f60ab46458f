"""Revoke keys by id; one that is revoked already is fine."""

from typing import Annotated

from typer import Argument

from mesabox.cli._each import for_each
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox key revoke key_01", "mesabox key list -q | xargs -r mesabox key revoke")


async def command(
    board: Switchboard,
    ids: Annotated[list[str], Argument(metavar="ID...", help="Ids, as `key list` shows them.", show_default=False)],
) -> Result:
    async with board.services() as services:
        return await for_each(ids, services.repos.revoke_key, "revoked", "key")
