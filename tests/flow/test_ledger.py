"""The record: what is left over is told right whatever cut the run short."""

import json
import subprocess
import sys

import pytest

from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Resource, Where, is_alive, newest_first, read_run, unsettled

WHERE = Where("local", "http://m", "http://s", "my-org")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(tmp_path / "runs", "go", WHERE, repo="r") as made:
        yield made


def left(ledger):
    return [(r.kind, r.name, r.id, r.certain) for r in read_run(ledger.folder).leftovers()]


def test_making_alone_is_left_over_and_uncertain(ledger):
    ledger.making("sprite", "s")
    assert left(ledger) == [("sprite", "s", "", False)]


def test_made_replaces_making_and_removed_ends_it(ledger):
    ledger.making("key", "k")
    ledger.made("key", "k", id="1")
    ledger.making("key", "k")
    ledger.made("key", "k", id="2")
    assert left(ledger) == [("key", "k", "1", True), ("key", "k", "2", True)]
    ledger.removed(Resource("key", "k", "1"))
    assert left(ledger) == [("key", "k", "2", True)]


def test_a_line_cut_short_is_passed_over_and_the_next_is_not_lost(ledger):
    ledger.made("sprite", "s", id="1")
    with open(ledger.folder / "events.ndjson", "ab") as file:
        file.write(b'{"seq":9,"type":"remo')
    ledger.close()
    again = Ledger.reopen(ledger.folder)
    again.made("key", "k", id="2")
    assert left(again) == [("sprite", "s", "1", True), ("key", "k", "2", True)]
    ledger._file, ledger._lock = again._file, again._lock  # the fixture closes these


def test_files_are_private(ledger):
    for path in [ledger.folder, *ledger.folder.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_every_event_has_its_place_in_order(ledger):
    ledger.write("phase", name="x")
    events = [json.loads(line) for line in (ledger.folder / "events.ndjson").read_text().splitlines()]
    assert [event["seq"] for event in events] == [1, 2]
    assert {event["run_id"] for event in events} == {ledger.run_id}


def test_a_run_is_alive_as_long_as_its_process(tmp_path):
    code = (
        "import sys,pathlib; from mesabox.flow.record.ledger import *;"
        f"l=Ledger.create(pathlib.Path({str(tmp_path)!r}),'go',Where('local','m','s'));l.making('sprite','x');"
        "print(l.run_id,flush=True);sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    run_id = process.stdout.readline().strip()
    assert read_run(tmp_path / run_id).alive
    assert Ledger.reopen(tmp_path / run_id) is None
    process.kill()
    process.wait()
    run = read_run(tmp_path / run_id)
    assert not run.alive and run.state == "interrupted"
    assert [r.name for r in run.leftovers()] == ["x"]


def test_step_commands_of_one_folder_share_a_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    with Ledger.for_steps(runs, WHERE) as first:
        first.made("sprite", "s", id="1")
    with Ledger.for_steps(runs, WHERE) as second:
        assert second.run_id == first.run_id
        second.removed(Resource("sprite", "s", "1"))
    with Ledger.for_steps(runs, WHERE) as third:
        assert third.run_id != first.run_id
    assert [run.state for run in newest_first(runs)] == ["steps", "steps"]


def test_a_held_record_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Ledger.for_steps(tmp_path / "runs", WHERE) as first:
        first.made("sprite", "s", id="1")
        with Ledger.for_steps(tmp_path / "runs", WHERE) as second:
            assert second.run_id != first.run_id


def test_those_who_look_are_not_in_the_way_of_those_who_take(tmp_path):
    """As `runs list` beside `gc`: a look holds the lock for a moment, and is no reason to pass a run over."""
    with Ledger.create(tmp_path, "go", WHERE) as made:
        folder = made.folder
    code = (
        "import sys,pathlib; from mesabox.flow.record.ledger import is_alive;"
        "folder=pathlib.Path(sys.argv[1]);print(flush=True)\nwhile True: is_alive(folder)"
    )
    looking = [subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE) for _ in range(3)]
    try:
        for process in looking:
            process.stdout.readline()
        for _ in range(3000):
            taken = Ledger.reopen(folder)
            assert taken is not None
            taken.close()
    finally:
        for process in looking:
            process.kill()
            process.communicate()


def test_runs_that_left_nothing_are_not_read_again(tmp_path):
    clean, left, killed = (Ledger.create(tmp_path, "go", WHERE) for _ in range(3))
    left.made("sprite", "s", id="1")
    killed.making("key", "k")
    clean.made("repo", "r", id="1")
    clean.close()
    left.close()
    found = {run.id for run in unsettled(tmp_path)}
    assert found == {left.run_id, killed.run_id}
    again = Ledger.reopen(clean.folder)
    assert again is not None and {run.id for run in unsettled(tmp_path)} == {*found, clean.run_id}
    again.close()
    killed.close()


def test_output_is_in_its_file_and_an_event_says_where(tmp_path):
    with Ledger.create(tmp_path, "go", WHERE) as ledger:
        ledger.output("stdout", b"one", 3)
        ledger.output("stderr", b"err", 3)
        ledger.output("stdout", b"***", 20)
        assert (ledger.folder / "stdout").read_bytes() == b"one***"
    run = read_run(ledger.folder)
    assert (run.recorded("stdout"), run.recorded("stderr")) == ((6, 20), (3, 3))
    assert all(event["type"] != "output" for event in run.events)


def test_output_that_a_kill_left_without_its_event_comes_again(tmp_path):
    with Ledger.create(tmp_path, "go", WHERE) as ledger:
        ledger.output("stdout", b"one", 3)
    with (ledger.folder / "stdout").open("ab") as file:
        file.write(b"cut")
    with Ledger.reopen(ledger.folder) as again:
        again.output("stdout", b"two", 6)
    assert (ledger.folder / "stdout").read_bytes() == b"onetwo"


def test_runs_of_one_second_are_in_the_order_of_their_starts(tmp_path):
    ids = [f"261123-151544-{tail}" for tail in ("zzzz", "aaaa", "mmmm")]
    for run_id in ids:
        Ledger.create(tmp_path, "go", WHERE, run_id=run_id).close()
    Ledger.create(tmp_path, "go", WHERE, run_id="261123-151543-yyyy").close()
    assert [run.id for run in newest_first(tmp_path)] == [*reversed(ids), "261123-151543-yyyy"]


def test_a_line_that_lacks_its_end_alone_keeps_its_number(tmp_path):
    with Ledger.create(tmp_path, "go", WHERE) as made:
        made.write("phase", name="x")
    with (made.folder / "events.ndjson").open("rb+") as file:
        file.truncate(file.seek(0, 2) - 1)
    with Ledger.reopen(made.folder) as again:
        again.write("phase", name="y")
    assert [event["seq"] for event in read_run(made.folder).events] == [1, 2, 3]


def test_a_run_that_ends_while_it_is_looked_at_is_not_cut_off(tmp_path, monkeypatch):
    """Its process is looked for before its record is read."""
    ledger = Ledger.create(tmp_path, "go", WHERE)
    looked = is_alive

    def ends_afterwards(folder):
        alive = looked(folder)
        ledger.write("end", exit_code=0)
        return alive

    monkeypatch.setattr("mesabox.flow.record.runs.is_alive", ends_afterwards)
    run = read_run(ledger.folder)
    ledger.close()
    assert run.alive and run.end["exit_code"] == 0
