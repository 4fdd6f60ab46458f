"""Show a sprite and the commands that run in it."""

from mesabox.cli._options import SpriteName
from mesabox.cli.sprite._facts import sprite_fields
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox sprite show builder", "mesabox sprite show builder --json | jq .data.sessions")


async def command(board: Switchboard, name: SpriteName) -> Result:
    async with board.services() as services:
        sprite = await services.sandboxes.sprite(name)
        sessions = await services.sandboxes.sessions(name)
    rows = [(session.id, session.command, session.workdir, session.created) for session in sessions]
    return Result(
        data={"sprite": sprite, "sessions": sessions},
        view=[
            sprite_fields(sprite),
            "\n",
            Table(("session", "command", "folder", "since"), rows, empty="nothing runs in it"),
        ],
        quiet=[sprite.name],
    )
