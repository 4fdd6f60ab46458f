"""Runs gone on with: after a step that failed, and after SIGKILL at any moment."""

import os
import random
import signal
import time

import pytest

ROUNDS = int(os.environ.get("MESABOX_RESUME_ROUNDS", "6"))
"""A few in every run; MESABOX_RESUME_ROUNDS=50 by hand."""


@pytest.fixture
def faults(mesabox):
    yield lambda *names: mesabox("engine", "start", *(word for name in names for word in ("--fault", name)))
    mesabox("engine", "start", "--fault", "none")


def log_of(mesabox):
    return mesabox.json("engine", "logs", "--lines", "100000")["data"]["lines"]


def made_since(mesabox, seen):
    """How often a repo, a key and a sprite were made, by the engine's own log."""
    new = log_of(mesabox)[seen:]
    places = {"repo": "/repos ", "key": "/api-keys ", "sprite": "/v1/sprites "}
    return {kind: sum(line.startswith("POST") and place in line for line in new) for kind, place in places.items()}


def nothing_left(mesabox, run_id):
    told = mesabox.json("runs", "show", run_id)["data"]
    live = [key["id"] for key in mesabox.json("key", "list", "--all")["data"] if key["state"] == "live"]
    minted = {event["id"] for event in told["events"] if event["type"] == "made" and event["kind"] == "key"}
    sprites = mesabox.value("sprite", "list", "--prefix", f"mesabox-{run_id}")
    return told["left"] == [] and not minted & {*live} and sprites == ""


@pytest.mark.parametrize("detach", [False, True])
def test_a_mount_that_failed_is_gone_on_with(mesabox, faults, detach):
    name = f"resume-mount-{detach}".lower()
    faults("mount-fails=x1")
    seen = len(log_of(mesabox))
    words = ("go", "--repo", name, "--keep", "on-failure", "--", "sh", "-c", "echo out; echo x > file")
    failed = mesabox.json(*words)
    assert (failed["exit_code"], failed["error"]["code"]) == (125, "mount_failed")
    assert {one["kind"] for one in failed["data"]["kept"]} == {"key", "sprite"}
    run_id = failed["data"]["run_id"]
    if detach:
        assert mesabox.value("go", "--resume", run_id, "--detach") == run_id
        resumed = mesabox.json("runs", "attach", run_id)
    else:
        resumed = mesabox.json("go", "--resume", run_id)
    assert (resumed["exit_code"], resumed["data"]["run_id"], resumed["data"]["stdout"]) == (0, run_id, "out\n")
    assert made_since(mesabox, seen) == {"repo": 1, "key": 1, "sprite": 1}
    assert mesabox("repo", "cat", name, "file").stdout == b"x\n"
    assert nothing_left(mesabox, run_id)
    assert mesabox.json("go", "--resume", run_id)["exit_code"] == 2


FAILING = {
    "no-minting=x1": "key", "mesa-401=x1@POST": "repo", "sprites-401=x1@POST /v1/sprites": "sprite",
    "mount-fails=x3": "mount",
}  # fmt: skip


@pytest.mark.parametrize("fault", list(FAILING))
def test_whatever_step_failed(mesabox, faults, fault):
    name = "resume-" + fault.partition("=")[0]
    words = ("go", "--repo", name, "--keep", "on-failure", "--", "sh", "-c", "echo x > file")
    faults(fault)
    failed = mesabox.json(*words)
    run_id = failed["data"]["run_id"]
    assert failed["exit_code"] == 125, failed
    if fault == "mount-fails=x3":
        assert mesabox.json("go", "--resume", run_id)["exit_code"] == 125
    resumed = mesabox.json("go", "--resume", run_id)
    assert resumed["exit_code"] == 0, resumed
    assert [file["path"] for file in resumed["data"]["changes"]["files"]] == ["file"]
    assert mesabox("repo", "cat", name, "file").stdout == b"x\n" and nothing_left(mesabox, run_id)


def test_a_sprite_and_a_key_that_are_gone_are_made_anew(mesabox, faults):
    faults("mount-fails=x1")
    failed = mesabox.json("go", "--repo", "resume-gone", "--keep", "on-failure", "--", "sh", "-c", "echo x > file")
    kept = {one["kind"]: one for one in failed["data"]["kept"]}
    mesabox("sprite", "destroy", kept["sprite"]["name"])
    mesabox("key", "revoke", kept["key"]["id"])
    resumed = mesabox.json("go", "--resume", failed["data"]["run_id"])
    assert resumed["exit_code"] == 0, resumed
    assert nothing_left(mesabox, failed["data"]["run_id"])


def test_a_command_that_failed_is_run_again_where_it_was(mesabox):
    script = "[ -e file ] && exit 0; echo x > file; exit 3"
    failed = mesabox.json("go", "--repo", "resume-failed", "--keep", "on-failure", "--", "sh", "-c", script)
    run_id = failed["data"]["run_id"]
    assert failed["exit_code"] == 3
    resumed = mesabox.json("go", "--resume", run_id)
    assert resumed["exit_code"] == 0 and nothing_left(mesabox, run_id)
    assert [file["path"] for file in resumed["data"]["changes"]["files"]] == ["file"]


def test_killed_at_any_moment_it_ends_with_the_work_saved(mesabox, engine_env):
    """The command is run once: each time it runs it adds a line. One whose run had no key on record yet cannot be
    known to have begun.
    """
    chance = random.Random(int(os.environ.get("MESABOX_RESUME_SEED", "20261123")))
    for number in range(ROUNDS):
        name = f"resume-killed-{number}"
        script = "echo ran >> file; i=0; while [ $i -lt 8 ]; do i=$((i+1)); echo $i; sleep 0.1; done"
        keep = chance.choice(["never", "always"])
        process = mesabox.start("go", "--repo", name, "--keep", keep, "--", "sh", "-c", script)
        moment = chance.uniform(0.2, 2.2)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        run = next((one for one in mesabox.json("runs", "list")["data"] if one["repo"] == name), None)
        if run is None or (run["state"] == "done" and keep == "never"):
            continue
        if run["state"] != "done":
            for _ in range(chance.choice([0, 0, 1])):
                again = mesabox.start("go", "--resume", run["run_id"])
                time.sleep(chance.uniform(0.2, 1.2))
                again.send_signal(signal.SIGKILL)
                again.communicate()
            resumed = mesabox.json("go", "--resume", run["run_id"])
            done = "has ended well" in str(resumed["error"])
            assert resumed["exit_code"] == 0 or done, (moment, resumed)
        assert mesabox("repo", "cat", name, "file").stdout == b"ran\n", (number, moment, keep)
        log = mesabox("runs", "logs", run["run_id"], "--stream", "stdout").stdout
        assert log == b"".join(b"%d\n" % n for n in range(1, 9)), (number, moment, keep)
        mesabox("down", run["run_id"])
        assert nothing_left(mesabox, run["run_id"]), (number, moment, keep)
    assert "nothing was left behind" in mesabox("gc").stderr.decode()
