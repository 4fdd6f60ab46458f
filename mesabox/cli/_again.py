"""A run on record, done again or gone on with: its words come from the record."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesabox.cli._flow import Attempt, in_use
from mesabox.errors import UsageProblem
from mesabox.flow.plan import Plan
from mesabox.flow.record.runs import Run
from mesabox.flow.seed.source import Source, read_source
from mesabox.switchboard import Switchboard


def attempt_again(
    board: Switchboard,
    run: Run,
    *,
    argv: tuple[str, ...] = (),
    secret: Sequence[str] = (),
    needs_secrets: bool = True,
    tty: bool | None = None,
) -> tuple[Attempt, Plan]:
    """argv: instead of the recorded words. secret: given again, for those that cannot be read where they were.

    needs_secrets: False for a command that was begun with them.
    """
    start = _checked(run, masked=not needs_secrets or bool(argv))
    names = _secrets(start.get("secrets", ()), secret)
    secrets = names if needs_secrets else []
    attempt = Attempt(
        board,
        argv or tuple(start["command"]),
        [f"{name}={value}" for name, value in start["env"].items()],
        start["workdir"],
        tty,
        start["timeout"],
        secrets,
    )
    plan = Plan(
        command=attempt.command,
        repo=start["repo"],
        bookmark=start["bookmark"],
        sprite=start["named_sprite"],
        keep=start["keep"],
        source=read_source(Path(start["source"])) if start["source"] else None,
        apply=start["apply"],
        secrets=tuple(names),
    )
    return attempt, plan


def _checked(run: Run, *, masked: bool) -> Mapping[str, Any]:
    """Its start. masked: whether one will do whose words the record has without their secrets."""
    if run.start.get("kind") != "go":
        raise UsageProblem(f"run '{run.id}' is not one of mesabox go", fix="mesabox runs list")
    if run.start.get("masked") and not masked:
        why = "a secret is among its words, and the record does not hold it"
        raise UsageProblem(f"run '{run.id}' cannot be done again as it was", why=why, fix="give the command behind --")
    return run.start


def attempt_on_record(board: Switchboard, run: Run) -> Attempt:
    """The command of a run of ``mesabox run --detach``, to be followed on."""
    return Attempt(board, tuple(run.start["command"]), None, None, False, run.start["timeout"])


def resumable(run: Run) -> Run:
    """UsageProblem when there is nothing to go on with, Conflict while somebody works on it."""
    if run.alive:
        raise in_use(run)
    if run.end and run.end.get("exit_code") == 0:
        fix = f"mesabox runs rerun {run.id}"
        raise UsageProblem(f"run '{run.id}' has ended well", why="there is nothing to go on with", fix=fix)
    return run


def board_of(board: Switchboard, run: Run) -> Switchboard:
    """The engine it was made with."""
    return board.with_settings(engine=run.where.engine) if run.where.engine else board


def told_of(source: Source) -> list[str]:
    """What a person should know before a folder is seeded."""
    from mesabox.flow.seed.source import left_out_summary

    said = [left_out_summary(source)]
    if source.dirty:
        said.append(f"{source.folder} has changes that are in no commit: they are seeded with the rest")
    return [text for text in said if text]


def _secrets(recorded: Sequence[str], given: Sequence[str]) -> list[str]:
    """By name: as given now, else as they were given then."""
    specs = {spec.partition("=")[0]: spec for spec in (*recorded, *given)}
    return list(specs.values())
