"""Run a command in a mounted repo, from nothing to its work saved.

Makes the repo if it is new, a key for it, a sprite with the repo mounted; runs the command there with its output as it
comes; shows what changed; takes the sprite and the key down again. Without a command it opens a shell.
"""

from typing import Annotated, Literal

from typer import Argument, Option

from mesabox.cli._flow import Attempt, EnvironmentFileOption, EnvironmentOption, SecretOption, TtyOption, WorkdirOption
from mesabox.flow.plan import Plan, limit_of
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

COMMAND_FROM = 0
TELLS_EVENTS = True
EXAMPLES = (
    "mesabox go -- sh -c 'date > made-here.txt'",
    "mesabox go --repo my-project --timeout 30m -- claude -p 'fix the failing test'",
    "mesabox go --keep on-failure --json -- make test",
    "mesabox go --sprite builder        # a shell in the mount of a lasting sprite",
)


async def command(
    board: Switchboard,
    argv: Annotated[list[str] | None, Argument(metavar="[-- CMD...]", help="The command.", show_default=False)] = None,
    repo: Annotated[str | None, Option(help="The repo; made when it is not there.", show_default=False)] = None,
    bookmark: Annotated[str | None, Option(help="The bookmark to work on.", show_default=False)] = None,
    sprite: Annotated[str | None, Option(help="A lasting sprite instead of a new one.", show_default=False)] = None,
    timeout: Annotated[str | None, Option(help="The command's limit: 30m, 1h, none.", show_default=False)] = None,
    keep: Annotated[
        Literal["never", "on-failure", "always"] | None, Option(help="Keep the sprite.", show_default=False)
    ] = None,
    isolation: Annotated[
        Literal["auto", "none"] | None, Option(help="none: plain processes, no sandbox.", show_default=False)
    ] = None,
    env: EnvironmentOption = None,
    env_file: EnvironmentFileOption = None,
    secret: SecretOption = None,
    workdir: WorkdirOption = None,
    tty: TtyOption = None,
) -> Result:
    board = board.with_settings(isolation=isolation) if isolation else board
    wanted = board.settings.go
    attempt = Attempt(
        board, tuple(argv or ()), env, workdir, tty, limit_of(timeout or wanted.timeout), secret, env_file
    )
    plan = Plan(
        command=attempt.command,
        repo=repo or wanted.repo,
        bookmark=bookmark or wanted.bookmark,
        sprite=sprite or wanted.sprite,
        keep=keep or wanted.keep,
    )
    return await attempt.go(plan)
