"""The whole flow, one chain: repo and key beside sprite and mesa; mount, seed, run, collect, teardown, apply."""

import asyncio
import signal
from dataclasses import dataclass, field, replace

from mesabox.clients.base import Key, Repo
from mesabox.errors import Bug, Failed, MesaboxError
from mesabox.flow import steps
from mesabox.flow.collect import Base, collect, note_base
from mesabox.flow.earlier import Earlier, base_facts, is_no_credential
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.outcome import Outcome
from mesabox.flow.patch.applying import apply_patch
from mesabox.flow.phases import Phases
from mesabox.flow.plan import Plan
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Resource, read_run
from mesabox.flow.reporter import Reporter
from mesabox.flow.running import job
from mesabox.flow.running.command import Console, Kept, run_command
from mesabox.flow.seed.seeding import seed
from mesabox.flow.services import Services
from mesabox.flow.undo import take_down, undoable

KEY_NAME = "sandbox-session"
_CANCELLED_LIMIT = 2.5
_COLLECT_LIMIT = 30.0
_TEARDOWN_LIMIT = 60.0


@dataclass(slots=True)
class Go:
    """One run of the flow: its tools, and what it has come to so far. earlier: of a run that is gone on with."""

    plan: Plan
    services: Services
    ledger: Ledger
    reporter: Reporter
    console: Console
    interrupts: Interrupts
    earlier: Earlier | None = None
    outcome: Outcome = field(init=False)
    phases: Phases = field(init=False)
    base: Base | None = None
    new_sprite: bool = True

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.ledger.run_id, repo=self.plan.repo)
        self.phases = Phases(self.reporter, self.ledger, self.outcome.seconds)

    async def __call__(self) -> Outcome:
        """Never raises for what goes wrong in the services: the outcome says it, after everything is taken down."""
        try:
            key = await self.set_up()
            await self.mount(key)
            await self.seed()
            await self.run()
        except MesaboxError as error:
            self.outcome.failed(error)
        except BrokenPipeError:  # whoever read our output has left
            self.outcome.ended_by(signal.SIGPIPE)
            raise
        except OSError as failure:
            self.outcome.failed(_unwritable(failure, self.ledger))
        except asyncio.CancelledError:
            if self.interrupts.received is None:
                raise
            self.interrupts.answered()
        except Exception as failure:
            self.outcome.failed(Bug(f"mesabox hit a bug: {type(failure).__name__}", why=str(failure)))
            raise
        finally:
            self.interrupts.finished()
            self.ledger.lenient = True
            await self.collect()
            await self.tear_down()
            await self.apply()
            if self.interrupts.received is not None:
                self.outcome.ended_by(self.interrupts.received)
            self.outcome.put_on_record(self.ledger)
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
            if self.earlier and (key := await self.earlier.key(self.services.repos, self.plan.command.timeout)):
                phase.detail = "the one it had"
                return key
            await self._revoke_earlier()
            lifetime = self.plan.key_lifetime
            key = await steps.mint_key(
                self.services, self.ledger, name=KEY_NAME, scopes=["read", "write"], lifetime=lifetime, repos=[repo]
            )
            phase.detail = f"read and write, {lifetime / 60:.0f} min"
        return key

    async def _revoke_earlier(self) -> None:
        """A run has one key at a time."""
        left = [one for one in read_run(self.ledger.folder).leftovers() if one.kind == "key"] if self.earlier else []
        if left:
            await take_down(self.services, self.ledger, left, limit=_TEARDOWN_LIMIT)

    async def _bookmark(self, repo: Repo) -> None:
        bookmark = await steps.have_bookmark(self.services, self.ledger, repo, self.plan.bookmark)
        self.outcome.bookmark = bookmark.name
        self.base = self.earlier.base() if self.earlier else None
        if self.base is None:
            await self._note_base(bookmark.change_id)

    async def _note_base(self, change_id: str) -> None:
        base = await note_base(self.services.repos, self.plan.repo, self.outcome.bookmark, change_id)
        self.ledger.write("base", **base_facts(base))
        self.base = base

    async def _sprite_and_mesa(self) -> None:
        async with self.phases.phase("sprite") as phase:
            if self.plan.sprite:
                sprite, new = await steps.have_sprite(self.services, self.ledger, self.plan.sprite)
            else:
                earlier = self.earlier.resource("sprite") if self.earlier else None
                name = f"mesabox-{self.ledger.run_id}"
                sprite = await steps.own_sprite(self.services, self.ledger, name, earlier)
                new = earlier is None or sprite.id != earlier.id
            self.new_sprite = new
            self.outcome.sprite = phase.detail = sprite.name
        async with self.phases.phase("mesa") as phase:
            phase.detail = await steps.prepare_mesa(self.services, sprite.name)

    async def mount(self, key: Key) -> None:
        async with self.phases.phase("mount") as phase:
            try:
                mounted = await self._mounted(key)
            except MesaboxError as error:
                if key.secret is not None or not is_no_credential(error):
                    raise
                mounted = await self._mounted(await self._another_key())
            self.outcome.folder = phase.detail = mounted.folder

    async def _another_key(self) -> Key:
        """The sprite does not know the secret of the one there is, and nobody else does."""
        await self._revoke_earlier()
        repo = await self.services.repos.repo(self.plan.repo)
        return await steps.mint_key(
            self.services,
            self.ledger,
            name=KEY_NAME,
            scopes=["read", "write"],
            lifetime=self.plan.key_lifetime,
            repos=[repo],
        )

    async def _mounted(self, key: Key) -> steps.Mounted:
        mounted = await steps.mount_repos(
            self.services,
            self.ledger,
            self.outcome.sprite,
            org=self.outcome.org,
            repos=[self.plan.repo],
            key=key if key.secret is not None else None,
            bookmarks=[(self.plan.repo, self.outcome.bookmark)] if self.plan.bookmark else [],
            lasting=self.plan.sprite is not None or self.plan.keep != "never",
        )
        return mounted[self.plan.repo]

    async def seed(self) -> None:
        """The repo becomes what the folder is; the run's changes count from there."""
        if self.plan.source is None or (self.earlier and self.earlier.seeded):
            return
        repo, bookmark = self.plan.repo, self.outcome.bookmark
        async with self.phases.phase("seed") as phase:
            source, sprite, folder = self.plan.source, self.outcome.sprite, self.outcome.folder
            seeded = await seed(
                self.services, sprite, folder, source, repo=repo, bookmark=bookmark, run=self.ledger.run_id
            )
            if seeded.not_kept:
                self.reporter.warning(f"Mesa keeps no copy of {', '.join(seeded.not_kept[:5])}")
            phase.detail = f"{seeded.sent} files sent, {seeded.removed} removed, {seeded.unchanged} there already"
            await self._note_base((await self.services.repos.bookmark(repo, bookmark)).change_id)
            self.ledger.write("seeded", sent=seeded.sent, removed=seeded.removed, unchanged=seeded.unchanged)

    async def run(self) -> None:
        if self.earlier and (told := self.earlier.exit):
            self.outcome.exit_code, self.outcome.failed_by = told["exit_code"], told["failed_by"]
            return
        async with self.phases.phase("run"):
            with self.reporter.terminal_lent():
                ended = await run_command(
                    self.services,
                    self.outcome.sprite,
                    replace(self.plan.command, folder=self.outcome.folder),
                    console=self.console,
                    interrupts=self.interrupts,
                    kept=self._kept_command(),
                    limit=self.plan.command.timeout,
                )
            self.outcome.exit_code, self.outcome.failed_by = ended.exit_code, ended.failed_by
            self.ledger.write("exit", exit_code=ended.exit_code, failed_by=ended.failed_by)

    def _kept_command(self) -> Kept:
        """A command that was begun and whose end is not known is followed on; else it is begun, and again under a
        name of its own.
        """
        earlier = self.earlier
        if earlier and not self.new_sprite and (place := earlier.place) is not None:
            return Kept(
                self.ledger,
                place,
                resumed=True,
                takes_input=earlier.takes_input,
                may_begin=len(self.plan.command.secrets) == len(self.plan.secrets) and not earlier.masked,
                tell=self.reporter.note,
            )
        count = earlier.commands if earlier else 0
        place = self.ledger.run_id + (f"-{count + 1}" if count else "")
        command = self.plan.command
        tty = command.size is not None
        self.ledger.write("command", place=place, sprite=self.outcome.sprite, tty=tty, stdin=command.stdin)
        return Kept(self.ledger, place, tell=self.reporter.note)

    async def collect(self) -> None:
        """What changed, also after a failure: work that reached the mount is worth showing."""
        if not self.outcome.folder or self.base is None:
            return
        limit = _CANCELLED_LIMIT if self.interrupts.received else _COLLECT_LIMIT
        try:
            async with self.phases.phase("collect") as phase:
                changes = await collect(
                    self.services,
                    self.plan.repo,
                    self.base,
                    sprite=self.outcome.sprite,
                    folder=self.outcome.folder,
                    run=self.ledger.run_id,
                    limit=limit,
                )
                phase.detail = f"{len(changes.entries)} changed" if changes.entries else "nothing changed"
        except (MesaboxError, TimeoutError) as error:
            why = str(error) or "it took too long"
            what = "what the run changed could not be read"
            return self._not_collected(MesaboxError(what, why=why, code="collect_failed"))
        self.outcome.changes = changes
        try:
            changes.put_on_record(self.ledger)
        except OSError as failure:
            self._not_collected(_unwritable(failure, self.ledger))
        if (problem := changes.incomplete) is not None:
            self._not_collected(problem, is_failure=self.outcome.exit_code == 0)

    def _not_collected(self, problem: MesaboxError, *, is_failure: bool = True) -> None:
        self.reporter.warning(f"{problem.what}: {problem.why}")
        if is_failure and self.outcome.error is None and not self.interrupts.received:
            self.outcome.failed(problem)

    async def tear_down(self) -> None:
        """What this run made, by its record. With ``--keep`` the sprite stays; the key only for one who resumes."""
        left = undoable(read_run(self.ledger.folder).leftovers())
        if self._keeps():
            self.outcome.kept = [one for one in left if one.kind != "key" or self._failed_before_the_command()]
            kept = [{"kind": one.kind, "name": one.name, "id": one.id} for one in self.outcome.kept]
            self.ledger.write("kept", resources=kept)
            left = [one for one in left if one not in self.outcome.kept]
        await self._forget_command(left)
        if not left:
            return
        limit = _CANCELLED_LIMIT if self.interrupts.received else _TEARDOWN_LIMIT
        async with self.phases.phase("teardown") as phase:
            self.outcome.undone = await take_down(self.services, self.ledger, left, limit=limit)
            names = [f"{resource.kind} {resource.name}" for resource in self.outcome.undone.removed]
            phase.detail = ", ".join(names)
        for resource, error in self.outcome.undone.failed:
            self.reporter.warning(f"{resource.kind} {resource.name} is left: {error}. Run: mesabox gc")

    async def _forget_command(self, doomed: list[Resource]) -> None:
        """A sprite that stays keeps no output of commands whose end is known."""
        run = read_run(self.ledger.folder)
        if self.interrupts.received or not run.last("exit") or any(one.kind == "sprite" for one in doomed):
            return
        await job.forget(self.services.sandboxes, self.outcome.sprite, str(run.last("command")["place"]))

    def _keeps(self) -> bool:
        return self.plan.keep == "always" or (self.plan.keep == "on-failure" and self.outcome.exit_code != 0)

    def _failed_before_the_command(self) -> bool:
        """What was made is all needed to go on: ``--resume`` makes none of it again."""
        return self.outcome.error is not None and not read_run(self.ledger.folder).last("command")

    async def apply(self) -> None:
        """The changes, to the folder that they were seeded from; only those of a command that ended well."""
        changes, source = self.outcome.changes, self.plan.source
        if not self.plan.apply or source is None or changes is None or not changes.patch:
            return
        if self.outcome.exit_code != 0 or self.interrupts.received:
            self.reporter.note(f"not applied, since the run failed. Do it: mesabox runs apply {self.ledger.run_id}")
            return
        try:
            async with self.phases.phase("apply") as phase:
                applied = await asyncio.to_thread(apply_patch, changes.patch, source.folder)
                phase.detail = f"{applied.changed} files in {source.folder}"
            self.outcome.applied = applied
        except MesaboxError as error:
            self.outcome.failed(error)


def _unwritable(failure: OSError, ledger: Ledger) -> MesaboxError:
    """Of the record, or of a file that was to be written."""
    place, why = failure.filename or ledger.folder, failure.strerror or str(failure)
    fix = "free space there, or set MESABOX_HOME to a folder that has some"
    return Failed(f"{place} cannot be written", why=why, fix=fix, code="record_unwritable")
