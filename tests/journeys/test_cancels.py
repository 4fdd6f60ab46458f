"""Cancelled as CI cancels, and by closing the terminal: the work is saved, and nothing stays behind."""

import os
import random
import signal
import subprocess
import time

import pytest

from tests.conftest import Terminal, environment_of
from tests.journeys.remains import holding, remains, settled, until_as
from tests.journeys.screen import Screen

ROUNDS = int(os.environ.get("MESABOX_HANGUP_ROUNDS", "4"))
"""A few in every run; MESABOX_HANGUP_ROUNDS=20 by hand."""
NOTHING = {"sprites": [], "keys": [], "mounts": []}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """An engine that nobody else uses, and its processes at rest."""
    home = tmp_path_factory.mktemp("cancels")
    mesabox = Terminal(home, environment_of(home))
    mesabox("go", "-q", "--repo", "first", "--", "true")
    yield mesabox, settled(mesabox)
    mesabox("engine", "stop")
    mesabox("engine", "reset", "--yes")


def cancelled_as_github_does(process):
    """INT, TERM after 7.5 s, and 2.5 s later the KILL, before which this returns; whether it had ended by then."""
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
        process.send_signal(number)
        try:
            process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            continue
    return False


@pytest.mark.parametrize("script", ["exec sleep 600", "trap '' INT TERM; while :; do sleep 1; done", "yes"])
def test_a_job_that_is_cancelled(alone, tmp_path, script):
    mesabox, rest = alone
    environment = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "output")}
    job = Terminal(mesabox.cwd, {**mesabox.environment, **environment})
    script = f"echo {tmp_path.name} > file; echo ready; {script}"
    with open(tmp_path / "log", "wb") as log:
        process = job.start(
            "go", "--repo", "cancelled", "--timeout", "10m", "--", "sh", "-c", script, stdout=log, stderr=log
        )
        while b"ready" not in (tmp_path / "log").read_bytes():
            assert process.poll() is None
            time.sleep(0.02)
        ended = cancelled_as_github_does(process)
        found = remains(mesabox), mesabox("repo", "cat", "cancelled", "file").stdout.decode().strip()
        process.kill()
        process.wait()
    assert (ended, process.returncode) == (True, 130)
    assert found == (NOTHING, tmp_path.name)
    assert "exit_code" in (tmp_path / "output").read_text()
    assert until_as(mesabox, rest) == rest and b"nothing was left behind" in mesabox("gc").stderr


def test_terminals_that_are_closed(alone):
    """At any moment; while the command runs its output has nowhere to go, and no key will ever come."""
    mesabox, rest = alone
    chance = random.Random(20261125)
    for number in range(ROUNDS):
        mark = f"sleep 54{number:02}.5"
        script = f"echo {number} > file; {chance.choice(['', 'trap : HUP; (trap : HUP; exec setsid sleep 5499.5) & '])}"
        with Screen(mesabox, "go", "--repo", "closed", "--", "sh", "-c", f"{script} echo ready; {mark}") as screen:
            if number % 2:
                screen.until(b"\nready")
            else:
                time.sleep(chance.uniform(0.1, 1.5))
            screen.hang_up()
            assert screen.process.wait(60) in (129, -signal.SIGHUP)
    mesabox("gc")
    assert remains(mesabox) == NOTHING and until_as(mesabox, rest) == rest
    assert holding("sleep 54") == []
    assert b"nothing was left behind" in mesabox("gc").stderr
