"""The chain: its order, and that whatever step fails, what the earlier ones made is taken down."""

from dataclasses import replace

import pytest

from mesabox.flow import go
from mesabox.flow.collect import collect
from mesabox.flow.go import Go
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.leftovers import abandoned, of_run, remove
from mesabox.flow.plan import Plan
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Where, read_run
from mesabox.flow.reporter import SilentReporter
from mesabox.flow.running.command import Command
from mesabox.flow.services import Services
from tests.flow.services import FOLDER, FakeRepos, FakeSandboxes, World

WHERE = Where("local", "http://mesa", "http://sprites", "my-org")
STEPS = ["repo", "create_repo", "mint_key", "create_sprite", "prepare", "mount", "execute"]


class Console:
    async def attend(self, execution, *, size):
        self.output = [output async for output in execution]
        return execution.exit_code


class Stage:
    def __init__(self, runs):
        self.world, self.runs = World(), runs
        self.services = Services(FakeRepos(self.world), FakeSandboxes(self.world), WHERE)

    async def go(self, **plan):
        plan = Plan(Command(("make",)), repo="work", **plan)
        interrupting = Interrupts(on_terminal=False, farewell=lambda: None)
        with interrupting as interrupts, Ledger.create(self.runs, "go", WHERE) as ledger:
            return await Go(plan, self.services, ledger, SilentReporter(), Console(), interrupts)()

    def left(self, outcome):
        return [r.kind for r in read_run(self.runs / outcome.run_id).leftovers() if r.kind != "repo"]


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path / "runs")


async def test_a_good_run(stage):
    outcome = await stage.go()
    calls = stage.world.calls
    assert (outcome.exit_code, outcome.failed_by, outcome.error, outcome.folder) == (0, None, None, FOLDER)
    assert [entry.path for entry in outcome.changes.entries] == ["made"]
    for first, then in [("repo", "create_repo"), ("create_repo", "mint_key"), ("create_sprite", "prepare"),
                        ("prepare", "mount"), ("mint_key", "mount"), ("mount", "execute"), ("execute", "written"),
                        ("written", "revoke_key"), ("written", "destroy_sprite")]:  # fmt: skip
        assert calls.index(first) < calls.index(then), (first, then)
    assert stage.world.live_keys == [] and stage.world.sprites == {} and "unmount" not in calls
    assert stage.left(outcome) == []
    record = stage.runs / outcome.run_id
    assert (record / "stdout").read_bytes() == b"out\n" and (record / "changes.patch").read_text().startswith("diff")


async def test_the_two_halves_run_at_once(stage):
    await stage.go()
    calls = stage.world.calls
    assert calls.index("create_sprite") < calls.index("mint_key") and calls.index("repo") < calls.index("prepare")


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_undoes_the_earlier_ones(stage, step):
    stage.world.broken.add(step)
    outcome = await stage.go()
    assert (outcome.exit_code, outcome.failed_by) == (125, "service") and step in str(outcome.error)
    assert stage.world.live_keys == [] and stage.world.sprites == {}
    assert read_run(stage.runs / outcome.run_id).end["exit_code"] == 125


@pytest.mark.parametrize("step", ["create_sprite", "mint_key", "mount", "execute"])
async def test_what_was_made_without_an_answer_is_found_and_removed(stage, step):
    stage.world.unanswered.add(step)
    outcome = await stage.go()
    assert outcome.exit_code == 125
    assert stage.world.live_keys == [] and stage.world.sprites == {} and stage.left(outcome) == []


@pytest.mark.parametrize("undo", ["revoke_key", "destroy_sprite"])
async def test_a_teardown_that_fails_keeps_the_code_and_gc_ends_it(stage, undo):
    stage.world.broken.add(undo)
    stage.world.exit_code = 3
    outcome = await stage.go()
    assert outcome.exit_code == 3 and len(outcome.undone.failed) == 1
    stage.world.broken.clear()
    for leftover in list(abandoned(stage.runs)):
        await remove(stage.services, leftover)
    assert stage.world.live_keys == [] and stage.world.sprites == {}
    assert list(abandoned(stage.runs)) == []


async def test_the_commands_own_code_is_passed_on(stage):
    stage.world.exit_code = 7
    outcome = await stage.go()
    assert (outcome.exit_code, outcome.failed_by) == (7, "command")


@pytest.mark.parametrize(
    ("keep", "code", "kept"), [("always", 0, True), ("on-failure", 1, True), ("on-failure", 0, False)]
)
async def test_keeping_keeps_the_sprite_and_never_the_key(stage, keep, code, kept):
    stage.world.exit_code = code
    outcome = await stage.go(keep=keep)
    assert bool(stage.world.sprites) is kept and stage.world.live_keys == []
    assert list(abandoned(stage.runs)) == []
    assert [resource.kind for resource in outcome.kept] == (["sprite"] if kept else [])


async def test_a_sprite_that_was_there_is_unmounted_and_left(stage):
    await stage.services.sandboxes.create_sprite("lasting", labels=[])
    await stage.go(sprite="lasting")
    assert list(stage.world.sprites) == ["lasting"] and "unmount" in stage.world.calls


async def test_a_sprite_of_that_name_made_by_another_is_not_ours_to_destroy(stage):
    outcome = await stage.go(keep="always")
    name = outcome.sprite
    del stage.world.sprites[name]
    await stage.services.sandboxes.create_sprite(name, labels=["somebody else's"])
    stage.world.sprites[name] = replace(stage.world.sprites[name], id="another")
    await remove(stage.services, of_run(stage.runs, outcome.run_id, repos=False))
    assert list(stage.world.sprites) == [name]


async def test_a_failed_collect_is_said_and_is_125(stage):
    stage.world.broken.add("bookmark")
    outcome = await stage.go()
    assert outcome.exit_code == 125 and outcome.error.code == "collect_failed"
    assert stage.world.live_keys == [] and stage.world.sprites == {}


@pytest.mark.parametrize(("code", "told"), [(0, (125, "mesabox", "collect_incomplete")), (3, (3, "command", None))])
async def test_what_mesa_did_not_get_is_no_success(stage, monkeypatch, code, told):
    async def incomplete(*args, **options):
        return replace(await collect(*args, **options), late=tuple(f"f{number}" for number in range(7)))

    monkeypatch.setattr(go, "collect", incomplete)
    stage.world.exit_code = code
    outcome = await stage.go()
    assert (outcome.exit_code, outcome.failed_by, outcome.error and outcome.error.code) == told
    assert "f0, f1, f2, f3, f4 and 2 more" in outcome.changes.incomplete.why
    assert len(read_run(stage.runs / outcome.run_id).last("changes")["late"]) == 7


async def test_what_is_not_known_to_be_whole_is_shown_and_kept_and_said(stage):
    stage.world.broken.add("written")
    outcome = await stage.go()
    assert (outcome.exit_code, outcome.failed_by, outcome.error.code) == (125, "mesabox", "collect_incomplete")
    assert [entry.path for entry in outcome.changes.entries] == ["made"] and "written is broken" in outcome.error.why
    assert read_run(stage.runs / outcome.run_id).last("changes")["files"] == [{"path": "made", "status": "added"}]
    assert stage.world.live_keys == [] and stage.world.sprites == {}
    stage.world.exit_code = 3
    outcome = await stage.go()
    assert (outcome.exit_code, outcome.failed_by, outcome.error) == (3, "command", None)
