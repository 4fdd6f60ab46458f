"""Commands whose connections break: nothing is missing or comes twice, and nothing unknown is called a success."""

import os
import signal
import subprocess
import time

import pytest

ROUNDS = int(os.environ.get("MESABOX_CUT_ROUNDS", "4"))
"""A few in every run; MESABOX_CUT_ROUNDS=200 by hand."""

TAIL = "of the lot, and its end...................."
PIECES = {
    "small": f"i=0; while [ $i -lt 20000 ]; do i=$((i+1)); printf 'line %06d {TAIL}\\n' $i; done",
    "large": f"seq -f 'line %06g {TAIL}' 20000",
}
WANTED = b"".join(b"line %06d %b\n" % (number, TAIL.encode()) for number in range(1, 20001))


@pytest.fixture
def faults(mesabox):
    """What goes wrong in the engine, until the end of the test."""

    def on(*names, seed=20261123):
        words = [word for name in names for word in ("--fault", name)]
        mesabox("engine", "start", *words, "--fault-seed", str(seed))

    yield on
    mesabox("engine", "start", "--fault", "none")


def fired(mesabox):
    return sum(one["fired"] for one in mesabox.json("engine", "status")["data"]["faults"]["on"])


@pytest.mark.parametrize("pieces", list(PIECES))
def test_cut_at_any_byte_a_megabyte_comes_whole(mesabox, faults, pieces):
    assert len(WANTED) > 1_000_000
    faults("cut=1:0-256K")
    for number in range(ROUNDS):
        script = f"{PIECES[pieces]}; printf done >&2; exit 3"
        done = mesabox("go", "-q", "--repo", "lost-cut", "--", "sh", "-c", script, ok=False)
        assert (done.returncode, done.stderr) == (3, b"done"), (number, done.returncode, done.stderr[-2000:])
        assert done.stdout == WANTED, (number, len(done.stdout))
        run_id = mesabox.value("runs", "list", "--limit", "1")
        assert mesabox("runs", "logs", run_id, "--stream", "stdout").stdout == WANTED
    assert fired(mesabox) > ROUNDS * 3


@pytest.mark.parametrize("rate", ["1", "0.5"])
@pytest.mark.parametrize("code", [0, 3])
def test_an_end_that_is_not_told_is_never_a_success_of_another_making(mesabox, faults, rate, code):
    """``go`` asks the sprite itself, however often it takes; plain ``run`` cannot, and says so."""
    mesabox("sprite", "up", "lost-exit")
    faults(f"no-exit={rate}")
    script = f"echo out; exit {code}"
    for _ in range(max(2, ROUNDS // 2)):
        gone = mesabox("go", "-q", "--repo", "lost-exit", "--", "sh", "-c", script, ok=False)
        assert (gone.returncode, gone.stdout) == (code, b"out\n"), gone.stderr
        plain = mesabox.json("run", "lost-exit", "--", "sh", "-c", script)
        assert plain["exit_code"] in ({125} if rate == "1" else {125, code}), plain
        assert plain["exit_code"] != 125 or (plain["error"]["code"], plain["failed_by"]) == (
            "outcome_unknown",
            "service",
        )
    assert fired(mesabox) >= ROUNDS
    mesabox("engine", "start", "--fault", "none")
    mesabox("down", "lost-exit")


def test_a_client_that_is_killed_leaves_its_limit_behind(mesabox):
    """Inside the sprite, without ``gc``: nobody is left who could end the command."""
    script = "trap : TERM; echo $$ > /tmp/pid; echo ready; while :; do sleep 0.1; done"
    process = mesabox.start("go", "--repo", "lost-limit", "--timeout", "8", "--", "sh", "-c", script)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (sprite,) = [one["name"] for one in mesabox.json("sprite", "list")["data"] if one["name"].startswith("mesabox-")]
    look = 'kill -0 "$(cat /tmp/pid)" 2>/dev/null || sudo -n kill -0 "$(cat /tmp/pid)" 2>/dev/null && echo alive'
    assert mesabox("run", sprite, "--", "sh", "-c", look, ok=False).stdout == b"alive\n"
    deadline = time.monotonic() + 60
    while mesabox("run", sprite, "--", "sh", "-c", look, ok=False).stdout == b"alive\n":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    ended = mesabox("run", sprite, "--", "sh", "-c", 'cat "$HOME"/.local/state/mesabox/jobs/*/end').stdout.split()
    assert ended[-1] == b"timeout"
    run_id = sprite.removeprefix("mesabox-")
    attached = mesabox("runs", "attach", run_id, ok=False)
    assert (attached.returncode, attached.stdout) == (124, b"ready\n"), attached.stderr
    assert mesabox.value("sprite", "list", "--prefix", "mesabox-") == ""


def test_a_pipe_goes_through_every_cut(mesabox, faults):
    faults("cut=1:0-256K")
    words = ["go", "-q", "--repo", "lost-pipe", "--", "sh", "-c", "cat; echo end"]
    for _ in range(max(1, ROUNDS // 4)):
        done = mesabox(*words, stdin=WANTED)
        assert done.stdout == WANTED + b"end\n"
    assert fired(mesabox) > 3


def test_the_limit_of_a_detached_run_without_its_process(mesabox):
    mesabox("sprite", "up", "lost-detached")
    run_id = mesabox.value("run", "lost-detached", "-d", "--timeout", "6", "--", "sh", "-c", "echo begun; sleep 60")
    logs = mesabox.start("runs", "logs", run_id, "--follow")
    assert logs.stdout.readline() == b"begun\n"
    pid = next(event["pid"] for event in mesabox.json("runs", "show", run_id)["data"]["events"] if "pid" in event)
    os.kill(pid, signal.SIGKILL)
    assert subprocess.Popen.wait(logs, 20) == 0
    logs.communicate()
    found = mesabox.json("runs", "attach", run_id)
    assert (found["exit_code"], found["failed_by"], found["data"]["stdout"]) == (124, "timeout", "begun\n")
    mesabox("down", "lost-detached")
