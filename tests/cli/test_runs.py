"""Runs on record: shown, followed, gone on with and done again, with both services in memory or nobody to ask."""

import base64
import time
from contextlib import asynccontextmanager

import pytest

from mesabox import errors
from mesabox.clients.base import Key, Sprite
from mesabox.config.credentials import EngineChoice
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Where, newest_first, read_run
from mesabox.flow.services import Services as FlowServices
from mesabox.switchboard import Services, Switchboard
from tests import schemas
from tests.flow.services import NOW, FakeRepos, FakeSandboxes, World

WHERE = Where("local", "http://m", "http://s", "my-org")
GO = {
    "command": ["make"], "repo": "work", "bookmark": None, "named_sprite": None, "keep": "never", "source": None,
    "apply": False, "env": {}, "workdir": None, "timeout": 3600.0, "secrets": [], "masked": False,
}  # fmt: skip


@pytest.fixture
def runs(home):
    return home / "state/runs"


@pytest.fixture
def world(monkeypatch):
    """Both services in memory; ``refusal``: what reaching them raises."""
    world = World()
    world.refusal = None

    @asynccontextmanager
    async def services(board, **_):
        if world.refusal is not None:
            raise world.refusal
        flow = FlowServices(FakeRepos(world), FakeSandboxes(world), WHERE)
        yield Services(flow, EngineChoice("local", "for a test"))

    return lambda: (monkeypatch.setattr(Switchboard, "services", services), world)[1]


@pytest.fixture
def nobody(monkeypatch):
    """No service answers."""
    monkeypatch.setattr(Switchboard, "services", lambda *_, **__: pytest.fail("a service was asked"))


def record(runs, *pieces, end=0, kind="go", **facts):
    """A run that printed ``pieces``, of both streams by turns; end: its exit code, None while it is cut off."""
    with Ledger.create(runs, kind, WHERE, **{**GO, **facts}) as ledger:
        ledger.write("command", place=ledger.run_id, sprite="s", tty=False, stdin=False)
        for number, piece in enumerate(pieces):
            ledger.output(("stdout", "stderr")[number % 2], piece, len(piece))
        if end is not None:
            failed_by = "command" if end else None
            ledger.write("exit", exit_code=end, failed_by=failed_by)
            ledger.write("end", exit_code=end, failed_by=failed_by, error=None, left=[])
    return ledger.run_id


@pytest.mark.usefixtures("nobody")
class TestLogs:
    def test_each_stream_goes_where_it_went(self, mesabox, runs):
        record(runs, b"out\n", b"err\n", b"more\n")
        for terminal in (True, False):
            answer = mesabox("runs", "logs", "last", terminal=terminal)
            assert (answer.code, answer.out, answer.err) == (0, "out\nmore\n", "err\n")
        assert mesabox("runs", "logs", "last", "--stream", "stderr").out == ""
        assert mesabox("runs", "logs", "last", "--stream", "stdout", "--follow").err == ""

    def test_one_object(self, mesabox, runs):
        run_id = record(runs, b"out\n", b"\xff")
        found = mesabox("runs", "logs", run_id, "--json").envelope
        assert found["data"] == {
            "run_id": run_id, "stream": "stdout", "last_seq": 6, "stdout": "out\n", "stderr": "/w==",
            "stderr_encoding": "base64", "output": "out\n",
        }  # fmt: skip
        data = mesabox("runs", "logs", run_id, "--json", "--stream", "stderr").envelope["data"]
        assert (data["stream"], data["output_encoding"], base64.b64decode(data["output"])) == (
            "stderr",
            "base64",
            b"\xff",
        )
        assert data["stdout"] == ""

    def test_events_a_line(self, mesabox, runs):
        run_id = record(runs, b"out\n", b"\xff", end=3)
        found = schemas.recorded(mesabox("runs", "logs", run_id, "--ndjson").out)
        types = ["start", "command", "output", "output", "exit", "end"]
        assert [event["type"] for event in found] == types
        assert found[2]["data"] == "out\n" and base64.b64decode(found[3]["data"]) == b"\xff"
        assert "offset" not in found[2] and found[-1]["exit_code"] == 3
        assert (
            mesabox("runs", "logs", run_id, "--ndjson", "--follow").out
            == mesabox("runs", "logs", run_id, "--ndjson").out
        )
        assert mesabox("runs", "logs", run_id, "--ndjson", "--json").code == 2

    def test_from_an_event_or_a_time_on(self, mesabox, runs):
        record(runs, b"one\n", b"two\n", b"three\n")
        assert mesabox("runs", "logs", "last", "--after", "3").out == "three\n"
        assert mesabox("runs", "logs", "last", "--since", "1h").out == "one\nthree\n"
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        assert mesabox("runs", "logs", "last", "--since", later).out == ""
        refused = mesabox("runs", "logs", "last", "--since", "soon", "--json")
        assert (refused.code, refused.envelope["error"]["code"]) == (2, "usage")

    def test_of_a_command_that_never_began(self, mesabox, runs):
        with Ledger.create(runs, "go", WHERE, **GO) as ledger:
            ledger.write("end", exit_code=125, failed_by="service", error=None, left=[])
        refused = mesabox("runs", "logs", "last", "--json")
        assert (refused.code, refused.envelope["error"]["title"]) == (
            3,
            f"run '{ledger.run_id}' has no output on record",
        )
        assert mesabox("runs", "logs", "nope", "--json").envelope["error"]["code"] == "run_not_found"


@pytest.mark.usefixtures("nobody")
class TestAttach:
    def test_an_ended_run_is_shown_with_its_code(self, mesabox, runs):
        run_id = record(runs, b"out\n", b"err\n", end=3)
        for terminal in (True, False):
            answer = mesabox("runs", "attach", run_id, terminal=terminal)
            assert (answer.code, answer.out, answer.err) == (3, "out\n", "err\n")
        found = mesabox("runs", "attach", run_id, "--json").envelope
        assert (found["exit_code"], found["failed_by"], found["error"]) == (3, "command", None)
        assert found["data"] == {
            "run_id": run_id, "state": "failed", "last_seq": 6, "stdout": "out\n", "stderr": "err\n",
        }  # fmt: skip
        assert mesabox("runs", "attach", run_id, "--after", "3").out == ""

    def test_a_failure_of_ours_is_told_again(self, mesabox, runs):
        with Ledger.create(runs, "go", WHERE, **GO) as ledger:
            error = {"code": "mount_failed", "title": "work cannot be mounted"}
            ledger.write("end", exit_code=125, failed_by="service", error=error, left=[])
        found = mesabox("runs", "attach", "last", "--json").envelope
        assert (found["exit_code"], found["failed_by"], found["error"]["code"]) == (125, "service", "mount_failed")

    def test_a_run_cut_off_before_its_command_says_how_to_go_on(self, mesabox, runs):
        with Ledger.create(runs, "go", WHERE, **GO) as ledger:
            ledger.write("phase", name="repo", state="started")
        found = mesabox("runs", "attach", "last", "--json").envelope
        assert (found["exit_code"], found["error"]["code"]) == (125, "outcome_unknown")
        assert found["error"]["fix"] == f"mesabox go --resume {ledger.run_id}"

    def test_there_must_be_such_a_run(self, mesabox):
        found = mesabox("runs", "attach", "nope", "--json").envelope
        assert (found["exit_code"], found["error"]["code"]) == (125, "run_not_found")
        assert mesabox("runs", "attach", "last", "--after", "-1", "--json").code == 2


@pytest.mark.usefixtures("nobody")
class TestDryRun:
    def test_the_plan_and_its_steps(self, mesabox, monkeypatch):
        monkeypatch.setenv("MESABOX_ENGINE", "local")
        words = ("go", "--dry-run", "--repo", "work", "--timeout", "10m", "-e", "A=1", "--", "make", "a b")
        data = mesabox("--json", *words).envelope["data"]
        assert [step["step"] for step in data["steps"]] == [
            "repo", "key", "sprite", "mesa", "mount", "run", "collect", "teardown",
        ]  # fmt: skip
        plan = data["plan"]
        assert (plan["command"], plan["key_lifetime"], plan["env"], plan["engine"]) == (
            ["make", "a b"],
            900.0,
            ["A"],
            "local",
        )
        shown = mesabox(*words)
        assert shown.out.splitlines()[5] == "run\tmake 'a b' for 600 s at most"
        assert shown.err == (
            "engine: local (MESABOX_ENGINE)\nnothing was made or asked: leave out --dry-run to do it\n"
        )
        assert mesabox("-q", *words).out.split()[:2] == ["repo", "key"]

    def test_a_folder_and_its_way_back(self, mesabox, tmp_path):
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "file").write_text("x")
        data = mesabox("--json", "go", "--dry-run", "--from", str(folder), "--apply", "--", "true").envelope["data"]
        told = {step["step"]: step["what"] for step in data["steps"]}
        assert told["seed"] == f"1 files of {folder} (1 bytes)" and told["apply"] == f"the changes, to {folder}"

    def test_nothing_is_on_record(self, mesabox, runs):
        mesabox("go", "--dry-run", "--", "true")
        assert list(newest_first(runs)) == []


class TestResume:
    def test_what_cannot_be_gone_on_with(self, mesabox, runs, nobody):
        done = record(runs)
        with Ledger.create(runs, "go", WHERE, **GO) as alive:
            found = mesabox("go", "--resume", alive.run_id, "--json").envelope
            assert (found["exit_code"], found["error"]["code"]) == (125, "run_alive")
            assert found["error"]["fix"] == f"mesabox runs attach {alive.run_id}"
        masked = record(runs, end=3, masked=True)
        for run_id, fix in ((done, f"mesabox runs rerun {done}"), (masked, "give the command behind --")):
            found = mesabox("go", "--resume", run_id, "--json").envelope
            assert (found["exit_code"], found["error"]["code"], found["error"]["fix"]) == (2, "usage", fix)
        refused = mesabox("go", "--resume", done, "--repo", "other", "--json").envelope
        assert refused["error"]["detail"] == f"--repo: run '{done}' has its own"

    def test_it_goes_on_in_its_own_record(self, mesabox, runs, world):
        world = world()
        world.broken.add("mount")
        failed = mesabox("go", "--repo", "work", "--keep", "on-failure", "--json", "--", "make").envelope
        run_id = failed["data"]["run_id"]
        assert failed["exit_code"] == 125 and {one["kind"] for one in failed["data"]["kept"]} == {"key", "sprite"}
        world.broken.clear()
        found = mesabox("go", "--resume", run_id, "--ndjson")
        events = schemas.events(found.out)
        assert found.code == 0 and events[-1]["data"]["run_id"] == run_id
        assert events[1]["type"] == "resumed" and events[0]["run_id"] != ""
        assert [world.calls.count(call) for call in ("create_repo", "mint_key", "create_sprite")] == [1, 1, 1]
        assert world.sprites == {} and world.live_keys == []

    def test_made_with_other_services(self, mesabox, runs, world):
        world()
        with Ledger.create(runs, "go", Where("local", "http://other", "http://s", "my-org"), **GO) as ledger:
            pass
        found = mesabox("go", "--resume", ledger.run_id, "--json").envelope
        assert (found["exit_code"], found["error"]["code"]) == (125, "other_services")
        assert read_run(ledger.folder).events[-1]["type"] == "start"


class TestRerun:
    def test_the_same_as_a_new_run(self, mesabox, runs, world):
        world = world()
        first = record(runs, end=3)
        found = mesabox("runs", "rerun", first, "--json").envelope
        assert (found["command"], found["exit_code"]) == ("runs rerun", 0)
        again = read_run(runs / found["data"]["run_id"])
        assert again.id != first and again.start["command"] == ["make"] and again.start["repo"] == "work"
        assert "make" in str(again.start) and world.calls.count("execute") == 1

    def test_with_another_command(self, mesabox, runs, world):
        world()
        record(runs, masked=True)
        refused = mesabox("runs", "rerun", "last", "--json").envelope
        assert refused["exit_code"] == 2 and refused["error"]["fix"] == "give the command behind --"
        found = mesabox("runs", "rerun", "last", "--json", "--", "make", "check").envelope
        assert read_run(runs / found["data"]["run_id"]).start["command"] == ["make", "check"]

    def test_only_what_go_did(self, mesabox, runs):
        record(runs, kind="run")
        found = mesabox("runs", "rerun", "last", "--json").envelope
        assert (found["exit_code"], found["error"]["code"]) == (2, "usage")


class TestDetached:
    def test_its_id_and_how_to_follow_it(self, mesabox, runs, world):
        world()
        answer = mesabox("go", "--detach", "--repo", "work", "--", "make")
        run_id = answer.out.strip()
        assert (answer.code, answer.err) == (0, f"follow it: mesabox runs attach {run_id}\n")
        attached = mesabox("runs", "attach", run_id)
        assert (attached.code, attached.out) == (0, "out\n")
        assert read_run(runs / run_id).state == "done"
        found = mesabox("go", "-d", "--json", "--", "make").envelope["data"]
        assert set(found) == {"run_id", "detached"} and mesabox("runs", "attach", found["run_id"]).code == 0
        assert mesabox("go", "-d", "-q", "--", "make").out.count("\n") == 1
        mesabox("runs", "attach", "last")

    @pytest.mark.parametrize(
        ("refusal", "code", "word"),
        [
            (errors.TryLater("the engine does not start", why="no room", fix="free some"), 125, "try_later"),
            (errors.CredentialsProblem("the token is wrong", code="token_wrong"), 125, "token_wrong"),
            (errors.Unsupported("no walls", code="not_isolated"), 125, "not_isolated"),
            (errors.UsageProblem("these do not fit"), 2, "usage"),
            (PermissionError(13, "Permission denied", "/some/file"), 125, "os_error"),
            (ExceptionGroup("several", [errors.Conflict("taken"), ValueError()]), 125, "conflict"),
            (ZeroDivisionError("division by zero"), 125, "bug"),
        ],
    )
    @pytest.mark.parametrize("words", [("go",), ("run", "s"), ("runs", "rerun", "last")])
    def test_what_keeps_it_from_beginning_is_told_as_in_the_foreground(
        self, mesabox, runs, world, words, refusal, code, word, tmp_path
    ):
        world().refusal = refusal
        record(runs)
        command = [] if words[0] == "runs" else ["--", "make"]
        attached = mesabox(*words, "--json", *command).envelope
        file = tmp_path / "events"
        detached = mesabox(*words, "--detach", "--json", "--events", str(file), *command).envelope
        assert (detached["exit_code"], detached["error"]["code"], detached["status"]) == (code, word, "error")
        if word != "bug":  # whose log has a name of its own
            assert {**detached, "data": None} == {**attached, "data": None}
        told = schemas.events(file.read_text())
        assert [event["type"] for event in told] == ["start", "end"]
        assert (told[-1]["exit_code"], told[-1]["error"]["code"]) == (code, word)
        assert len(list(newest_first(runs))) == 1

    def test_events_of_it_go_to_their_file(self, mesabox, world, tmp_path):
        world()
        found = mesabox("go", "-d", "--events", str(tmp_path / "events"), "--json", "--", "make").envelope
        mesabox("runs", "attach", found["data"]["run_id"])
        deadline = time.monotonic() + 20
        while '"type":"end"' not in (tmp_path / "events").read_text().replace(" ", ""):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        told = schemas.events((tmp_path / "events").read_text())
        assert told[0]["run_id"] == found["data"]["run_id"] and told[-1]["exit_code"] == 0

    @pytest.mark.parametrize("words", [("go",), ("run", "s"), ("runs", "rerun", "last")])
    def test_it_tells_no_events_here(self, mesabox, runs, words, nobody):
        record(runs)
        found = schemas.events(mesabox(*words, "--detach", "--ndjson", "--", "make").out)
        assert (found[-1]["exit_code"], found[-1]["error"]["code"]) == (2, "usage")

    def test_a_shell_is_not_for_nobody(self, mesabox, nobody):
        assert mesabox("go", "--detach", "--json", terminal=True).envelope["exit_code"] == 2


def test_a_run_of_run_is_on_record_with_its_end(mesabox, runs, world):
    world = world()
    world.sprites["s"] = None
    run_id = mesabox("run", "s", "-d", "-q", "--", "make").out.strip()
    found = mesabox("runs", "attach", run_id, "--json").envelope
    assert (found["exit_code"], found["data"]["stdout"]) == (0, "out\n")
    world.broken.add("execute")
    run_id = mesabox("run", "s", "-d", "-q", "--", "make").out.strip()
    found = mesabox("runs", "attach", run_id, "--json").envelope
    assert (found["exit_code"], found["failed_by"], found["error"]["code"]) == (125, "service", "service_error")


class TestSweep:
    """What a killed run left goes with the next one, once its command and its key have ended by themselves."""

    @staticmethod
    def cut_off(runs, monkeypatch, ago, **facts):
        then = time.time() - ago
        with monkeypatch.context() as past:
            past.setattr("mesabox.flow.record.ledger.time.time", lambda: then)
            with Ledger.create(runs, "go", WHERE, **{**GO, "timeout": 60.0, **facts}) as ledger:
                ledger.made("sprite", "old", id="id-old")
                ledger.made("key", "old-key", id="key-old")
        return ledger

    @pytest.fixture
    def old(self, world):
        world = world()
        world.sprites["old"] = Sprite("old", "id-old", "cold", "", "my-org", NOW, ())
        world.keys["key-old"] = Key("key-old", "old-key", ("read",), (), NOW, tags={})
        return world

    def test_with_the_next_run(self, mesabox, runs, old, monkeypatch):
        ledger = self.cut_off(runs, monkeypatch, ago=60 + 601)
        answer = mesabox("go", "--", "make")
        assert answer.code == 0 and old.sprites == {} and "old-key" not in old.live_keys
        assert f"removed what run {ledger.run_id} left: " in answer.err and "sprite old" in answer.err
        assert read_run(ledger.folder).leftovers() == []
        assert "removed what" not in mesabox("go", "--", "make").err

    @pytest.mark.parametrize(("ago", "facts"), [(60 + 590, {}), (86000, {"timeout": None}), (600, {"timeout": 3600.0})])
    def test_not_while_somebody_may_go_on_with_it(self, mesabox, runs, old, monkeypatch, ago, facts):
        self.cut_off(runs, monkeypatch, ago, **facts)
        assert mesabox("go", "--", "make").code == 0 and "old" in old.sprites

    def test_nor_what_was_kept_made_elsewhere_or_is_worked_on(self, mesabox, runs, old, monkeypatch):
        kept = self.cut_off(runs, monkeypatch, ago=10_000)
        resources = [{"kind": "sprite", "name": "old", "id": "id-old"}, {"kind": "key", "name": "old-key", "id": ""}]
        with Ledger.reopen(kept.folder) as again:
            again.write("kept", resources=resources)
        alive = self.cut_off(runs, monkeypatch, ago=10_000)
        elsewhere = self.cut_off(runs, monkeypatch, ago=10_000)
        text = (elsewhere.folder / "events.ndjson").read_text()
        (elsewhere.folder / "events.ndjson").write_text(text.replace("http://m", "http://other"))
        with Ledger.reopen(alive.folder):
            assert mesabox("go", "--", "make").code == 0 and "old" in old.sprites

    def test_nor_one_that_was_gone_on_with_just_now(self, mesabox, runs, old, monkeypatch):
        ledger = self.cut_off(runs, monkeypatch, ago=10_000)
        with Ledger.reopen(ledger.folder) as again:
            again.write("resumed", pid=1)
        assert mesabox("go", "--", "make").code == 0 and "old" in old.sprites
