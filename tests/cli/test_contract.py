"""The machine output of every command, on success, on failure, and when the words do not fit."""

import pytest

from mesabox.cli._topics import TOPICS
from mesabox.cli._vocabulary import places
from tests import schemas

ALWAYS = {"schema", "command", "status", "exit_code", "data", "error"}
RUNNERS = {"go", "run", "sh", "runs attach", "runs rerun"}

WORKING = [
    ("repo create", ["new"]),
    ("repo create", ["notes", "--if-not-exists"]),
    ("repo list", []),
    ("repo show", ["notes"]),
    ("repo log", ["notes", "--limit", "1"]),
    ("repo diff", ["notes"]),
    ("repo diff", ["notes", "main", HEAD := "k" * 32, "--stat"]),
    ("repo cat", ["notes", "README.md"]),
    ("repo delete", ["notes", "--yes"]),
    ("key mint", ["--repo", "notes"]),
    ("key list", []),
    ("key revoke", ["k1"]),
    ("sprite up", ["new"]),
    ("sprite list", []),
    ("sprite show", ["builder"]),
    ("sprite destroy", ["builder"]),
    ("sprite checkpoint create", ["builder", "--comment", "x"]),
    ("sprite checkpoint list", ["builder"]),
    ("sprite checkpoint restore", ["builder", "v1"]),
    ("engine status", []),
    ("auth status", []),
    ("auth logout", ["mesa"]),
    ("config show", ["--origin"]),
    ("config path", []),
    ("config init", []),
    ("completion", ["bash"]),
    ("help", ["exit-codes"]),
    ("version", []),
]

FAILING = [
    ("runs attach", ["gone"], 125, "run_not_found"),
    ("runs rerun", ["gone"], 125, "run_not_found"),
    ("runs logs", ["gone"], 3, "run_not_found"),
    ("runs logs", ["gone", "--stream", "both-of-them"], 2, "usage"),
    ("go", ["--resume", "gone"], 125, "run_not_found"),
    ("go", ["--apply"], 2, "usage"),
    ("go", ["--from", "/no/such/folder"], 2, "usage"),
    ("go", ["--dry-run"], 2, "usage"),
    ("repo show", ["gone"], 3, "not_found"),
    ("repo create", ["notes"], 5, "conflict"),
    ("repo create", ["a/b"], 2, "usage"),
    ("repo delete", ["notes"], 2, "usage"),
    ("repo log", ["notes", "--limit", "0"], 2, "usage"),
    ("key mint", ["--ttl", "1s"], 2, "usage"),
    ("key mint", ["--scope", "all"], 2, "usage"),
    ("sprite up", ["Not_A_Name"], 2, "usage"),
    ("sprite show", ["gone"], 3, "not_found"),
    ("sprite checkpoint restore", ["builder", "v9"], 3, "not_found"),
    ("auth login", ["mesa"], 2, "usage"),
    ("auth login", ["mesa", "--token", "x"], 2, "token_refused"),
    ("engine logs", [], 3, "not_found"),
    ("engine reset", [], 2, "usage"),
    ("help", ["no", "such"], 2, "usage"),
]


@pytest.mark.parametrize(("command", "words"), WORKING)
@pytest.mark.parametrize("before", [True, False])
def test_success_is_one_object(mesabox, command, words, before):
    line = ["--json", *command.split(), *words] if before else [*command.split(), *words, "--json"]
    answer = mesabox(*line)
    assert (answer.code, answer.err) == (0, "")
    found = answer.envelope
    assert set(found) == ALWAYS
    assert (found["schema"], found["command"], found["status"], found["exit_code"]) == (1, command, "ok", 0)
    assert found["error"] is None and found["data"] is not None


@pytest.mark.parametrize(("command", "words", "code", "kind"), FAILING)
def test_failure_is_one_object(mesabox, command, words, code, kind):
    answer = mesabox(*command.split(), *words, "--json")
    assert (answer.code, answer.err) == (code, "")
    found = answer.envelope
    assert (found["status"], found["exit_code"]) == ("error", code)
    assert set(found["error"]) == {"code", "title", "detail", "fix", "retryable"}
    assert found["error"]["code"] == kind


@pytest.mark.parametrize("path", [place.path for place in places()])
def test_words_that_do_not_fit_are_one_object_too(mesabox, path):
    command = path.strip("/").replace("/", " ")
    answer = mesabox(*command.split(), "--no-such-flag", "--json")
    found = answer.envelope
    assert (answer.code, found["exit_code"], found["error"]["code"]) == (2, 2, "usage")
    assert found["command"] == command and found["error"]["fix"].endswith("--help")


@pytest.mark.parametrize("path", [place.path for place in places()])
def test_every_help_ends_with_real_examples(mesabox, path):
    words = path.strip("/").split("/") if path else []
    answer = mesabox(*words, "-h")
    assert (answer.code, answer.err) == (0, "")
    examples = answer.out.partition("Examples:\n")[2].splitlines()
    assert 2 <= len(examples) <= 4 and all("mesabox" in example for example in examples)
    assert mesabox(*words, "--help").out == answer.out == mesabox("help", *words).out or words in (
        ["engine"],
        ["config"],
    )


@pytest.mark.parametrize("topic", list(TOPICS))
def test_so_does_every_topic(mesabox, topic):
    examples = mesabox("help", topic).out.partition("Examples:\n")[2].splitlines()
    assert 2 <= len(examples) <= 4 and all("mesabox " in example for example in examples)
    assert mesabox("help", topic, "--json").envelope["data"]["help"] == mesabox("help", topic).out


@pytest.mark.parametrize(("command", "words"), [case for case in WORKING if case[0] not in ("help", "completion")])
def test_quiet_is_values_without_talk(mesabox, command, words):
    answer = mesabox(*command.split(), *words, "-q")
    assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize("command", sorted(RUNNERS))
def test_what_runs_a_command_says_who_failed(mesabox, command):
    name = "gone" if command != "go" else "--sprite=gone"
    answer = mesabox(*command.split(), name, "--json", "--no-such-flag")
    assert answer.code == 2 and answer.envelope["failed_by"] is None


def test_every_command_has_a_schema():
    commands = {place.path.strip("/").replace("/", " ") for place in places()}
    assert {command for command in commands if not any(one.startswith(f"{command} ") for one in commands)} <= set(
        schemas.COMMANDS
    )


@pytest.mark.parametrize("command", ["go", "run", "runs rerun"])
def test_words_that_do_not_fit_are_events_too(mesabox, command):
    found = schemas.events(mesabox(*command.split(), "--no-such-flag", "--ndjson").out)
    assert [event["type"] for event in found] == ["start", "end"]
    assert (found[0]["command"], found[1]["exit_code"], found[1]["error"]["code"]) == (command, 2, "usage")
    assert mesabox(*command.split(), "x", "--", "--ndjson", "--no-such-flag").out == ""


@pytest.mark.parametrize("command", ["go", "run", "runs rerun"])
def test_one_object_or_one_a_line(mesabox, command):
    answer = mesabox(*command.split(), "--json", "--ndjson", "x", "--", "true")
    assert answer.code == 2 and answer.envelope["error"]["code"] == "usage"


def test_a_file_for_events_that_cannot_be_made_is_told_on_stdout(mesabox):
    answer = mesabox("go", "--ndjson", "--events", "/no/such/folder/file", "--", "true")
    found = schemas.events(answer.out)
    assert (answer.code, found[-1]["error"]["code"]) == (125, "os_error")


def test_a_file_that_takes_no_events_is_a_warning_and_no_more(mesabox):
    answer = mesabox("go", "--events", "/dev/full", "--engine", "local", "--", "true")
    assert "warning: /dev/full lacks events" in answer.err
