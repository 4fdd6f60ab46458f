"""The whole flow, as one chain: repo and key beside sprite and mesa, then mount, run, collect, teardown."""

import asyncio
from dataclasses import dataclass, field, replace

from mesabox.clients.base import Key, Repo
from mesabox.errors import ExitCode, MesaboxError
from mesabox.flow import steps
from mesabox.flow.collect import Base, Changes, collect, note_base
from mesabox.flow.command import Console, FailedBy, Kept, run_command
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.ledger import Ledger, Resource, read_run
from mesabox.flow.phases import Phases
from mesabox.flow.plan import Plan
from mesabox.flow.reporter import Reporter
from mesabox.flow.services import Services
from mesabox.flow.undo import Undone, take_down, undoable

KEY_NAME = "sandbox-session"
_CANCELLED_LIMIT = 2.5
_COLLECT_LIMIT = 30.0
_TEARDOWN_LIMIT = 60.0


@dataclass(slots=True)
class Outcome:
    """What a run came to. exit_code is the process's; error the first thing that failed, if it was not the command."""

    run_id: str
    org: str = ""
    repo: str = ""
    bookmark: str = ""
    sprite: str = ""
    folder: str = ""
    exit_code: int = ExitCode.MESABOX_FAILED
    failed_by: FailedBy | None = None
    error: MesaboxError | None = None
    changes: Changes | None = None
    undone: Undone = field(default_factory=Undone)
    kept: list[Resource] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Go:
    """One run of the flow: its tools, and what it has come to so far."""

    plan: Plan
    services: Services
    ledger: Ledger
    reporter: Reporter
    console: Console
    interrupts: Interrupts
    outcome: Outcome = field(init=False)
    phases: Phases = field(init=False)
    base: Base | None = None

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.ledger.run_id, repo=self.plan.repo)
        self.phases = Phases(self.reporter, self.ledger, self.outcome.seconds)

    async def __call__(self) -> Outcome:
        """Never raises for what goes wrong in the services: the outcome says it, after everything is taken down."""
        try:
            key = await self.set_up()
            await self.mount(key)
            await self.run()
        except MesaboxError as error:
            self._failed(error)
        except asyncio.CancelledError:
            if self.interrupts.received is None:
                raise
            self.interrupts.answered()
        finally:
            self.interrupts.finished()
            await self.collect()
            await self.tear_down()
            self._interrupted()
            self._close()
        return self.outcome

    async def set_up(self) -> Key:
        """The two halves that do not need each other, at once."""
        key, _ = await steps.together(self._repo_and_key(), self._sprite_and_mesa())
        assert isinstance(key, Key)
        return key

    async def _repo_and_key(self) -> Key:
        async with self.phases.phase("repo") as phase:
            repo = await steps.have_repo(self.services, self.ledger, self.plan.repo)
            phase.detail = f"{repo.org}/{repo.name}"
            self.outcome.org = repo.org
        key, _ = await steps.together(self._key(repo), self._bookmark(repo))
        assert isinstance(key, Key)
        return key

    async def _key(self, repo: Repo) -> Key:
        async with self.phases.phase("key") as phase:
            lifetime = self.plan.key_lifetime
            key = await steps.mint_key(
                self.services, self.ledger, name=KEY_NAME, scopes=["read", "write"], lifetime=lifetime, repos=[repo]
            )
            phase.detail = f"read and write, {lifetime / 60:.0f} min"
        return key

    async def _bookmark(self, repo: Repo) -> None:
        bookmark = await steps.have_bookmark(self.services, self.ledger, repo, self.plan.bookmark)
        self.outcome.bookmark = bookmark.name
        self.base = await note_base(self.services.repos, repo.name, bookmark.name, bookmark.change_id)

    async def _sprite_and_mesa(self) -> None:
        async with self.phases.phase("sprite") as phase:
            if self.plan.sprite:
                sprite, _ = await steps.have_sprite(self.services, self.ledger, self.plan.sprite)
            else:
                sprite = await steps.new_sprite(self.services, self.ledger, f"mesabox-{self.ledger.run_id}")
            self.outcome.sprite = phase.detail = sprite.name
        async with self.phases.phase("mesa") as phase:
            phase.detail = await steps.prepare_mesa(self.services, sprite.name)

    async def mount(self, key: Key) -> None:
        async with self.phases.phase("mount") as phase:
            mounted = await steps.mount_repos(
                self.services,
                self.ledger,
                self.outcome.sprite,
                org=self.outcome.org,
                repos=[self.plan.repo],
                key=key,
                bookmarks=[(self.plan.repo, self.outcome.bookmark)] if self.plan.bookmark else [],
                lasting=self.plan.sprite is not None or self.plan.keep != "never",
            )
            self.outcome.folder = phase.detail = mounted[self.plan.repo].folder

    async def run(self) -> None:
        async with self.phases.phase("run"):
            with self.reporter.terminal_lent():
                ended = await run_command(
                    self.services,
                    self.outcome.sprite,
                    replace(self.plan.command, folder=self.outcome.folder),
                    console=self.console,
                    interrupts=self.interrupts,
                    kept=Kept(self.ledger, self.ledger.run_id, tell=self.reporter.note),
                    limit=self.plan.command.timeout,
                )
            self.outcome.exit_code, self.outcome.failed_by = ended.exit_code, ended.failed_by
            self.ledger.write("exit", exit_code=ended.exit_code, failed_by=ended.failed_by)

    async def collect(self) -> None:
        """What changed, also after a failure: work that reached the mount is worth showing."""
        if not self.outcome.folder or self.base is None:
            return
        limit = _CANCELLED_LIMIT if self.interrupts.received else _COLLECT_LIMIT
        try:
            async with self.phases.phase("collect") as phase, asyncio.timeout(limit):
                changes = await collect(
                    self.services, self.plan.repo, self.base, sprite=self.outcome.sprite, folder=self.outcome.folder
                )
                phase.detail = f"{len(changes.entries)} changed" if changes.entries else "nothing changed"
        except (MesaboxError, TimeoutError) as error:
            self._not_collected(error)
            return
        self.outcome.changes = changes
        self._record_changes(changes)

    def _not_collected(self, error: Exception) -> None:
        why = str(error) or "it took too long"
        problem = MesaboxError("what the run changed could not be read", why=why, code="collect_failed")
        self.reporter.warning(f"{problem.what}: {why}")
        if self.outcome.error is None and not self.interrupts.received:
            self._failed(problem)

    def _record_changes(self, changes: Changes) -> None:
        if changes.patch is not None:
            patch = self.ledger.folder / "changes.patch"
            patch.touch(mode=0o600)
            patch.write_bytes(changes.patch)
        self.ledger.write(
            "changes",
            change_id=changes.change_id,
            commit_oid=changes.commit_oid,
            base_commit_oid=changes.base_commit_oid,
            files=[{"path": entry.path, "status": entry.status} for entry in changes.entries],
        )

    async def tear_down(self) -> None:
        """What this run made, by its record. With ``--keep`` the sprite stays; the key never does."""
        left = undoable(read_run(self.ledger.folder).leftovers())
        if self._keeps():
            self.outcome.kept = [resource for resource in left if resource.kind != "key"]
            self.ledger.write("kept", names=[resource.name for resource in self.outcome.kept])
            left = [resource for resource in left if resource.kind == "key"]
        if not left:
            return
        limit = _CANCELLED_LIMIT if self.interrupts.received else _TEARDOWN_LIMIT
        async with self.phases.phase("teardown") as phase:
            self.outcome.undone = await take_down(self.services, self.ledger, left, limit=limit)
            names = [f"{resource.kind} {resource.name}" for resource in self.outcome.undone.removed]
            phase.detail = ", ".join(names)
        for resource, error in self.outcome.undone.failed:
            self.reporter.warning(f"{resource.kind} {resource.name} is left: {error}. Run: mesabox gc")

    def _keeps(self) -> bool:
        return self.plan.keep == "always" or (self.plan.keep == "on-failure" and self.outcome.exit_code != 0)

    def _failed(self, error: MesaboxError) -> None:
        self.outcome.error = error
        self.outcome.exit_code = ExitCode.MESABOX_FAILED
        self.outcome.failed_by = "service" if error.default_code in ("service_error", "try_later") else "mesabox"

    def _interrupted(self) -> None:
        """A signal to mesabox is the answer, whatever the command said."""
        if (number := self.interrupts.received) is not None:
            self.outcome.exit_code = 128 + number
            self.outcome.failed_by = "signal"

    def _close(self) -> None:
        error = self.outcome.error
        self.ledger.write(
            "end",
            exit_code=int(self.outcome.exit_code),
            failed_by=self.outcome.failed_by,
            error=None if error is None else {"code": error.code, "title": error.what},
            left=[resource.name for resource, _ in self.outcome.undone.failed],
        )
