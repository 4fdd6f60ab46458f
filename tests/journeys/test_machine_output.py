"""What a machine reads: events as they happen, GitHub's log, and a script that has nothing but JSON and exit codes."""

import base64
import json
import shlex
import stat
import subprocess
import sys

import pytest

from tests import schemas
from tests.ui.runner import Runner, outputs

SCRIPT = "printf 'h\\303\\251\\n'; printf '\\377' >&2; echo x > machine; exit 3"


def output_of(events, stream):
    told = [event for event in events if event["type"] == "output" and event["stream"] == stream]
    return b"".join(
        base64.b64decode(event["data"]) if "data_encoding" in event else event["data"].encode() for event in told
    )


def test_events_of_a_run_from_nothing_to_teardown(mesabox, tmp_path):
    done = mesabox("go", "--ndjson", "--repo", "machine-events", "--", "sh", "-c", SCRIPT, ok=False)
    assert (done.returncode, done.stderr) == (3, b"")
    found = schemas.events(done.stdout.decode())
    assert (output_of(found, "stdout"), output_of(found, "stderr")) == ("hé\n".encode(), b"\xff")
    phases = {event["name"] for event in found if event["type"] == "phase" and event["state"] == "done"}
    assert phases == {"repo", "key", "sprite", "mesa", "mount", "run", "collect", "teardown"}
    end = found[-1]
    assert (end["exit_code"], end["failed_by"], end["data"]["run_id"]) == (3, "command", end["run_id"])
    assert mesabox.json("runs", "show", end["run_id"])["data"]["exit_code"] == 3


def test_the_same_in_a_file_beside_the_human_view(mesabox):
    done = mesabox("go", "--events", "events", "--repo", "machine-file", "--", "sh", "-c", SCRIPT, ok=False)
    assert done.stdout == "hé\n".encode() and b"teardown done" in done.stderr
    file = mesabox.cwd / "events"
    found = schemas.events(file.read_text())
    assert output_of(found, "stderr") == b"\xff" and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_failures_end_with_an_end_too(mesabox):
    for words, code in ((("run", "gone", "--ndjson", "--", "true"), 125), (("--engine", "cloud", "go", "--ndjson"), 2)):
        done = mesabox(*words, ok=False)
        end = schemas.events(done.stdout.decode())[-1]
        assert (done.returncode, end["exit_code"]) == (code, code) and end["error"]["title"]


def test_a_reader_that_leaves_early_leaves_nothing_behind(mesabox):
    process = mesabox.start("go", "--ndjson", "--events", "events", "--repo", "machine-pipe", "--", "yes")
    for _ in range(5):
        process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    process.stderr.close()
    assert schemas.events((mesabox.cwd / "events").read_text())[-1]["exit_code"] == 141
    assert mesabox.value("sprite", "list", "-q") == ""


def test_when_nobody_listens_to_the_talk_the_work_goes_on(mesabox):
    process = mesabox.start("go", "--repo", "machine-deaf", "--", "sh", "-c", "echo x > file; sleep 0.5")
    process.stderr.close()
    process.stdout.close()
    process.wait(60)
    assert mesabox("repo", "cat", "machine-deaf", "file").stdout == b"x\n"
    assert mesabox.value("sprite", "list", "-q") == ""


@pytest.fixture
def github(tmp_path):
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "github-output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "github-summary"),
    }


FORGED = (
    "::add-mask::forged\\n##[add-mask]forged\\n::error::forged\\n::set-output name=exit_code::0\\n\\r::error::forged\\r"
    "::stop-commands::forged\\n  ::warning::forged\\n::forged::\\n:#[error]forged\\n::add-mask::last"
)


def test_githubs_log(mesabox, github, tmp_path):
    split = "printf ':'; sleep 0.1; printf ':error::for'; sleep 0.1; printf 'ged'"
    script = f"printf '{FORGED}\\n'; {split}; ( {split}; printf '\\n{FORGED}' ) >&2; echo x > '::error::forged'; exit 3"
    done = mesabox("go", "--repo", "machine-github", "--", "sh", "-c", script, env=github, ok=False)
    for text in (done.stdout.decode(), done.stderr.decode()):
        runner = Runner().read(text)
        assert not runner.stopped and "forged" not in str(runner.commands) and "last" not in str(runner.commands)
    groups = {data.partition(" ")[0] for _, data in runner.named("group")}
    assert groups == {"repo", "key", "sprite", "mesa", "mount", "run", "collect", "teardown"}
    assert len(runner.named("group")) == len(runner.named("endgroup"))
    assert len(runner.masks) == 1 and runner.masks[0].startswith("mesa_") and runner.named("error")
    told = outputs((tmp_path / "github-output").read_text())
    assert told["exit_code"] == "3" and len(told["change_id"]) == 32
    assert mesabox.json("runs", "show", told["run_id"])["data"]["change_id"] == told["change_id"]
    assert told["run_id"] in (tmp_path / "github-summary").read_text()


def test_one_pipe_for_both_streams_is_fenced_as_well(mesabox, github):
    words = [sys.executable, "-m", "mesabox", "go", "--repo", "machine-both", "--", "sh", "-c", f"printf '{FORGED}'"]
    done = subprocess.run(
        words,
        cwd=mesabox.cwd,
        env={**mesabox.environment, **github},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    runner = Runner().read(done.stdout.decode())
    assert "forged" not in str(runner.commands) and not runner.stopped and len(runner.named("group")) == 8


def test_what_is_shown_of_a_run_later_is_fenced_as_well(mesabox, github):
    mesabox("go", "--repo", "machine-later", "--", "sh", "-c", f"printf '{FORGED}' | tee file")
    for words in (
        ("runs", "logs", "last"),
        ("runs", "diff", "last"),
        ("repo", "cat", "machine-later", "file"),
        ("repo", "diff", "machine-later"),
    ):
        shown = mesabox(*words, env=github).stdout.decode()
        runner = Runner().read(shown)
        assert "forged" in shown and runner.commands == [] and not runner.stopped


def test_in_a_substitution_stdout_is_the_commands_alone(mesabox, github):
    mesabox("sprite", "up", "machine")
    script = f'x=$({sys.executable} -m mesabox run machine -- echo ::add-mask::x); echo "[$x]"'
    environment = {**mesabox.environment, **github}
    done = subprocess.run(["sh", "-c", script], cwd=mesabox.cwd, env=environment, capture_output=True)
    mesabox("down", "machine")
    assert done.stdout == b"[::add-mask::x]\n"
    assert not Runner().read(done.stderr.decode()).stopped


EVERY_STEP = (
    "engine start|engine status|engine env|engine logs|doctor|repo create every|repo list|repo show every|"
    "sprite up every|sprite list|sprite show every|mount every --repo every|"
    "run every --repo every -- sh -c 'echo x > file'|run every -- printf '\\377'|sh every --no-tty|unmount every|"
    "repo log every|repo diff every|repo diff every --stat|repo cat every file|key mint --repo every|key list --all|"
    "sprite checkpoint create every --comment c|sprite checkpoint list every|go --dry-run --repo every -- touch other|"
    "run every --detach -- sh -c 'echo x'|runs attach last|go --detach --repo every -- touch other|runs attach last|"
    "runs rerun last|go --repo every --sprite every -- touch other|"
    "runs list|runs show last|runs logs last|runs diff last|runs diff last --stat|runs apply last --dry-run|"
    "runs apply last|runs export last -o run.tgz|config show|config path|down every|gc|repo delete every --yes"
)


@pytest.mark.parametrize("failing", [False, True])
def test_every_command_keeps_its_schema(mesabox, failing):
    """Each once where it works, and once where everything is gone. ``mesabox.json`` holds it against the schema."""
    for line in EVERY_STEP.split("|"):
        words = [word.replace("every", "never") if failing else word for word in shlex.split(line)]
        if not failing or not {"create", "up"} & {*words}:
            told = mesabox.json(*words)
            assert failing or told["status"] == "ok", told


WHOLE_FLOW = """
set -eu
field() { "$PYTHON" -c 'import json, sys; print(eval("json.load(sys.stdin)" + sys.argv[1]))' "$1"; }
mesabox() { "$PYTHON" -m mesabox --json "$@" 0<&-; }
mesabox repo create script --if-not-exists > /dev/null
mesabox sprite up script > /dev/null
mesabox mount script --repo script > /dev/null
mesabox run script --repo script -- sh -c 'echo made > file' > /dev/null
mesabox unmount script > /dev/null
mesabox repo cat script file | field '["data"]["content"]'
mesabox run script -- sh -c 'exit 5' > run.json || code=$?
echo "$code" "$(field '["failed_by"]' < run.json)"
mesabox repo delete script > refused.json || code=$?
echo "$code" "$(field '["error"]["code"]' < refused.json)"
mesabox repo delete script --yes > /dev/null
mesabox down script > /dev/null
mesabox sprite list | field '["data"]'
"""


def test_a_script_does_the_whole_flow_with_json_exit_codes_and_no_stdin(mesabox):
    environment = {**mesabox.environment, "PYTHON": sys.executable}
    done = subprocess.run(["sh", "-c", WHOLE_FLOW], cwd=mesabox.cwd, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split("\n") == ["made", "", "5 command", "2 usage", "[]", ""]
    assert json.loads((mesabox.cwd / "run.json").read_text())["exit_code"] == 5
