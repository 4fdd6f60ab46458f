"""The real command where little is as usual: streams that are closed or full, no home, words that are no UTF-8."""

import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mesabox.cli._vocabulary import places
from tests import schemas

MESABOX = f"{shlex.quote(sys.executable)} -m mesabox"
PATHS = {place.path for place in places()}
LEAVES = sorted(
    path.strip("/").replace("/", " ")
    for path in PATHS
    if path and not any(other.startswith(f"{path}/") for other in PATHS)
)


@pytest.fixture(scope="module")
def sprite(home, tmp_path_factory):
    from tests.conftest import Terminal, environment_of

    mesabox = Terminal(tmp_path_factory.mktemp("odd"), environment_of(home))
    mesabox("sprite", "up", "odd")
    yield "odd"
    mesabox("down", "odd")


def shell(mesabox, line, **options):
    """As a shell runs it, which alone can close a stream."""
    options = {"cwd": mesabox.cwd, "env": mesabox.environment, "timeout": 60, "capture_output": True, **options}
    return subprocess.run(["bash", "-c", f"{MESABOX} {line}"], **options)


@pytest.mark.parametrize("words", ["", "gone x y z", r"$'\xff'"])
def test_every_command_is_one_object_with_stdin_closed(mesabox, words):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda command: shell(mesabox, f"--json {command} {words} <&-"), LEAVES))
    for command, done in zip(LEAVES, answers, strict=True):
        told = schemas.envelope(done.stdout)
        assert (told["exit_code"], done.stderr) == (done.returncode, b""), (command, done)
        assert told["command"] == command and (told["error"] or {}).get("code") != "bug", (command, told)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("version > /dev/full", 1),
        ("--version > /dev/full", 1),
        ("sprite list --json > /dev/full", 1),
        ("sprite show gone 2> /dev/full", 3),
        ("sprite list 2> /dev/full", 0),
        ("sprite list 2>&-", 0),
        ("run odd -- echo x > /dev/full", 125),
        ("run odd --json -- echo x > /dev/full", 125),
        ("run odd --ndjson -- echo x > /dev/full", 125),
        ("run odd -- true > /dev/full", 0),
        ("run odd -- sh -c 'exit 7' <&- >&- 2>&-", 7),
        ("run odd -- cat <&-", 0),
    ],
)
def test_streams_that_are_full_or_closed(mesabox, sprite, line, code):
    done = shell(mesabox, line)
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    assert code not in (1, 125) or b"cannot be written\n  why: No space left on device" in done.stderr


def test_a_run_whose_output_cannot_be_written_is_taken_down_and_says_so(mesabox):
    done = shell(mesabox, "go --repo odd-full -- sh -c 'echo x > file; echo x; sleep 5' > /dev/full")
    assert done.returncode == 125 and b"the command's output cannot be written" in done.stderr
    assert mesabox("repo", "cat", "odd-full", "file").stdout == b"x\n"
    assert mesabox.value("sprite", "list", "--prefix", "mesabox-") == ""


def test_in_a_folder_that_is_gone(mesabox):
    line = f"mkdir away; cd away; rmdir ../away; {MESABOX} --json sprite list"
    done = subprocess.run(["bash", "-c", line], cwd=mesabox.cwd, env=mesabox.environment, capture_output=True)
    assert schemas.envelope(done.stdout)["error"]["code"] == "no_working_folder"


def test_words_of_the_command_that_are_no_utf_8_arrive_as_they_were(mesabox, sprite):
    script = 'printf %s "$1$A"'
    words = (b"run", b"-e", b"A=\xfe", b"odd", b"--", b"sh", b"-c", script.encode(), b"sh", b"\xff")
    done = subprocess.run(
        [sys.executable, "-m", "mesabox", *words], cwd=mesabox.cwd, env=mesabox.environment, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"\xff\xfe")


def test_a_keyring_whose_settings_are_wrong_is_no_keyring(mesabox, tmp_path):
    env = {"PYTHON_KEYRING_BACKEND": "no.such.Backend", "MESABOX_HOME": str(tmp_path / "other")}
    told = mesabox.json("auth", "login", "sprites", "--with-token", stdin=b"token-of-mine\n", env=env)
    assert told["data"]["kept_in"] == "file"
