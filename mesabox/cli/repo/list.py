"""List the organization's repos."""

from mesabox.cli.repo._facts import repo_data
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox repo list", "mesabox repo list -q", "mesabox repo list --json | jq -r '.data[].head_change_id'")


async def command(board: Switchboard) -> Result:
    async with board.services() as services:
        repos = [repo async for repo in services.repos.repos()]
    board.names.are("repos", (repo.name for repo in repos))
    rows = [(repo.name, repo.default_bookmark, repo.head_change_id, repo.created_at) for repo in repos]
    return Result(
        data=[repo_data(repo) for repo in repos],
        view=[
            Table(("name", "bookmark", "head", "created"), rows, empty="no repos: mesabox repo create NAME makes one")
        ],
        quiet=[repo.name for repo in repos],
    )
