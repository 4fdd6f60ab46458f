"""Show what changed between two changes of a repo.

Without FROM, what the latest change changed; without TO, up to the latest change. A change is named by its id or by a
bookmark.
"""

from typing import Annotated

from typer import Argument, Option

from mesabox.cli._options import RepoName
from mesabox.cli.repo._changes import base_of, change_named
from mesabox.flow.patch.whole import WholePatch, whole_patch
from mesabox.switchboard import Switchboard
from mesabox.ui.capture import as_text
from mesabox.ui.result import Result, Table

EXAMPLES = (
    "mesabox repo diff notes",
    "mesabox repo diff notes main try-1 --stat",
    "mesabox repo diff notes main try-1 > try-1.patch",
)

_COLUMNS = ("status", "path", "added", "deleted")


async def command(
    board: Switchboard,
    name: RepoName,
    base: Annotated[str | None, Argument(metavar="[FROM]", help="A change or bookmark.", show_default=False)] = None,
    head: Annotated[str | None, Argument(metavar="[TO]", help="A change or bookmark.", show_default=False)] = None,
    stat: Annotated[bool, Option("--stat", help="Files and line counts instead of the patch.")] = False,
) -> Result:
    async with board.services() as services:
        repos = services.repos
        repo = await repos.repo(name)
        to = repo.head_change_id if head is None else await change_named(repos, name, head)
        since = await base_of(repos, repo, to) if base is None else await change_named(repos, name, base)
        diff = await repos.diff(name, since, to)
        text = b"" if stat else await repos.patch(name, since, to)
        patch = await whole_patch(repos, name, text, diff, base=since, head=to) if not stat else WholePatch(b"")
    rows = [(entry.status, entry.path, entry.additions, entry.deletions) for entry in diff.entries]
    return Result(
        data={"diff": diff, **(as_text("patch", patch.data) if patch.data else {"patch": None})},
        view=[Table(_COLUMNS, rows, empty="nothing changed") if stat else patch.data],
        quiet=[entry.path for entry in diff.entries],
        notes=[f"not in the patch: {one.path}: {one.why}" for one in patch.missing],
    )
