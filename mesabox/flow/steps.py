"""The steps of the flow. Each looks, then acts, then checks; what it makes is in the record before and after."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mesabox.clients.base import Bookmark, Key, Repo, RepoHost, Sprite
from mesabox.errors import Conflict, Failed, MesaboxError, NotFound, OutcomeUnknown, TryLater, Unsupported
from mesabox.flow import scripts
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Resource
from mesabox.flow.running import job
from mesabox.flow.running.asking import ask
from mesabox.flow.services import Services

LABEL = "mesabox"
_PREPARE_LIMIT = 180.0
_MOUNT_LIMIT = 60.0
_WAKE_LIMIT = 120.0
_PAUSES = (0.0, 0.3, 1.0)
_REASONS = {71: "no_curl", 72: "mesa_missing", 73: "fuse_unusable", 74: "mount_failed", 75: "mount_silent"}


@dataclass(frozen=True, slots=True)
class Mounted:
    """A repo at ``folder`` in a sprite."""

    folder: str
    writable: bool


def run_label(run_id: str) -> str:
    return f"mesabox-run-{run_id}"


async def have_repo(services: Services, ledger: Ledger, name: str) -> Repo:
    """The repo, made when it is not there. Two runs that make it at once both have it."""
    try:
        return await services.repos.repo(name)
    except NotFound:
        ledger.making("repo", name)
    try:
        repo = await _made_repo(services.repos, name, ledger.run_id)
    except Conflict:
        ledger.write("removed", kind="repo", name=name, id="", how="it was there already, and not ours")
        return await services.repos.repo(name)
    ledger.made("repo", name, id=repo.id)
    return repo


async def _made_repo(repos: RepoHost, name: str, run_id: str) -> Repo:
    """It was not there before, so if it is after an answer that was lost, it is the one that was asked for."""
    async for last in _tries():
        try:
            return await repos.create_repo(name, tags={LABEL: run_id})
        except (OutcomeUnknown, TryLater) as failure:
            with suppress(NotFound):
                return await repos.repo(name)
            _give_up(failure, last)
    raise AssertionError("the last try returns or raises")


async def _tries() -> AsyncIterator[bool]:
    """Whether it is the last: for what can be looked for when it is not known whether it was done."""
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        yield pause == _PAUSES[-1]


def _give_up(failure: MesaboxError, last: bool) -> None:
    """Raises it at the last try, or when the service has been waited for already as it asked."""
    if last or (isinstance(failure, TryLater) and failure.after):
        raise failure


async def have_bookmark(services: Services, ledger: Ledger, repo: Repo, name: str | None) -> Bookmark:
    """The bookmark to mount, made at the head of the default one when it is not there."""
    wanted = name or repo.default_bookmark
    if wanted == repo.default_bookmark:
        return Bookmark(wanted, repo.head_change_id, True)
    try:
        return await services.repos.bookmark(repo.name, wanted)
    except NotFound:
        ledger.making("bookmark", wanted, repo=repo.name)
    change = await services.repos.create_change(repo.name, repo.head_change_id, message=f"bookmark {wanted}")
    bookmark = await services.repos.create_bookmark(repo.name, wanted, change.id)
    ledger.made("bookmark", wanted, repo=repo.name)
    return bookmark


async def mint_key(
    services: Services,
    ledger: Ledger,
    *,
    name: str,
    scopes: Sequence[str],
    lifetime: float | None,
    repos: Sequence[Repo] | None,
    sprite: str = "",
) -> Key:
    """A key tagged with the run's id, so that it is found again even if the answer never arrived.

    sprite: the one it is minted for, with which ``down`` revokes it.
    """
    ledger.making("key", name, sprite=sprite)
    tags = {LABEL: ledger.run_id}
    async for last in _tries():
        try:
            key = await services.repos.mint_key(name=name, scopes=scopes, ttl=lifetime, repos=repos, tags=tags)
            break
        except (OutcomeUnknown, TryLater) as failure:  # one whose secret nobody knows goes, and another comes
            if (lost := await key_of(services.repos, ledger.run_id, name)) is not None:
                await services.repos.revoke_key(lost)
            _give_up(failure, last)
    if key.secret:
        ledger.redactor.learn(key.secret.reveal(), announce=True)
    if key.revocable:
        ledger.made("key", name, id=key.id, sprite=sprite)
    else:
        ledger.write("removed", kind="key", name=name, id="", how="a signed token ends by itself")
    return key


async def key_of(repos: RepoHost, run_id: str, name: str) -> str | None:
    """The id of a run's live key by its name and tag, for one whose making was cut short."""
    async for key in repos.keys():
        if key.name == name and key.tags.get(LABEL) == run_id and key.revoked_at is None:
            return key.id
    return None


async def new_sprite(services: Services, ledger: Ledger, name: str) -> Sprite:
    """Conflict when the name is taken. One whose making was answered by nobody is known by the run's label."""
    ledger.making("sprite", name)
    try:
        sprite = await _made_sprite(services, ledger, name)
    except Conflict:
        ledger.write("removed", kind="sprite", name=name, id="", how="it was there already, and not ours")
        raise
    ledger.made("sprite", name, id=sprite.id)
    return sprite


async def _made_sprite(services: Services, ledger: Ledger, name: str) -> Sprite:
    label = run_label(ledger.run_id)
    async for last in _tries():
        try:
            return await services.sandboxes.create_sprite(name, labels=[LABEL, label])
        except (Conflict, OutcomeUnknown, TryLater) as refusal:
            with suppress(NotFound):
                found = await services.sandboxes.sprite(name)
                if label in found.labels:
                    return found
                raise Conflict(f"sprite {name!r} exists already", why="it was not made by this run") from None
            _give_up(refusal, last)
    raise AssertionError("the last try returns or raises")


async def own_sprite(services: Services, ledger: Ledger, name: str, earlier: Resource | None) -> Sprite:
    """The run's own: the one that it made earlier, if that is still there, else a new one."""
    if earlier is not None:
        with suppress(NotFound):
            found = await services.sandboxes.sprite(earlier.name)
            if found.id == earlier.id:
                return found
        ledger.removed(earlier, "gone")
    return await new_sprite(services, ledger, name)


async def have_sprite(services: Services, ledger: Ledger, name: str) -> tuple[Sprite, bool]:
    """(the sprite, whether it was made now). It is looked at again after a lost race."""
    try:
        return await services.sandboxes.sprite(name), False
    except NotFound:
        pass
    try:
        return await new_sprite(services, ledger, name), True
    except Conflict:
        return await services.sandboxes.sprite(name), False


async def answer(services: Services, sprite: str) -> None:
    """Wait until a no-op command has answered: a sprite that lists may still be waking."""
    done = await ask(services.sandboxes, sprite, ["true"], timeout=_WAKE_LIMIT)
    if done.exit_code != 0:
        raise Failed(f"sprite '{sprite}' does not run commands", why=f"`true` ended with {done.exit_code}")


async def prepare_mesa(services: Services, sprite: str) -> str:
    """``mesa`` on PATH and FUSE usable, whatever was there before; what runs jobs comes along. Returns what had to be
    done, if anything.
    """
    words, script = scripts.sh(scripts.PREPARE, job.script_name()), job.script()
    done = await ask(services.sandboxes, sprite, words, stdin=script, timeout=_PREPARE_LIMIT)
    if done.exit_code == 0:
        return _last_line(done.stdout)
    why = _last_line(done.stderr) or f"exit {done.exit_code}"
    code = _REASONS.get(done.exit_code, "prepare_failed")
    fix = f"mesabox sh {sprite}   # and look at what is missing"
    kind = Unsupported if done.exit_code == 73 else Failed
    raise kind(f"mesa cannot be made ready in sprite '{sprite}'", why=why, fix=fix, code=code)


async def mount_repos(
    services: Services,
    ledger: Ledger,
    sprite: str,
    *,
    org: str,
    repos: Sequence[str],
    key: Key | None,
    bookmarks: Sequence[tuple[str, str]] = (),
    lasting: bool,
) -> dict[str, Mounted]:
    """Mount ``repos`` of ``org``; with no key the sprite's own config is used again. bookmarks: (repo, bookmark) pins.

    The credential travels on stdin alone. A lasting sprite keeps it in mesa's own config, for a mount after a resume;
    one that is destroyed at the end has that config in memory only.
    """
    form = "again" if key is None else "key" if key.revocable else "token"
    secret = key.secret.reveal() + "\n" if key and key.secret else ""
    pins = ",".join(f"{org}/{repo}=bookmark:{bookmark}" for repo, bookmark in bookmarks)
    place = "home" if lasting else "memory"
    words = scripts.sh(scripts.MOUNT, org, form, pins, place, ledger.run_id, *repos)
    ledger.making("mount", sprite, sprite=sprite, repos=list(repos))
    done = await ask(services.sandboxes, sprite, words, stdin=secret.encode(), timeout=_MOUNT_LIMIT)
    if done.exit_code != 0:
        code = _REASONS.get(done.exit_code, "mount_failed")
        why = _last_line(done.stderr) or f"exit {done.exit_code}"
        raise Failed(f"{', '.join(repos)} cannot be mounted in sprite '{sprite}'", why=why, code=code)
    ledger.made("mount", sprite, sprite=sprite, repos=list(repos))
    return dict(zip(repos, _mounted(done.stdout), strict=True))


async def unmount(services: Services, sprite: str) -> None:
    done = await ask(services.sandboxes, sprite, scripts.sh(scripts.UNMOUNT), timeout=30.0)
    if done.exit_code != 0:
        raise Failed(f"the mount in sprite '{sprite}' does not go away", why=_last_line(done.stderr))


async def together(*works: object) -> list[object]:
    """Run at once; the first failure cancels the others and is raised as itself."""
    tasks = [asyncio.ensure_future(work) for work in works]  # type: ignore[call-overload]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _mounted(output: bytes) -> list[Mounted]:
    lines = [line.split(" ", 1) for line in output.decode().splitlines()]
    return [Mounted(folder, access == "rw") for access, folder in lines]


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][-400:] if lines else ""
