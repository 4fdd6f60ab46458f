"""The face of the mounts: requests of the in-sprite ``mesa``, what the sprites and Mesa tell, and recovery at start."""

import asyncio
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from mesabox.engine.faults.faults import Faults
from mesabox.engine.faults.mounting import Lateness
from mesabox.engine.mesa.grants import Grant
from mesabox.engine.mesa.open_repo import OpenRepo
from mesabox.engine.mesa.problems import Problem
from mesabox.engine.mesa.repos import Repo
from mesabox.engine.mesa.service import Mesa
from mesabox.engine.mounts.live_tree import Attachment, LiveTree, described
from mesabox.engine.mounts.requests import MountRequest, OrgRequest, Refused, Revision, credentials, mount_request
from mesabox.engine.mounts.trees import Trees
from mesabox.engine.sandbox.host import Sandbox, SandboxGone, SandboxHost
from mesabox.wire.mesa import permits
from mesabox.wire.mesa_ignore import BUILT_IN

Target = tuple[str, Grant, Repo, Revision]
"""(path, grant, repo, revision) of a mount to be made."""


class Mounts:
    """Mesa's live trees, mounted in sandboxes. It registers itself with ``mesa``, which asks it before every read."""

    def __init__(self, mesa: Mesa, host: SandboxHost, state: Path, cache: Path, faults: Faults | None = None) -> None:
        self._mesa = mesa
        self._faults = Faults() if faults is None else faults
        self._lateness = Lateness(self._faults)
        self._late: dict[str, set[asyncio.Task[None]]] = {}
        self._trees = Trees(mesa, host, state, cache)
        self._attachments: dict[str, list[tuple[Attachment, LiveTree]]] = {}
        self._moving: dict[str, asyncio.Lock] = {}
        mesa.live = self

    async def start(self) -> None:
        """Commit what a crash left on disk."""
        await self._trees.recover()

    async def request(self, sprite: str, sandbox: Sandbox, user: str, request: dict[str, Any]) -> dict[str, Any]:
        """One request from inside a sprite; ``{"ok": True, …}`` or ``{"ok": False, "error": text, "exit": code}``."""
        try:
            return {"ok": True, **await self._answer(sprite, sandbox, user, request)}
        except Refused as refusal:
            return {"ok": False, "error": str(refusal), "exit": refusal.exit}
        except Problem as problem:
            return {"ok": False, "error": problem.message, "exit": 1}
        except SandboxGone:
            return {"ok": False, "error": "the sandbox is going away", "exit": 75}
        except OSError as error:
            traceback.print_exc(file=sys.stderr)
            return {"ok": False, "error": f"cannot mount: {error.strerror}", "exit": 1}
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return {"ok": False, "error": "the engine failed; its log says more", "exit": 1}

    async def _answer(self, sprite: str, sandbox: Sandbox, user: str, request: dict[str, Any]) -> dict[str, Any]:
        operation = request.get("op")
        if operation == "mesa.status":
            return {"mounts": self.mounted(sprite)}
        if operation == "mesa.ignored":
            return {"patterns": BUILT_IN}
        if operation == "mesa.repos":
            return {"repos": await asyncio.to_thread(self._listed, credentials(request))}
        async with self._moving.setdefault(sprite, asyncio.Lock()):
            if operation == "mesa.mount":
                if self._faults and self._faults.fire("mount-fails", f"MOUNT {sprite}") is not None:
                    raise Refused("cannot mount: the Mesa server did not answer in time")
                return await self._mount(sprite, sandbox, user, mount_request(request))
            if operation == "mesa.unmount":
                paths = [attachment.path for attachment, _ in self._attachments.get(sprite, ())]
                return {"unmounted": await self._unmount(sprite, sandbox, _below(request.get("path"), paths))}
        raise Refused("unknown request")

    async def _mount(self, sprite: str, sandbox: Sandbox, user: str, request: MountRequest) -> dict[str, Any]:
        targets, orgs = await asyncio.to_thread(self._targets, request)
        late = self._faults.fire("mount-late", f"MOUNT {sprite}") if self._faults else None
        if late is None:
            await self._attach_all(sprite, sandbox, user, targets)
        else:
            task = asyncio.create_task(self._attach_late(late, sprite, sandbox, user, targets))
            self._late.setdefault(sprite, set()).add(task)
            task.add_done_callback(self._late[sprite].discard)
        return {"orgs": orgs, "mounts": self.mounted(sprite)}

    async def _attach_all(self, sprite: str, sandbox: Sandbox, user: str, targets: list[Target]) -> None:
        for path, grant, repo, revision in targets:
            attachment = Attachment(sprite, sandbox, path, repo.org, repo.name, grant, _is_read_only(grant, repo))
            await self._attach(attachment, user, repo, revision)

    async def _attach_late(self, late: float, sprite: str, sandbox: Sandbox, user: str, targets: list[Target]) -> None:
        await asyncio.sleep(late)
        async with self._moving.setdefault(sprite, asyncio.Lock()):
            with suppress(SandboxGone, OSError, Problem, Refused):
                await self._attach_all(sprite, sandbox, user, targets)

    def _targets(self, request: MountRequest) -> tuple[list[Target], list[str]]:
        """(path, grant, repo, revision) for each repo to be mounted; the organizations, some of which may have none."""
        targets: list[Target] = []
        orgs: dict[str, None] = {}
        for wanted in request.orgs:
            grant, repos = self._readable(wanted)
            orgs[grant.org] = None
            for repo in repos:
                path = f"{request.mount_point}/{repo.org}/{repo.name}"
                targets.append((path, grant, repo, wanted.revisions.get(repo.name, Revision())))
        return targets, list(orgs)

    def _readable(self, wanted: OrgRequest) -> tuple[Grant, list[Repo]]:
        grant = self._mesa.authenticate(wanted.credential)
        if wanted.org not in (None, grant.org):
            raise Refused(f"the credential does not belong to organization '{wanted.org}'")
        repos = [repo for repo in self._mesa.repos.all(grant.org) if grant.scopes_in(repo.id)]
        unknown = {*(wanted.only or ()), *wanted.revisions} - {repo.name for repo in repos}
        if unknown:
            raise Refused(f"repository '{min(unknown)}' was not found")
        return grant, [repo for repo in repos if wanted.only is None or repo.name in wanted.only]

    def _listed(self, orgs: tuple[OrgRequest, ...]) -> list[dict[str, Any]]:
        return [
            {"org": repo.org, "repo": repo.name, "read_only": _is_read_only(grant, repo)}
            for grant, repos in map(self._readable, orgs)
            for repo in repos
        ]

    async def _attach(self, attachment: Attachment, user: str, repo: Repo, revision: Revision) -> None:
        """Mount, and only then let go of what was mounted at the same place."""

        async def opened() -> tuple[LiveTree, int | Path]:
            tree = await self._trees.open(repo, revision, kept=not attachment.read_only)
            handle = tree.surface.handle(read_only=attachment.read_only)
            tree.attach(attachment)
            return tree, handle

        tree, handle = await self._mesa.critically(repo.id, opened)
        tree.held_back = lambda: self._lateness.holds(tree, f"EDIT {repo.org}/{repo.name}")
        self._trees.keep(tree, self._commit, self._end_writing)
        before = [
            attached for attached in self._attachments.get(attachment.sprite, []) if attached[0].path == attachment.path
        ]
        try:
            await attachment.sandbox.place_mount(handle, attachment.path, read_only=attachment.read_only, user=user)
        except BaseException:
            await self._let_go(attachment, tree)
            raise
        finally:
            if isinstance(handle, int):
                os.close(handle)
        self._attachments.setdefault(attachment.sprite, []).append((attachment, tree))
        for replaced in before:
            await self._let_go(*replaced)

    async def _unmount(self, sprite: str, sandbox: Sandbox | None, paths: list[str]) -> list[str]:
        """sandbox None: it has ended, and its mounts with it."""
        going = [attached for attached in self._attachments.get(sprite, []) if attached[0].path in paths]
        for attachment, tree in going:
            if sandbox is not None:
                await sandbox.remove_mount(attachment.path)
            await self._let_go(attachment, tree)
        return [attachment.path for attachment, _ in going]

    async def _let_go(self, attachment: Attachment, tree: LiveTree) -> None:
        """The last walk of what this attachment wrote; a tree that nobody has mounted any more goes."""
        self._forget(attachment)

        async def section() -> None:
            if tree.has_writers:
                await self._commit(tree, last=True)
            tree.attachments = [one for one in tree.attachments if one is not attachment]
            if not tree.attachments and tree in self._trees.of(tree.record.repo_id):
                await self._trees.close(tree)

        await self._mesa.critically(tree.record.repo_id, section)

    def _forget(self, attachment: Attachment) -> None:
        attached = self._attachments.get(attachment.sprite, [])
        self._attachments[attachment.sprite] = [pair for pair in attached if pair[0] is not attachment]

    async def detach(self, sprite: str) -> None:
        """The sprite has stopped: commit its last edits, and forget its mounts."""
        for task in self._late.pop(sprite, ()):
            task.cancel()
        async with self._moving.setdefault(sprite, asyncio.Lock()):
            await self._unmount(sprite, None, [attachment.path for attachment, _ in self._attachments.get(sprite, ())])
            self._attachments.pop(sprite, None)
        self._moving.pop(sprite, None)

    def mounted(self, sprite: str) -> list[dict[str, Any]]:
        """``{"org", "repo", "path", "read_only", "change_id", "bookmark"}`` for each mount of the sprite."""
        return [described(attachment, tree) for attachment, tree in self._attachments.get(sprite, ())]

    async def settle(self, repo_id: str) -> None:
        for tree in self._trees.of(repo_id):
            if tree.has_writers:
                await self._commit(tree)

    async def evolved(self, repo_id: str, change_id: str, tree: str) -> None:
        for live in self._trees.of(repo_id):
            if await live.shows(change_id) and live.record.committed != tree:
                await live.take_in(tree)

    async def revoked(self, key_id: str) -> None:
        for attachment in self._all():
            if attachment.grant.key_id == key_id and not attachment.read_only:
                await self._end_writing(attachment)

    async def deleted(self, repo_id: str) -> None:
        for tree in list(self._trees.of(repo_id)):
            for attachment in tree.attachments:
                self._forget(attachment)
                with suppress(OSError):
                    await attachment.sandbox.remove_mount(attachment.path)
            await self._trees.close(tree)

    async def close(self) -> None:
        for sprite in {*self._attachments, *self._late}:
            await self.detach(sprite)
        await self._trees.end()

    def _all(self) -> list[Attachment]:
        return [attachment for attached in self._attachments.values() for attachment, _ in attached]

    async def _commit(self, tree: LiveTree, *, last: bool = False) -> None:
        """Of one tree, unless it was closed meanwhile; trees of changes that stand on it are told."""
        if tree not in self._trees.of(tree.record.repo_id):
            return
        await tree.commit(last=last)
        for change in await self._mesa.in_thread(tree.record.repo_id, OpenRepo.take_evolved):
            for other in self._trees.of(tree.record.repo_id):
                if other is not tree and await other.shows(change.id):
                    await other.take_in(change.tree_oid)

    async def _end_writing(self, attachment: Attachment) -> None:
        """The right to write is over: first nobody can write any more, then what was written is committed."""
        with suppress(SandboxGone, OSError):
            await attachment.sandbox.make_read_only(attachment.path)
        tree = next((tree for one, tree in self._attachments.get(attachment.sprite, ()) if one is attachment), None)
        if tree is None or attachment.read_only:
            return

        async def section() -> None:
            await self._commit(tree, last=True)
            attachment.read_only = True

        await self._mesa.critically(tree.record.repo_id, section)


def _is_read_only(grant: Grant, repo: Repo) -> bool:
    return not permits(grant.scopes_in(repo.id), "write")


def _below(path: object, paths: list[str]) -> list[str]:
    """Those at or below ``path``; None is everywhere."""
    if path is None:
        return paths
    if not isinstance(path, str):
        raise Refused("path must be a text", 2)
    top = path.rstrip("/")
    return [one for one in paths if one == top or one.startswith(f"{top}/")]
