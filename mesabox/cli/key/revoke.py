"""Revoke keys by id; one that is revoked already is fine."""

from typing import Annotated

from typer import Argument

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox key revoke key_01", "mesabox key list -q | xargs mesabox key revoke")


async def command(
    board: Switchboard,
    ids: Annotated[list[str], Argument(metavar="ID...", help="Ids, as `key list` shows them.", show_default=False)],
) -> Result:
    async with board.services() as services:
        for key_id in ids:
            await services.repos.revoke_key(key_id)
    return Result(data={"revoked": ids}, view=["".join(f"revoked key {key_id}\n" for key_id in ids)], quiet=ids)
