"""A command too long for a URL arrives as it was, run by a real shell."""

import os
import subprocess
import sys

from mesabox.clients.sprites.loader import as_file, goes_as_file
from mesabox.wire.execution import ExecRequest

SHOW = "import os, sys; sys.stdout.buffer.write('\\0'.join([*sys.argv[1:], os.environ.get('PROMPT', '')]).encode())"
AWKWARD = (
    "",
    "a b",
    "it's",
    '"quoted"',
    "line\nbreak\n",
    "$HOME `id` $(id) \\ \\n",
    "-n",
    "*",
    "ü\u2028",
    "x" * 100_000,
)


def run(request):
    path, script, short = as_file(request)
    assert path.startswith("/tmp/.mesabox-") and short.argv == ("sh", path) and not goes_as_file(short)
    with open(path, "xb") as file:
        file.write(script)
    return subprocess.run(short.argv, input=b"its stdin", capture_output=True), path


def test_short_commands_go_in_the_url():
    assert not goes_as_file(ExecRequest(("echo", "x" * 5000)))
    assert goes_as_file(ExecRequest(("echo", "x" * 7000)))


def test_every_word_arrives_whole_and_the_file_is_gone(tmp_path):
    done, path = run(ExecRequest((sys.executable, "-c", SHOW, *AWKWARD), env={"PROMPT": "multi\nline '\" $x"}))
    assert done.stdout.decode().split("\0") == [*AWKWARD, "multi\nline '\" $x"]
    assert not os.path.exists(path)


def test_it_becomes_the_command_stdin_and_exit_code_included():
    done, _ = run(ExecRequest(("sh", "-c", "cat; exit 7", "x" * 7000)))
    assert (done.returncode, done.stdout) == (7, b"its stdin")


def test_a_missing_command_is_127():
    assert run(ExecRequest(("no-such-program", "x" * 7000)))[0].returncode == 127


def test_a_name_no_shell_exports_stays_in_the_query():
    _, script, short = as_file(ExecRequest(("x" * 7000,), env={"a-b": "1", "ok": "2"}))
    assert short.env == {"a-b": "1"} and b"export ok=2" in script
