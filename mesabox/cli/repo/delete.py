"""Delete a repo, its history included."""

from mesabox.cli._asking import Yes, make_sure
from mesabox.cli._options import RepoName
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox repo delete notes", "mesabox repo delete notes --yes -q")


async def command(board: Switchboard, name: RepoName, yes: Yes = False) -> Result:
    make_sure(board, yes, f"Delete repo {name} and its whole history?")
    async with board.services() as services:
        await services.repos.delete_repo(name)
    board.names.lose("repos", name)
    return Result(data={"name": name}, view=[f"deleted repo {name}\n"], quiet=[name])
