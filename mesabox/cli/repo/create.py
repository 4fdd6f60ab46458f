"""Create a repo."""

from typing import Annotated

from typer import Option

from mesabox.cli._checks import repo_name
from mesabox.cli._flow import recorded
from mesabox.cli._options import RepoName
from mesabox.cli.repo._facts import repo_data, repo_fields
from mesabox.errors import Conflict
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox repo create notes",
    "mesabox repo create notes --if-not-exists -q",
    "mesabox repo create notes --bookmark trunk --json",
)


async def command(
    board: Switchboard,
    name: RepoName,
    bookmark: Annotated[str | None, Option(help="The default bookmark's name.", show_default="main")] = None,
    if_not_exists: Annotated[bool, Option("--if-not-exists", help="A repo of that name is fine.")] = False,
) -> Result:
    repo_name(name)
    async with recorded(board) as (services, ledger):
        ledger.making("repo", name)
        try:
            repo = await services.repos.create_repo(name, default_bookmark=bookmark)
            ledger.made("repo", name, id=repo.id)
            note = f"created repo {repo.name}"
        except Conflict:
            ledger.write("removed", kind="repo", name=name, id="", how="it was there already, and not ours")
            if not if_not_exists:
                raise
            repo, note = await services.repos.repo(name), f"repo {name} exists already"
    board.names.gain("repos", repo.name)
    return Result(data=repo_data(repo), view=[repo_fields(repo)], quiet=[repo.name], notes=[note])
