"""``go`` from nothing to the work saved, and every way out of it."""

import json
import signal
import time

import pytest


@pytest.fixture
def repo(request):
    return "go-" + request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")[:60]


def nothing_is_left(mesabox):
    assert mesabox.value("sprite", "list") == ""
    live = [key for key in mesabox.json("key", "list")["data"] if key.get("state", "live") == "live"]
    assert live == []


def test_the_work_is_saved_and_everything_is_taken_down(mesabox, repo):
    done = mesabox(
        "go", "--repo", repo, "--", "sh", "-c", "echo hello > made.txt; mkdir -p a/b; echo x > a/b/c; echo out"
    )
    assert done.stdout == b"out\n"
    told = done.stderr.decode()
    assert "A made.txt" in told and "A a/b/c" in told and "change " in told
    assert mesabox("repo", "cat", repo, "made.txt").stdout == b"hello\n"
    assert mesabox("repo", "cat", repo, "a/b/c").stdout == b"x\n"
    nothing_is_left(mesabox)


def test_a_second_run_goes_on_where_the_first_ended(mesabox, repo):
    mesabox("go", "--repo", repo, "--", "sh", "-c", "echo one > kept; echo one > lost; echo one > edited")
    second = mesabox.json(
        "go", "--repo", repo, "--", "sh", "-c", "cat kept; rm lost; echo two > edited; echo new > new"
    )
    assert second["status"] == "ok" and second["data"]["stdout"] == "one\n"
    files = {file["path"]: file["status"] for file in second["data"]["changes"]["files"]}
    assert files == {"lost": "deleted", "edited": "modified", "new": "added"}
    assert (second["data"]["changes"]["additions"], second["data"]["changes"]["deletions"]) == (2, 2)


def test_nothing_changed_is_said(mesabox, repo):
    mesabox("go", "--repo", repo, "--", "sh", "-c", "echo one > kept")
    done = mesabox("go", "--repo", repo, "--", "cat", "kept")
    assert done.stdout == b"one\n" and b"nothing changed" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "failed_by"),
    [
        (("sh", "-c", "exit 7"), 7, "command"),
        (("no-such-program",), 127, "command"),
        (("/etc",), 126, "command"),
        (("sh", "-c", "kill -TERM $$"), 143, "signal"),
        (("sh", "-c", "kill -KILL $$"), 137, "signal"),
        (("true",), 0, None),
    ],
)
def test_exit_codes_are_the_commands_own(mesabox, words, code, failed_by):
    done = mesabox("go", "--repo", "go-exit-codes", "--json", "--", *words, ok=False)
    told = json.loads(done.stdout)
    assert done.returncode == code
    assert (told["exit_code"], told.get("failed_by") or told["data"].get("failed_by")) == (code, failed_by)


def test_a_time_limit_is_124(mesabox, repo):
    done = mesabox("go", "--repo", repo, "--timeout", "1s", "--", "sh", "-c", "echo a > before; sleep 60", ok=False)
    assert done.returncode == 124
    assert mesabox("repo", "cat", repo, "before").stdout == b"a\n"
    nothing_is_left(mesabox)


def test_output_is_byte_for_byte_and_streams_stay_apart(mesabox, repo):
    script = "head -c 300000 /dev/zero | tr '\\0' '\\377'; printf 'err\\0' >&2"
    done = mesabox("go", "--repo", repo, "-q", "--", "sh", "-c", script)
    assert done.stdout == b"\xff" * 300_000
    assert done.stderr == b"err\0"


def test_stdin_reaches_the_command(mesabox, repo):
    data = bytes(range(256)) * 2000
    assert mesabox("go", "--repo", repo, "-q", "--", "cat", stdin=data).stdout == data


def test_environment_and_workdir(mesabox, repo):
    mesabox("go", "--repo", repo, "--", "mkdir", "sub")
    words = ("sh", "-c", "mkdir -p sub; echo $A-$B; pwd")
    done = mesabox("go", "--repo", repo, "-q", "-e", "A=a b", "-e", "B", "--", *words, env={"B": "here"})
    first, second = done.stdout.decode().splitlines()
    assert first == "a b-here" and second.endswith(f"/my-org/{repo}")


def test_keep_keeps_the_sprite_but_not_the_key(mesabox, repo):
    told = mesabox.json("go", "--repo", repo, "--keep", "on-failure", "--", "sh", "-c", "exit 3")
    sprite = told["data"]["sprite"]
    assert told["exit_code"] == 3 and [one["name"] for one in told["data"]["kept"]] == [sprite]
    assert mesabox.value("sprite", "list") == sprite
    assert mesabox("gc").stdout == b""
    mesabox("down", told["data"]["run_id"])
    nothing_is_left(mesabox)


def test_a_bookmark_gives_a_run_its_own_line(mesabox, repo):
    mesabox("go", "--repo", repo, "--", "sh", "-c", "echo main > file")
    mesabox("go", "--repo", repo, "--bookmark", "try", "--", "sh", "-c", "echo try > file")
    assert mesabox("repo", "cat", repo, "file").stdout == b"main\n"
    assert mesabox("repo", "cat", repo, "file", "--at", "try").stdout == b"try\n"


def test_a_lasting_sprite_is_left_alone(mesabox, repo):
    sprite = mesabox.value("sprite", "up", "lasting")
    mesabox("go", "--repo", repo, "--sprite", sprite, "--", "sh", "-c", "echo x > ~/marker; echo y > file")
    assert mesabox("run", sprite, "--", "sh", "-c", "cat ~/marker").stdout == b"x\n"
    assert mesabox("run", sprite, "--repo", repo, "--", "ls", ok=False).returncode == 125
    mesabox("down", sprite)
    nothing_is_left(mesabox)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_the_work_and_takes_all_down(mesabox, number):
    repo = f"go-signal-{number.name.lower()}"
    process = mesabox.start("go", "--repo", repo, "--", "sh", "-c", "echo saved > file; echo ready; sleep 60")
    assert process.stdout.readline() == b"ready\n"
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number and time.monotonic() - began < 20
    assert mesabox("repo", "cat", repo, "file").stdout == b"saved\n"
    nothing_is_left(mesabox)


def test_gc_removes_what_a_kill_left(mesabox, repo):
    process = mesabox.start("go", "--repo", repo, "--", "sh", "-c", "echo ready; sleep 60")
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.communicate()
    removed = mesabox("gc").stdout.decode()
    assert "sprite" in removed and "key" in removed
    nothing_is_left(mesabox)
    assert b"nothing was left behind" in mesabox("gc").stderr


def test_without_a_command_and_a_terminal_it_is_a_usage_error(mesabox):
    done = mesabox("go", ok=False)
    assert done.returncode == 2 and b"--" in done.stderr
