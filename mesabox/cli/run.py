"""Run a command in a sprite, its streams and its exit code passed through."""

from collections.abc import Coroutine
from typing import Annotated, Any

from typer import Argument, Option

from mesabox.cli._flow import (
    Attempt,
    DetachOption,
    EnvironmentFileOption,
    EnvironmentOption,
    SecretOption,
    TtyOption,
    WorkdirOption,
    detached,
)
from mesabox.cli._options import SpriteName
from mesabox.flow.plan import limit_of
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

COMMAND_FROM = 1
TELLS_EVENTS = True
EXAMPLES = (
    "mesabox run builder -- uname -a",
    "mesabox run builder --repo agent-workspace -- git status",
    "tar c . | mesabox run builder -- tar x -C /tmp",
    "mesabox run builder --detach --timeout 10m -- make test",
)


def command(
    board: Switchboard,
    sprite: SpriteName,
    argv: Annotated[list[str] | None, Argument(metavar="-- CMD...", help="The command.", show_default=False)] = None,
    repo: Annotated[str | None, Option(help="Start in this repo's mount.", show_default=False)] = None,
    timeout: Annotated[str, Option(help="The command's limit: 30m, 1h, none.")] = "none",
    env: EnvironmentOption = None,
    env_file: EnvironmentFileOption = None,
    secret: SecretOption = None,
    workdir: WorkdirOption = None,
    tty: TtyOption = None,
    detach: DetachOption = False,
) -> Result | Coroutine[Any, Any, Result]:
    tty = False if detach else tty
    attempt = Attempt(board, tuple(argv or ()), env, workdir, tty, limit_of(timeout), secret, env_file)
    if detach:
        return detached(attempt, lambda one, begun: one.run_on_record(sprite, repo, begun))
    return attempt.run(sprite, repo)
