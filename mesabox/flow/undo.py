"""Undoing, from the record alone: the one way in which ``go``, ``down`` and ``gc`` take things away.

What is not there any more counts as removed. Repos and bookmarks hold work and are removed only when told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from mesabox.errors import MesaboxError, NotFound
from mesabox.flow import steps
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Resource, Run, unsettled
from mesabox.flow.services import Services


@dataclass(slots=True)
class Undone:
    """What was removed, what had gone already, and what could not be removed, with the reason."""

    removed: list[Resource] = field(default_factory=list)
    gone: list[Resource] = field(default_factory=list)
    failed: list[tuple[Resource, MesaboxError]] = field(default_factory=list)


def undoable(resources: Sequence[Resource], *, repos: bool = False) -> list[Resource]:
    """Those that are to go. The mount in a sprite that goes needs no undoing of its own."""
    work = {"repo", "bookmark"}
    chosen = [resource for resource in resources if repos or resource.kind not in work]
    doomed = {resource.name for resource in chosen if resource.kind == "sprite"}
    return [r for r in chosen if not (r.kind == "mount" and r.facts.get("sprite") in doomed)]


async def take_down(
    services: Services, ledger: Ledger, resources: Sequence[Resource], *, limit: float | None = None
) -> Undone:
    """Remove all of ``resources`` at once, in ``limit`` seconds. Each removal is on record when it is done."""
    undone = Undone()
    work = [_take_away(services, ledger, resource, undone) for resource in resources]
    try:
        await asyncio.wait_for(asyncio.gather(*work), limit)
    except TimeoutError:
        late = MesaboxError("the time for teardown is over", code="teardown_timeout", retryable=True)
        settled = [*undone.removed, *undone.gone, *(resource for resource, _ in undone.failed)]
        undone.failed += [(resource, late) for resource in resources if resource not in settled]
    _mounts_went_along(ledger, resources, undone)
    return undone


async def _take_away(services: Services, ledger: Ledger, resource: Resource, undone: Undone) -> None:
    try:
        was_there = await _UNDO[resource.kind](services, ledger, resource)
    except NotFound:
        was_there = False
    except MesaboxError as error:
        undone.failed.append((resource, error))
        return
    ledger.removed(resource, "removed" if was_there else "gone")
    (undone.removed if was_there else undone.gone).append(resource)


def _mounts_went_along(ledger: Ledger, resources: Sequence[Resource], undone: Undone) -> None:
    for resource in [*undone.removed, *undone.gone]:
        if resource.kind == "sprite":
            ledger.removed(Resource("mount", resource.name), "with its sprite")


async def _destroy_sprite(services: Services, ledger: Ledger, resource: Resource) -> bool:
    """A name that somebody else has, another run of ours included, is not this run's to destroy."""
    if resource.id or not resource.certain:
        found = await services.sandboxes.sprite(resource.name)
        ours = found.id == resource.id if resource.id else steps.run_label(ledger.run_id) in found.labels
        if not ours:
            return False
    await services.sandboxes.destroy_sprite(resource.name)
    return True


async def _revoke_key(services: Services, ledger: Ledger, resource: Resource) -> bool:
    key_id = resource.id or await steps.key_of(services.repos, ledger.run_id, resource.name)
    if key_id is None:
        return False
    await services.repos.revoke_key(key_id)
    return True


async def _unmount(services: Services, ledger: Ledger, resource: Resource) -> bool:
    """All mounts of a sprite go at once (no way to take one alone is attested): not while another run needs one."""
    sprite = str(resource.facts["sprite"])
    if any(_needs_mount(run, sprite) for run in unsettled(ledger.folder.parent) if run.id != ledger.run_id):
        return False
    await steps.unmount(services, sprite)
    return True


def _needs_mount(run: Run, sprite: str) -> bool:
    mounted = any(one.kind == "mount" and one.facts.get("sprite") == sprite for one in run.leftovers())
    return mounted and (run.alive or run.start.get("kind") == "steps" or bool(run.kept()))


async def _delete_repo(services: Services, _: Ledger, resource: Resource) -> bool:
    await services.repos.delete_repo(resource.name)
    return True


async def _delete_bookmark(services: Services, _: Ledger, resource: Resource) -> bool:
    await services.repos.delete_bookmark(str(resource.facts["repo"]), resource.name)
    return True


_UNDO: dict[str, Callable[[Services, Ledger, Resource], Awaitable[bool]]] = {
    "sprite": _destroy_sprite,
    "key": _revoke_key,
    "mount": _unmount,
    "repo": _delete_repo,
    "bookmark": _delete_bookmark,
}
