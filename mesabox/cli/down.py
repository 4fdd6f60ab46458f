"""Undo what runs and step commands made: the sprite, its mounts, the keys.

With a run's id: all that the run made; one that is still going is ended first. With a sprite's name: the sprite, and
the keys minted for its mounts. With neither: what this folder's last unfinished run made. Repos hold work and stay,
unless --repos says otherwise.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mesabox.cli._removal import Removal
from mesabox.errors import UsageProblem
from mesabox.flow import leftovers
from mesabox.flow.leftovers import Leftover
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox down",
    "mesabox down builder",
    "mesabox down 261123-151544-k3f9",
    "mesabox down --repos --yes",
)


async def command(
    board: Switchboard,
    names: Annotated[
        list[str] | None, Argument(metavar="[SPRITE|RUN...]", help="What to undo.", show_default=False)
    ] = None,
    repos: Annotated[bool, Option("--repos", help="Delete the repos too, history included.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
) -> Result:
    runs = board.paths.runs
    ended = [name for name in names or () if await leftovers.stopped(runs, name)]
    found = [_found(runs, name, repos) for name in names] if names else [_last(runs, repos)]
    chosen = [leftover for group in found for leftover in group]
    if repos and not yes:
        _ask(board, chosen)
    removal = Removal(board)
    await removal.remove(chosen)
    sprites = [name for name, group in zip(names or (), found, strict=False) if not _is_run(runs, name)]
    await removal.destroy_unrecorded(sprites)
    result = removal.result("nothing to take down" if not ended else "nothing else is left of it")
    return replace(result, notes=[*(f"ended run {name}, with what it had made" for name in ended), *result.notes])


def _found(runs: Path, name: str, repos: bool) -> list[Leftover]:
    run = leftovers.of_run(runs, name, repos=repos)
    return [run] if run else list(leftovers.of_sprite(runs, name))


def _is_run(runs: Path, name: str) -> bool:
    return leftovers.of_run(runs, name, repos=False) is not None


def _last(runs: Path, repos: bool) -> list[Leftover]:
    last = leftovers.last_unfinished(runs, Path.cwd(), repos=repos)
    return [last] if last else []


def _ask(board: Switchboard, chosen: list[Leftover]) -> None:
    doomed = [resource.name for leftover in chosen for resource in leftover.resources if resource.kind == "repo"]
    if not doomed:
        return
    if not board.streams.may_ask:
        raise UsageProblem(f"this deletes the repos {', '.join(doomed)}, history included", fix="add --yes to do it")
    if not board.streams.ask(f"Delete the repos {', '.join(doomed)}, history included? [y/N] "):
        raise UsageProblem("nothing was removed", why="the question was not answered with y")
