"""Show a repo, its bookmarks and its latest changes."""

from mesabox.cli._options import RepoName
from mesabox.cli.repo._facts import CHANGE_COLUMNS, change_row, repo_data, repo_fields
from mesabox.clients.base import Change, RepoHost
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox repo show notes", "mesabox repo show notes --json | jq .data.bookmarks")

_LATEST = 5


async def command(board: Switchboard, name: RepoName) -> Result:
    async with board.services() as services:
        repo = await services.repos.repo(name)
        bookmarks = [bookmark async for bookmark in services.repos.bookmarks(name)]
        changes = await _latest(services.repos, name)
    marks = [(bookmark.name, bookmark.change_id, "default" if bookmark.is_default else "") for bookmark in bookmarks]
    return Result(
        data={**repo_data(repo), "bookmarks": bookmarks, "latest": changes},
        view=[
            repo_fields(repo),
            "\n",
            Table(("bookmark", "change", ""), marks, empty="no bookmarks"),
            "\n",
            Table(CHANGE_COLUMNS, [change_row(change) for change in changes], empty="no changes yet"),
        ],
        quiet=[repo.name],
    )


async def _latest(repos: RepoHost, name: str) -> list[Change]:
    found: list[Change] = []
    async for change in repos.changes(name):
        found.append(change)
        if len(found) == _LATEST:
            break
    return found
