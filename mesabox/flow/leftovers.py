"""Which runs, and what of them, ``down`` and ``gc`` are about: read from the records alone."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mesabox.errors import MesaboxError, TryLater
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Resource, Run, Where, is_alive, newest_first, read_run, unsettled
from mesabox.flow.services import Services
from mesabox.flow.undo import Undone, take_down, undoable

_ENDING_SECONDS, _LOOK = 60.0, 0.05


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one run left, where it was made."""

    run: Run
    resources: tuple[Resource, ...]

    @property
    def where(self) -> Where:
        return self.run.where


def of_run(runs: Path, run_id: str, *, repos: bool) -> Leftover | None:
    """None when there is no such run."""
    folder = runs / run_id
    if not run_id or "/" in run_id or run_id.startswith(".") or not folder.is_dir():
        return None
    run = read_run(folder)
    return Leftover(run, tuple(undoable(run.leftovers(), repos=repos)))


def of_sprite(runs: Path, sprite: str) -> Iterator[Leftover]:
    """The sprite, its mounts and the keys minted for it, in whichever runs they were made."""
    for run in newest_first(runs):
        about = [resource for resource in run.leftovers() if _concerns(resource, sprite)]
        if about:
            yield Leftover(run, tuple(undoable(about)))


def last_unfinished(runs: Path, cwd: Path, *, repos: bool) -> Leftover | None:
    """Of this working folder."""
    for run in newest_first(runs):
        if run.start.get("cwd") == str(cwd) and not run.alive:
            left = undoable(run.leftovers(), repos=repos)
            if left:
                return Leftover(run, tuple(left))
    return None


def abandoned(runs: Path) -> Iterator[Leftover]:
    """Of runs whose process is gone: what they made and did not mean to keep.

    What step commands made is their user's, but for what was being made when the process was killed.
    """
    for run in unsettled(runs):
        if run.alive:
            continue
        left = undoable(run.leftovers())
        if run.start.get("kind") == "steps":
            left = [resource for resource in left if not resource.certain]
        else:
            kept = run.kept()
            left = [resource for resource in left if (resource.kind, resource.name) not in kept]
        if left:
            yield Leftover(run, tuple(left))


def outlived(runs: Path, now: float) -> Iterator[Leftover]:
    """Of abandoned runs those whose command and key have ended by themselves: nobody can still go on with them."""
    return (leftover for leftover in abandoned(runs) if leftover.run.last_moment() < now)


async def stopped(runs: Path, run_id: str) -> bool:
    """A run that somebody still works on is told to end, and takes down what it made by itself; True when it has.

    TryLater when it has not after a minute. False for one that nobody works on, and for none at all.
    """
    if of_run(runs, run_id, repos=False) is None or not (run := read_run(runs / run_id)).alive:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(run.supervisor, signal.SIGTERM)
    for _ in range(round(_ENDING_SECONDS / _LOOK)):
        if not is_alive(run.folder):
            return True
        await asyncio.sleep(_LOOK)
    why = f"process {run.supervisor} still works on it"
    raise TryLater(f"run '{run_id}' does not end", why=why, fix=f"mesabox runs attach {run_id}", code="run_alive")


async def remove(services: Services, leftover: Leftover, *, limit: float | None = None) -> Undone:
    """On the run's own record. What another process is removing at this moment is left to it."""
    ledger = Ledger.reopen(leftover.run.folder)
    if ledger is None:
        return Undone()
    with ledger:
        ledger.lenient = True
        still = read_run(ledger.folder).leftovers()
        wanted = [resource for resource in leftover.resources if resource in still]
        return await take_down(services, ledger, wanted, limit=limit)


def unreachable(leftover: Leftover, where: Where) -> MesaboxError | None:
    """Undoing asks the services the run was made with, and no others."""
    made = leftover.where
    if (made.mesa_url, made.sprites_url) == (where.mesa_url, where.sprites_url):
        return None
    names = ", ".join(f"{resource.kind} {resource.name}" for resource in leftover.resources)
    return MesaboxError(
        f"run {leftover.run.id} left {names} in other services",
        why=f"it talked to {made.sprites_url} and {made.mesa_url}",
        fix=f"mesabox --engine {made.engine or 'local'} gc, with the credentials of then",
        code="other_services",
    )


def _concerns(resource: Resource, sprite: str) -> bool:
    named = resource.kind == "sprite" and resource.name == sprite
    return named or resource.facts.get("sprite") == sprite
