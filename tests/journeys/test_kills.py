"""``go`` killed at any moment by any signal: afterwards ``gc`` leaves nothing of it."""

import os
import random
import signal
import time

import pytest

ROUNDS = int(os.environ.get("MESABOX_KILL_ROUNDS", "8"))
"""A few in every run; MESABOX_KILL_ROUNDS=50 by hand."""


def test_random_kills_leave_nothing_after_gc(mesabox, engine_env):
    chance = random.Random(20261123)
    for number in range(ROUNDS):
        what = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
        process = mesabox.start("go", "--repo", "killed", "--", "sh", "-c", f"echo {number} > file; sleep 1")
        time.sleep(chance.uniform(0.1, 1.6))
        process.send_signal(what)
        process.communicate(timeout=60)
        assert process.returncode in (0, -9, -what, 128 + what), (what, process.returncode)
    mesabox("gc")
    assert mesabox.value("sprite", "list", "--prefix", "mesabox-") == ""
    live = [key for key in mesabox.json("key", "list")["data"] if key.get("state", "live") == "live"]
    assert [key for key in live if key["name"] == "sandbox-session"] == []
    assert mesabox.json("engine", "status")["data"].get("mounts", []) == []
    assert "nothing was left behind" in mesabox("gc").stderr.decode()


def test_two_gcs_at_once_do_no_harm(mesabox, engine_env):
    process = mesabox.start("go", "--repo", "killed-twice", "--", "sh", "-c", "echo ready; sleep 60")
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.communicate()
    both = [mesabox.start("gc") for _ in range(2)]
    said = [one.communicate(timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert "nothing was left behind" in mesabox("gc").stderr.decode()


@pytest.mark.parametrize("moment", [0.0, 0.3])
def test_an_engine_that_is_killed_comes_back_with_every_closed_file(mesabox, moment):
    mesabox("sprite", "up", "durable")
    mesabox("repo", "create", "durable", "--if-not-exists")
    mesabox("mount", "durable", "--repo", "durable")
    script = "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo $i > file-$i; echo $i; done"
    process = mesabox.start("run", "durable", "--repo", "durable", "--", "sh", "-c", script)
    written = process.stdout.readline()
    time.sleep(moment)
    engine = mesabox.json("engine", "status")["data"]
    os.kill(engine["pid"], signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    last = int((written + rest).split()[-1])
    for number in {1, last // 2 or 1, last}:
        assert mesabox("repo", "cat", "durable", f"file-{number}").stdout.decode() == f"{number}\n"
    mesabox("down", "durable")
