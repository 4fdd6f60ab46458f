"""A run gone on with: from the step that failed, with nothing made twice and the command begun once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mesabox.clients.base import no_tail
from mesabox.flow.earlier import Earlier
from mesabox.flow.go import Go
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.leftovers import abandoned
from mesabox.flow.plan import Plan
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Where, read_run
from mesabox.flow.reporter import SilentReporter
from mesabox.flow.running.command import Command
from mesabox.flow.services import Services
from tests.flow.services import FakeExecution, FakeRepos, FakeSandboxes, World

WHERE = Where("local", "http://mesa", "http://sprites", "my-org")
MAKERS = ["create_repo", "mint_key", "create_sprite"]


class Killed(BaseException):
    """The process is gone: nothing is unwound in the services."""


class Console:
    def __init__(self):
        self.output = []

    async def attend(self, execution, *, size):
        async for output in execution:
            self.output.append(output.data)
        return execution.exit_code


class Sandboxes(FakeSandboxes):
    """Remembers the words of each command; ``cut`` is called once it has printed."""

    def __init__(self, world):
        super().__init__(world)
        self.jobs = []
        self.cut = None

    def execute(self, sprite, request, *, tail=no_tail):
        if "start" in request.argv or "follow" in request.argv:
            verb = "start" if "start" in request.argv else "follow"
            self.jobs.append((verb, request.argv[5], request.argv[7]))
            self.had = int(request.argv[7])
            if verb == "follow":
                return FakeExecution(self._job(request.argv[6].encode()), self.world.exit_code)
        return super().execute(sprite, request)

    async def create_sprite(self, name, *, labels):
        made = await super().create_sprite(name, labels=labels)
        self.world.sprites[name] = replace(made, id=f"id-{self.world.calls.count('create_sprite')}")
        return self.world.sprites[name]

    def _job(self, mark):
        for output in super()._job(mark):
            if output.stream == 2 or not self.had:
                yield output
            if self.cut and output.stream == 1:
                self.cut()


class Stage:
    def __init__(self, runs):
        self.world, self.runs, self.run_id, self.console = World(), runs, "", Console()
        self.sandboxes = Sandboxes(self.world)
        self.services = Services(FakeRepos(self.world), self.sandboxes, WHERE)

    async def go(self, *, plan=None, **more):
        plan = Plan(Command(("make",), timeout=60.0), repo="work", **{"keep": "on-failure", **more})
        with Ledger.create(self.runs, "go", WHERE, timeout=60.0) as ledger:
            self.run_id = ledger.run_id
            return await self._whole(plan, ledger, None)

    async def killed(self, at, **more):
        """As ``go``, by a process that is killed when ``at`` is asked for; ``output``: once the command printed."""
        ledger = Ledger.create(self.runs, "go", WHERE, timeout=60.0)
        asked, self.run_id, dead = self.world.asked, ledger.run_id, False

        def dying(name):
            nonlocal dead
            if dead:
                raise Killed
            asked(name)
            if name == at:
                die()

        def die():
            nonlocal dead
            dead, ledger.write = True, lambda *_, **__: None
            raise Killed

        self.world.asked, self.sandboxes.cut = dying, die if at == "output" else None
        plan = Plan(Command(("make",), timeout=60.0), repo="work", **more)
        with pytest.raises((Killed, BaseExceptionGroup)):
            await self._whole(plan, ledger, None)
        self.world.asked, self.sandboxes.cut = asked, None
        ledger.close()

    async def resume(self, **more):
        plan = Plan(Command(("make",), timeout=60.0), repo="work", **{"keep": "on-failure", **more})
        with Ledger.reopen(self.runs / self.run_id) as ledger:
            ledger.write("resumed", pid=1)
            return await self._whole(plan, ledger, Earlier(read_run(ledger.folder)))

    async def _whole(self, plan, ledger, earlier):
        with Interrupts(on_terminal=False, farewell=lambda: None) as interrupts:
            return await Go(plan, self.services, ledger, SilentReporter(), self.console, interrupts, earlier)()

    def made(self):
        return [self.world.calls.count(name) for name in MAKERS]

    def nothing_is_left(self):
        left = [one for one in read_run(self.runs / self.run_id).leftovers() if one.kind != "repo"]
        return left == [] == list(abandoned(self.runs)) and self.world.sprites == {} and self.world.live_keys == []


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path / "runs")


STEPS = {
    "repo": [1, 1, 1], "create_repo": [2, 1, 1], "mint_key": [1, 2, 1], "create_sprite": [1, 1, 2],
    "prepare": [1, 1, 1], "mount": [1, 1, 1],
}  # fmt: skip


@pytest.mark.parametrize("step", list(STEPS))
async def test_it_goes_on_at_the_step_that_failed(stage, step):
    stage.world.broken.add(step)
    first = await stage.go()
    assert first.exit_code == 125
    stage.world.broken.clear()
    outcome = await stage.resume()
    assert (outcome.exit_code, outcome.error, outcome.run_id) == (0, None, first.run_id)
    assert stage.made() == STEPS[step] and stage.world.calls.count("execute") == 1
    assert [entry.path for entry in outcome.changes.entries] == ["made"] and stage.nothing_is_left()


async def test_a_command_that_failed_is_begun_again_under_another_name(stage):
    stage.world.exit_code = 3
    assert (await stage.go()).exit_code == 3
    stage.world.exit_code = 0
    outcome = await stage.resume()
    assert outcome.exit_code == 0 and [verb for verb, *_ in stage.sandboxes.jobs] == ["start", "start"]
    assert [place for _, place, _ in stage.sandboxes.jobs] == [stage.run_id, f"{stage.run_id}-2"]
    assert stage.made() == [1, 2, 1] and stage.nothing_is_left()


async def test_a_command_that_ended_well_is_not_run_again(stage):
    stage.world.broken.add("written")
    first = await stage.go()
    assert (first.exit_code, first.error.code) == (125, "collect_incomplete")
    stage.world.broken.clear()
    outcome = await stage.resume()
    assert outcome.exit_code == 0 and stage.world.calls.count("execute") == 1
    assert [entry.path for entry in outcome.changes.entries] == ["made"] and stage.nothing_is_left()


@pytest.mark.parametrize("at", ["create_repo", "mint_key", "create_sprite", "prepare", "mount", "execute", "output"])
async def test_one_whose_process_was_killed(stage, at):
    await stage.killed(at)
    outcome = await stage.resume()
    assert outcome.exit_code == 0 and b"".join(stage.console.output) == b"out\n"
    assert len(stage.world.repos) == 1 and stage.nothing_is_left()
    assert [entry.path for entry in outcome.changes.entries] == ["made"]
    assert len({place for _, place, _ in stage.sandboxes.jobs}) == 1


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("at", ["written", "revoke_key"])
async def test_one_that_was_killed_after_its_command_keeps_its_code(stage, at, code):
    stage.world.exit_code = code
    await stage.killed(at)
    stage.world.exit_code = 0
    outcome = await stage.resume(keep="never")
    assert outcome.exit_code == code and stage.world.calls.count("execute") == 1 and len(stage.sandboxes.jobs) == 1
    assert outcome.failed_by == ("command" if code else None)
    assert [entry.path for entry in outcome.changes.entries] == ["made"] and stage.nothing_is_left()


async def test_what_was_printed_before_is_not_asked_for_again(stage):
    await stage.killed("output")
    assert read_run(stage.runs / stage.run_id).recorded("stdout") == (4, 4)
    await stage.resume()
    assert [had for *_, had in stage.sandboxes.jobs] == ["0", "4"]
    assert (stage.runs / stage.run_id / "stdout").read_bytes() == b"out\n"


async def test_a_sprite_that_is_gone_is_made_anew_and_the_command_begun_again(stage):
    await stage.killed("output")
    stage.world.sprites.clear()
    outcome = await stage.resume()
    assert outcome.exit_code == 0 and stage.made() == [1, 1, 2]
    assert stage.sandboxes.jobs[-1][:2] == ("start", f"{stage.run_id}-2") and stage.nothing_is_left()


async def test_one_of_that_name_that_is_another_is_not_taken(stage):
    stage.world.broken.add("mount")
    await stage.go()
    (name,) = stage.world.sprites
    stage.world.sprites[name] = replace(stage.world.sprites[name], id="another", labels=("somebody's",))
    stage.world.broken.clear()
    outcome = await stage.resume()
    assert (outcome.exit_code, outcome.error.code) == (125, "conflict")
    assert stage.world.sprites[name].id == "another"


@pytest.mark.parametrize("gone", ["revoked", "ending"])
async def test_a_key_that_is_gone_or_ends_too_soon_is_minted_anew(stage, gone):
    stage.world.broken.add("mount")
    await stage.go()
    ((key_id, key),) = stage.world.keys.items()
    now = datetime.now(UTC)
    ending = {"revoked": {"revoked_at": now}, "ending": {"expires_at": now + timedelta(seconds=90)}}[gone]
    stage.world.keys[key_id] = replace(key, **ending)
    stage.world.broken.clear()
    outcome = await stage.resume()
    assert outcome.exit_code == 0 and stage.made() == [1, 2, 1] and stage.nothing_is_left()


async def test_one_that_a_signal_ended_is_begun_again(stage):
    with Ledger.create(stage.runs, "go", WHERE) as ledger:
        ledger.write("command", place="p", sprite="s", tty=False, stdin=False)
        ledger.write("end", exit_code=130, failed_by="signal", error=None, left=[])
        ledger.write("resumed", pid=1)
        assert Earlier(read_run(ledger.folder)).place is None


@pytest.mark.parametrize("at", ["output", "written"])
async def test_another_command_is_begun_whatever_became_of_the_first(stage, at):
    await stage.killed(at)
    with Ledger.reopen(stage.runs / stage.run_id) as ledger:
        ledger.write("resumed", pid=1)
        plan = Plan(Command(("make", "check"), timeout=60.0), repo="work")
        outcome = await stage._whole(plan, ledger, Earlier(read_run(ledger.folder), other_command=True))
    assert outcome.exit_code == 0 and stage.nothing_is_left()
    assert stage.sandboxes.jobs[-1][:2] == ("start", f"{stage.run_id}-2")


async def test_one_that_was_lost_is_followed(stage):
    with Ledger.create(stage.runs, "go", WHERE) as ledger:
        ledger.write("command", place="p", sprite="s", tty=False, stdin=True)
        ledger.write("end", exit_code=125, failed_by="service", error=None, left=[])
        ledger.write("resumed", pid=1)
        earlier = Earlier(read_run(ledger.folder))
        assert (earlier.place, earlier.takes_input, dict(earlier.exit)) == ("p", True, {})
        ledger.write("exit", exit_code=3, failed_by="command")
        earlier = Earlier(read_run(ledger.folder))
        assert earlier.place is None and earlier.exit["exit_code"] == 3
        ledger.write("end", exit_code=3, failed_by="command", error=None, left=[])
        assert dict(Earlier(read_run(ledger.folder)).exit) == {}


async def test_the_base_is_the_one_of_then(stage):
    stage.world.repos["work"] = await stage.services.repos.create_repo("work")
    await stage.killed("output")
    base = Earlier(read_run(stage.runs / stage.run_id)).base()
    stage.world.commit = "5" * 40
    outcome = await stage.resume()
    assert outcome.changes.base_commit_oid == base.commit_oid == "0" * 40
