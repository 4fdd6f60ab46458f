"""Runs that go on by themselves: attached to while they print, after they ended, from two sides, and taken over."""

import os
import signal
import subprocess
import sys

import pytest

from tests.journeys.screen import CTRL_C, Screen

SECONDS = int(os.environ.get("MESABOX_DETACH_SECONDS", "3"))
"""How long a command prints; MESABOX_DETACH_SECONDS=30 by hand."""
LINES = SECONDS * 10
WANTED = b"".join(b"line %d\n" % number for number in range(1, LINES + 1))
SCRIPT = f"""
i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; sleep 0.09; done
sleep ${{1:-0}}
cat /proc/sys/kernel/random/uuid > made; echo e >&2; exit 3
"""


def supervisor(mesabox, run_id):
    events = mesabox.json("runs", "show", run_id)["data"]["events"]
    return next(event["pid"] for event in reversed(events) if "pid" in event)


def lines_of(process, count):
    return b"".join(process.stdout.readline() for _ in range(count))


def finished(mesabox, run_id):
    """Everything is taken down, and the work is there."""
    told = mesabox.json("runs", "show", run_id)["data"]
    assert (told["state"], told["exit_code"], told["left"]) == ("failed", 3, [])
    assert [file["path"] for file in told["files"]] == ["made"]
    assert mesabox.value("sprite", "list", "--prefix", f"mesabox-{run_id}") == ""
    assert [key for key in mesabox.json("key", "list")["data"] if key["state"] == "live"] == []


def test_pieces_of_those_who_come_and_go_make_the_whole(mesabox):
    """Left three times while it prints, then followed to its end from two sides, then shown once more."""
    run_id = mesabox.value("go", "--detach", "--repo", "detach", "--", "sh", "-c", SCRIPT)
    pieces, place = b"", [run_id]
    for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        attached = mesabox.start("runs", "attach", *place)
        pieces += lines_of(attached, LINES // 6)
        attached.send_signal(number)
        out, err = attached.communicate(timeout=60)
        assert attached.returncode == (0 if number == signal.SIGQUIT else 128 + number), err
        pieces, place = pieces + out, err.decode().split("mesabox runs attach ")[-1].split()
        assert place[:2] == [run_id, "--after"]
    both = [mesabox.start("runs", "attach", *place) for _ in range(2)]
    rest = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [3, 3] and rest[0] == rest[1]
    assert rest[0][1] == b"e\n" and pieces + rest[0][0] == WANTED
    whole = mesabox("runs", "attach", run_id, ok=False)
    assert (whole.returncode, whole.stdout, whole.stderr) == (3, WANTED, b"e\n")
    assert mesabox("runs", "logs", run_id, "--follow").stdout == WANTED
    told = mesabox.json("runs", "attach", run_id, "--after", place[2])["data"]
    assert pieces + told["stdout"].encode() == WANTED and told["state"] == "failed"
    finished(mesabox, run_id)


def test_on_a_terminal_ctrl_backslash_leaves_it_and_ctrl_c_goes_to_it(mesabox):
    script = "trap 'echo caught; exit 5' INT; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"
    run_id = mesabox.value("go", "--detach", "--repo", "detach-keys", "--", "sh", "-c", script)
    with Screen(mesabox, "runs", "attach", run_id) as screen:
        screen.until(b"tick 3").type(b"\x1c")
        assert screen.ended() == 0 and screen.as_before
        assert b"left it running. Go on watching: mesabox runs attach" in screen.shown
    assert mesabox.json("runs", "show", run_id)["data"]["state"] == "running"
    with Screen(mesabox, "runs", "attach", run_id) as screen:
        screen.until(b"tick 3").type(CTRL_C)
        assert screen.ended() == 130 and screen.as_before and b"caught" in screen.shown


def test_ctrl_c_goes_to_the_run(mesabox):
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    run_id = mesabox.value("go", "--detach", "--repo", "detach-int", "--", "sh", "-c", script)
    attached = mesabox.start("runs", "attach", run_id)
    assert attached.stdout.readline() == b"ready\n"
    attached.send_signal(signal.SIGINT)
    out, err = attached.communicate(timeout=60)
    assert (attached.returncode, out) == (130, b"caught\n"), err
    assert mesabox.json("runs", "show", run_id)["data"]["failed_by"] == "signal"
    assert mesabox.value("sprite", "list", "--prefix", f"mesabox-{run_id}") == ""


@pytest.mark.parametrize("attachers", [1, 2])
def test_a_run_whose_process_was_killed_is_taken_over(mesabox, attachers):
    run_id = mesabox.value("go", "--detach", "--repo", "detach-killed", "--", "sh", "-c", SCRIPT, "sh", "3")
    watching = mesabox.start("runs", "attach", run_id)
    lines_of(watching, 3)
    os.kill(supervisor(mesabox, run_id), signal.SIGKILL)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 125 and b"is not known" in err
    attached = [mesabox.start("runs", "attach", run_id) for _ in range(attachers)]
    for one in attached:
        out, err = one.communicate(timeout=120)
        assert (one.returncode, out) == (3, WANTED), err
    events = mesabox.json("runs", "show", run_id)["data"]["events"]
    types = [event["type"] for event in events]
    assert (types.count("command"), types.count("resumed"), types.count("end")) == (1, 1, 1)
    finished(mesabox, run_id)


def test_one_that_was_killed_once_it_had_been_left_again(mesabox):
    run_id = mesabox.value("go", "--detach", "--repo", "detach-again", "--", "sh", "-c", SCRIPT, "sh", "6")
    watching = mesabox.start("runs", "attach", run_id)
    lines_of(watching, 2)
    for _ in range(2):
        os.kill(supervisor(mesabox, run_id), signal.SIGKILL)
        watching.communicate(timeout=60)
        watching = mesabox.start("runs", "attach", run_id)
        lines_of(watching, 4)
    watching.send_signal(signal.SIGQUIT)
    watching.communicate(timeout=60)
    assert watching.returncode == 0
    whole = mesabox("runs", "attach", run_id, ok=False)
    assert (whole.returncode, whole.stdout) == (3, WANTED)
    finished(mesabox, run_id)


def test_whoever_reads_the_id_does_not_wait_for_the_run(mesabox):
    """``id=$(mesabox go -d ...)`` in a shell; its stdin, when nobody pipes anything, is not the run's."""
    script = f"id=$({sys.executable} -m mesabox go -d -q --repo detach-id -- sh -c 'cat; sleep 300'); echo $id"
    done = subprocess.run(
        ["sh", "-c", script], cwd=mesabox.cwd, env=mesabox.environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    run_id = done.stdout.decode().strip()
    assert mesabox.json("runs", "show", run_id)["data"]["state"] == "running"
    os.kill(supervisor(mesabox, run_id), signal.SIGTERM)
    assert mesabox("runs", "attach", run_id, ok=False).returncode == 143
    assert mesabox.value("sprite", "list", "--prefix", f"mesabox-{run_id}") == ""


def test_what_was_piped_in_comes_with_it_and_its_end_too(mesabox):
    run_id = mesabox.value("go", "-d", "--repo", "detach-pipe", "--", "sh", "-c", "cat; echo end", stdin=WANTED)
    assert mesabox("runs", "attach", run_id).stdout == WANTED + b"end\n"


def test_an_input_whose_giver_was_killed_is_at_its_end(mesabox):
    words = ("go", "--repo", "detach-input", "--", "sh", "-c", "cat; echo end; exit 4")
    process = mesabox.start(*words, stdin=subprocess.PIPE)
    process.stdin.write(b"first\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"first\n"
    run_id = mesabox.value("runs", "list", "--limit", "1")
    process.kill()
    process.communicate()
    attached = mesabox("runs", "attach", run_id, ok=False)
    assert (attached.returncode, attached.stdout) == (4, b"first\nend\n"), attached.stderr
