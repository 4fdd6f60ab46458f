"""Print what points any program at the local engine, as a shell reads it."""

import shlex

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    'eval "$(mesabox engine env)"',
    'eval "$(mesabox engine env)"; mesabox --engine cloud repo list',
    "mesabox engine env --json | jq -r .data.SPRITES_TOKEN",
)


async def command(board: Switchboard) -> Result:
    endpoint, _ = await board.engine.ensure()
    variables = {
        "SPRITES_API_URL": endpoint.url,
        "SPRITES_TOKEN": endpoint.token,
        "MESA_API_URL": endpoint.mesa_url,
        "MESA_API_KEY": endpoint.mesa_api_key,
        "MESA_PRIVATE_KEY": endpoint.mesa_private_key,
        "MESA_ORG": endpoint.org,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return Result(data=variables, view=["".join(f"{line}\n" for line in lines)], quiet=lines)
