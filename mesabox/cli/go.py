"""Run a command in a mounted repo, from nothing to its work saved.

Makes the repo if it is new, a key for it, a sprite with the repo mounted; runs the command there with its output as it
comes; shows what changed; takes the sprite and the key down again. Without a command it opens a shell.

With --detach it goes on by itself, and `mesabox runs attach` shows it. With --resume a run that failed or was cut off
goes on at the step that failed, with what it has made.
"""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from mesabox.cli._again import attempt_again, board_of, resumable, told_of
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
from mesabox.cli._plan import planned
from mesabox.cli._runs import run_called
from mesabox.errors import UsageProblem
from mesabox.flow.plan import Plan, limit_of
from mesabox.flow.seed.source import Source, read_source
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

COMMAND_FROM = 0
TELLS_EVENTS = True
EXAMPLES = (
    "mesabox go -- sh -c 'date > made-here.txt'",
    "mesabox go --repo my-project --timeout 30m -- claude -p 'fix the failing test'",
    "mesabox go --from . --apply -- make format",
    "mesabox go --detach -- make test        # then: mesabox runs attach last",
)


Words = Annotated[list[str] | None, Argument(metavar="[-- CMD...]", help="The command.", show_default=False)]
RepoOption = Annotated[str | None, Option(help="The repo; made when it is not there.", show_default=False)]
BookmarkOption = Annotated[str | None, Option(help="The bookmark to work on.", show_default=False)]
SpriteOption = Annotated[str | None, Option(help="A lasting sprite instead of a new one.", show_default=False)]
LimitOption = Annotated[str | None, Option(help="The command's limit: 30m, 1h, none.", show_default=False)]
KeepOption = Annotated[
    Literal["never", "on-failure", "always"] | None, Option(help="Keep the sprite.", show_default=False)
]
SourceOption = Annotated[
    str | None, Option("--from", metavar="DIR", help="Seed the repo from a folder.", show_default=False)
]
ApplyOption = Annotated[bool, Option("--apply", help="Write the changes back to that folder.")]
ResumeOption = Annotated[
    str | None, Option(metavar="RUN", help="Go on with a run that failed or was cut off.", show_default=False)
]
DryRunOption = Annotated[bool, Option("--dry-run", help="Say what would be done, and do nothing.")]
IsolationOption = Annotated[
    Literal["auto", "none"] | None, Option(help="none: plain processes, no sandbox.", show_default=False)
]


def command(
    board: Switchboard,
    argv: Words = None,
    repo: RepoOption = None,
    bookmark: BookmarkOption = None,
    sprite: SpriteOption = None,
    timeout: LimitOption = None,
    keep: KeepOption = None,
    source: SourceOption = None,
    apply: ApplyOption = False,
    resume: ResumeOption = None,
    dry_run: DryRunOption = False,
    detach: DetachOption = False,
    isolation: IsolationOption = None,
    env: EnvironmentOption = None,
    env_file: EnvironmentFileOption = None,
    secret: SecretOption = None,
    workdir: WorkdirOption = None,
    tty: TtyOption = None,
) -> Result | Coroutine[Any, Any, Result]:
    board = board.with_settings(isolation=isolation) if isolation else board
    words, tty = tuple(argv or ()), False if detach else tty
    if resume is not None:
        others = {"repo": repo, "bookmark": bookmark, "sprite": sprite, "timeout": timeout, "keep": keep}
        more = {"from": source, "apply": apply, "env": env, "env-file": env_file, "workdir": workdir}
        _alone(resume, {**others, **more})
        return _resumed(board, resume, words, secret or (), detach, tty)
    wanted = board.settings.go
    folder = _seedable(board, source, apply)
    attempt = Attempt(board, words, env, workdir, tty, limit_of(timeout or wanted.timeout), secret, env_file)
    places = (repo or wanted.repo, bookmark or wanted.bookmark, sprite or wanted.sprite)
    plan = Plan(attempt.command, *places, keep or wanted.keep, folder, apply, tuple(secret or ()))
    if dry_run:
        return planned(board, plan)
    return detached(attempt, lambda one, begun: one.go(plan, begun)) if detach else attempt.go(plan)


def _resumed(
    board: Switchboard,
    run_id: str,
    words: tuple[str, ...],
    secret: list[str] | tuple[str, ...],
    detach: bool,
    tty: bool | None,
) -> Result | Coroutine[Any, Any, Result]:
    run = resumable(run_called(board, run_id))
    attempt, plan = attempt_again(board_of(board, run), run, argv=words, secret=secret, tty=tty)
    other = bool(words)
    if detach:
        return detached(attempt, lambda one, begun: one.resume(plan, run, begun, other_command=other))
    return attempt.resume(plan, run, other_command=other)


def _alone(run_id: str, others: dict[str, object]) -> None:
    """A run is gone on with as it was asked for."""
    if given := [f"--{name}" for name, value in others.items() if value]:
        why = f"{', '.join(given)}: run '{run_id}' has its own"
        raise UsageProblem("--resume takes the run as it is", why=why, fix=f"mesabox go --resume {run_id}")


def _seedable(board: Switchboard, folder: str | None, apply: bool) -> Source | None:
    """Read before anything is made; what it leaves out is said."""
    if folder is None:
        if apply:
            raise UsageProblem("--apply needs a folder to write the changes to", fix="--from DIR --apply")
        return None
    source = read_source(Path(folder))
    for text in told_of(source):
        board.reporter.warning(text)
    return source
