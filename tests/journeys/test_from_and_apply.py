"""``go --from`` a real project, this very one: what the command changed comes back into the folder, and git agrees."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import schemas

SOURCE = Path(__file__).parents[2]
WORK = r"""
set -e
sed -i '1s/^/# first line\n/' README.md && printf 'no end' >> LICENSE
rm tests/conftest.py && rm -r tests/bench
mv mesabox/app.py mesabox/front_door.py
mv mesabox/errors.py mesabox/problems.py && sed -i 's/^class ExitCode/class Exit/' mesabox/problems.py
chmod +x mesabox/__main__.py
chmod -x tool
ln -s README.md link-to-readme && ln -sfn ../mesabox tests/link-to-folder
mkdir -p new/deep && printf '\000\001binary' > new/deep/binary && : > 'new/an empty name'
mkdir -p __pycache__ && echo ignored > __pycache__/out
printf 'umlaut' > "new/ünïcode"
"""


def git(folder, *words, **options):
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True, **options)
    return done.stdout


def clone(place):
    """Of this repository, as it is at HEAD, with a tool that can be executed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(SOURCE), str(place)], check=True)
    git(place, "config", "user.name", "a")
    git(place, "config", "user.email", "a@b")
    (place / "tool").write_text("#!/bin/sh\n")
    (place / "tool").chmod(0o755)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "a tool")
    return place


def tree_of(folder):
    """What git sees of it, content and mode, in an index of its own."""
    index = {**os.environ, "GIT_INDEX_FILE": str(folder / ".git/index-of-the-test")}
    git(folder, "add", "-A", env=index)
    return git(folder, "ls-files", "-s", env=index)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The same work done in a clone without any of us."""
    folder = clone(tmp_path_factory.mktemp("here") / "project")
    subprocess.run(["sh", "-c", WORK], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def project(tmp_path):
    return clone(tmp_path / "project")


def test_git_status_shows_exactly_what_the_command_did(mesabox, here, project):
    words = ("go", "--from", str(project), "--apply", "--repo", "from-apply", "--", "sh", "-c", WORK)
    told = mesabox.json(*words)
    assert told["exit_code"] == 0, told
    assert git(project, "status", "--porcelain") == git(here, "status", "--porcelain")
    assert git(project, "diff") == git(here, "diff")
    assert tree_of(project) == tree_of(here)
    assert not (project / "__pycache__").exists()
    assert {one["how"] for one in told["data"]["applied"]} == {"applied"}
    again = mesabox("runs", "apply", "last")
    assert b"already" in again.stderr and tree_of(project) == tree_of(here)
    kept = mesabox("runs", "diff", "last").stdout
    fresh = clone(project.parent / "fresh")
    git(fresh, "apply", "--whitespace=nowarn", input=kept)
    assert tree_of(fresh) == tree_of(here)


def test_a_colliding_edit_of_ones_own_stays(mesabox, project):
    """Made while the run goes: the folder of the end is not the one of the beginning."""
    process = mesabox.start(
        "--json", "go", "--from", str(project), "--apply", "--repo", "from-collide", "--",
        "sh", "-c", "sed -i '1s/.*/theirs/' README.md; echo new > new-file; sleep 6",
    )  # fmt: skip
    run_id = _seeded(mesabox, process)
    mine = "mine\n" + (project / "README.md").read_text().partition("\n")[2]
    (project / "README.md").write_text(mine)
    out, err = process.communicate(timeout=120)
    told = json.loads(out)
    assert (process.returncode, told["error"]["code"], told["failed_by"]) == (125, "collision", "mesabox"), err
    assert (project / "README.md").read_text() == mine and not (project / "new-file").exists()
    assert git(project, "status", "--porcelain") == b" M README.md\n"
    refused = mesabox.json("runs", "apply", run_id)
    assert (refused["exit_code"], refused["error"]["code"]) == (5, "collision")
    forced = mesabox.json("runs", "apply", run_id, "--force")
    assert forced["exit_code"] == 0 and forced["data"]["folder"] == str(project)
    assert (project / "README.md").read_text().startswith("theirs\n") and (project / "new-file").read_text() == "new\n"
    assert git(project, "status", "--porcelain") == b" M README.md\n?? new-file\n"


def test_a_second_run_begins_with_what_the_first_one_brought(mesabox, project):
    words = ("go", "--from", str(project), "--apply", "--repo", "from-twice", "--", "sh", "-c")
    mesabox(*words, "echo one >> README.md")
    second = mesabox.json(*words, "echo two >> README.md; chmod +x README.md")
    assert [(file["path"], file["status"]) for file in second["data"]["changes"]["files"]] == [
        ("README.md", "modified")
    ]
    assert (project / "README.md").read_text().endswith("one\ntwo\n") and os.access(project / "README.md", os.X_OK)
    warned = mesabox(*words, "true").stderr.decode()
    assert "has changes that are in no commit" in warned and "nothing changed" in warned


def test_a_run_that_failed_applies_nothing_and_says_how(mesabox, project):
    words = ("go", "--from", str(project), "--apply", "--repo", "from-failed", "--")
    done = mesabox(*words, "sh", "-c", "echo x > file; exit 3", ok=False)
    run_id = mesabox.value("runs", "list", "--limit", "1")
    assert done.returncode == 3 and f"Do it: mesabox runs apply {run_id}" in done.stderr.decode()
    assert git(project, "status", "--porcelain") == b""
    mesabox("runs", "apply", run_id)
    assert git(project, "status", "--porcelain") == b"?? file\n"


def test_detached_and_killed_it_is_applied_by_the_one_that_takes_over(mesabox, project):
    words = ("go", "--detach", "--from", str(project), "--apply", "--repo", "from-detached", "--")
    run_id = mesabox.value(*words, "sh", "-c", "echo begun; sleep 4; rm README.md; echo x > file")
    watching = mesabox.start("runs", "attach", run_id)
    assert watching.stdout.readline() == b"begun\n"
    events = mesabox.json("runs", "show", run_id)["data"]["events"]
    os.kill(next(event["pid"] for event in events if "pid" in event), 9)
    watching.communicate(timeout=60)
    assert mesabox("runs", "attach", run_id).stdout == b"begun\n"
    assert git(project, "status", "--porcelain") == b" D README.md\n?? file\n"


def test_its_events_and_its_record(mesabox, project):
    words = ("go", "--ndjson", "--from", str(project), "--apply", "--keep", "always", "--repo", "from-events")
    told = schemas.events(mesabox(*words, "--", "sh", "-c", "echo out; echo x > file").stdout)
    run_id = told[-1]["run_id"]
    recorded = schemas.recorded(mesabox("runs", "logs", run_id, "--ndjson").stdout)
    mesabox("down", run_id)
    kinds = {"start", "phase", "making", "made", "base", "seeded", "command", "output", "exit", "changes", "kept"}
    assert kinds <= {event["type"] for event in told} and kinds <= {event["type"] for event in recorded}
    (kept,) = [event["resources"] for event in recorded if event["type"] == "kept"]
    assert [one["kind"] for one in kept] == ["sprite"] and recorded[0]["source"] == str(project)
    assert [file["path"] for file in told[-1]["data"]["applied"]] == ["file"]


def _seeded(mesabox, process):
    """The run's id, once its folder was read: its command goes on for a while."""
    while process.poll() is None:
        runs = [one for one in mesabox.json("runs", "list")["data"] if one["repo"] == "from-collide"]
        if runs and "command" in [e["type"] for e in mesabox.json("runs", "show", runs[0]["run_id"])["data"]["events"]]:
            return runs[0]["run_id"]
    raise AssertionError(process.communicate())
