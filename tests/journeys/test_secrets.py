"""A secret is in its command's environment, and nowhere else on the whole machine."""

import base64
import hashlib
import os
import re
import secrets
import signal
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest


@pytest.fixture
def canary(tmp_path):
    """Awkward on purpose: more than one line, quotes, a dollar. Only ever in this process and in a file."""
    value = f"canary-{secrets.token_hex(8)}'\"$x \\\nü {secrets.token_hex(8)}"
    (tmp_path / "canary").write_text(value + "\n")
    return value


def forms(value):
    data = value.encode()
    return {data, base64.b64encode(data)[:-4], quote(value).encode(), quote(value, safe="").encode()}


def holders(value, what):
    """The processes of this machine whose ``what`` (cmdline or environ) holds it: their words."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                if any(form in (process / what).read_bytes() for form in forms(value)):
                    found.add((process / "cmdline").read_bytes())
            except OSError:
                continue
    return found


def written(value, *folders):
    files = (Path(at, name) for folder in folders for at, _, names in os.walk(folder) for name in names)
    return [
        file
        for file in files
        if file.is_file()
        and "/cache/base/" not in str(file)
        and any(form in file.read_bytes() for form in forms(value))
    ]


def md5(value):
    return hashlib.md5(value.encode()).hexdigest() + "  -"


def minted_key(process):
    """The command shows what mesa's own 0600 config holds; this process alone reads it."""
    text = b""
    while b"--shown--" not in text:
        text += process.stdout.readline()
    return re.search(rb"mesa_[A-Za-z0-9_-]{16,}", text)[0].decode()


SHOW_AND_SLEEP = "cat /dev/shm/mesabox-config/*/*; echo --shown--; exec sleep 33"


def test_neither_canary_nor_minted_key_is_anywhere_else(mesabox, home, canary):
    words = ("go", "--debug", "-v", "--repo", "secrets-canary", "--timeout", "40s", "--secret", "CANARY=@canary")
    process = mesabox.start(*words, "--", "sh", "-c", SHOW_AND_SLEEP)
    minted = minted_key(process)
    assert holders(canary, "cmdline") == holders(minted, "cmdline") == set()
    assert holders(canary, "environ") <= {b"sleep\x0033\x00"}
    assert holders(minted, "environ") == set()
    process.terminate()
    _, err = process.communicate(timeout=30)
    for secret in (canary, minted):
        assert not any(form in err for form in forms(secret))
        assert [file.name for file in written(secret, home, mesabox.cwd)] == (["canary"] if secret == canary else [])
    nor_in_the_bundle(mesabox, canary, minted)


def nor_in_the_bundle(mesabox, *canaries):
    """Nor are the engine's own credentials, which its state holds."""
    own = [value for name, value in mesabox.json("engine", "env")["data"].items() if name.endswith(("KEY", "TOKEN"))]
    mesabox("doctor", "--bundle", "bundle")
    with tarfile.open(mesabox.cwd / "bundle") as tar:
        found = {entry.name: tar.extractfile(entry).read() for entry in tar}
    assert len(own) == 3 and any("events.ndjson" in name for name in found) and any(found.values())
    for secret in (*canaries, *own):
        assert not any(form in content for form in forms(secret) for content in found.values())


def test_what_the_command_prints_is_its_own_but_the_record_is_masked(mesabox, canary):
    done = mesabox("go", "-q", "--repo", "secrets-record", "--secret", "CANARY=@canary", "--", "printenv", "CANARY")
    assert done.stdout.decode() == canary + "\n"
    assert mesabox("runs", "logs", "last").stdout == b"***\n"


@pytest.fixture(scope="module")
def sprite(home, tmp_path_factory):
    from tests.conftest import Terminal, environment_of

    mesabox = Terminal(tmp_path_factory.mktemp("secrets"), environment_of(home))
    mesabox("sprite", "up", "secrets")
    mesabox("repo", "create", "secrets-mounted")
    mesabox("mount", "secrets", "--repo", "secrets-mounted")
    yield "secrets"
    mesabox("down", "secrets")


HASHED = 'printf %s "$CANARY" | md5sum; '


@pytest.mark.parametrize(
    "flags", [(), ("--timeout", "20s"), ("--repo", "secrets-mounted"), ("--repo", "secrets-mounted", "--timeout", "9s")]
)
@pytest.mark.parametrize("length", [10, 20_000])
def test_it_goes_with_limits_mounts_and_long_command_lines(mesabox, sprite, canary, flags, length):
    script = HASHED + 'echo "${#1}"; cat; exit 3'
    words = ("run", sprite, *flags, "--secret", "CANARY=@canary", "--", "sh", "-c", script, "sh", "x" * length)
    done = mesabox(*words, stdin=b"its stdin", ok=False)
    assert done.stdout.decode().splitlines() == [md5(canary), str(length), "its stdin"]
    assert done.returncode == 3


def test_from_stdin_and_from_the_environment(mesabox, sprite):
    words = ("run", sprite, "--secret", "A=-", "--secret", "B", "--", "sh", "-c", 'echo "$A-$B"; cat')
    assert mesabox(*words, stdin=b"from-stdin\n", env={"B": "from-env"}).stdout == b"from-stdin-from-env\n"


def test_nothing_is_left_in_the_sprite_whatever_went_wrong(mesabox, sprite, canary):
    secret = ("--secret", "CANARY=@canary")
    assert mesabox("run", sprite, "--repo", "not-mounted", *secret, "--", "true", ok=False).returncode == 125
    assert mesabox("run", sprite, *secret, "--", "no-such-program", ok=False).returncode == 127
    assert mesabox("run", sprite, *secret, "-w", "/no/such", "--", "true", ok=False).returncode != 0
    assert mesabox("run", sprite, "--", "sh", "-c", "ls -A /dev/shm | grep mesabox-secret", ok=False).stdout == b""


def test_a_value_on_the_command_line_is_refused_and_not_repeated(mesabox, sprite):
    done = mesabox("run", sprite, "--secret", "A=sekrit-value", "--json", "--", "true", ok=False)
    assert done.returncode == 2 and b"sekrit-value" not in done.stdout + done.stderr


def test_errors_and_events_that_would_quote_it_do_not(mesabox):
    secret = ("--secret", "CANARY")
    env = {"CANARY": "canary-name"}
    for form in ([], ["--json"], ["--ndjson"], ["--debug", "-v"]):
        done = mesabox("run", *form, "canary-name", *secret, "--", "true", env=env, ok=False)
        assert done.returncode == 125 and b"***" in done.stdout + done.stderr
        assert b"canary-name" not in done.stdout + done.stderr


def test_a_command_line_that_repeats_it_is_masked_in_the_record(mesabox):
    words = ("go", "-q", "--repo", "secrets-argv", "--secret", "CANARY", "--", "echo", "canary-word")
    assert mesabox(*words, env={"CANARY": "canary-word"}).stdout == b"canary-word\n"
    assert mesabox.json("runs", "show", "last")["data"]["command"] == "echo '***'"


def test_a_detached_run_and_a_bug_report_have_neither(mesabox, home, canary):
    words = ("go", "--detach", "--debug", "-v", "--repo", "secrets-detached", "--secret", "CANARY=@canary")
    run = mesabox.value(*words, "--", "sh", "-c", 'printf %s "$CANARY" | md5sum; echo --shown--; exec sleep 34')
    follow = mesabox.start("runs", "attach", run)
    assert md5(canary).encode() in follow.stdout.readline()
    assert follow.stdout.readline() == b"--shown--\n"
    sprite = mesabox.json("runs", "show", run)["data"]["sprite"]
    shown = mesabox("run", sprite, "--", "sh", "-c", "cat /dev/shm/mesabox-config/*/*").stdout
    minted = re.search(rb"mesa_[A-Za-z0-9_-]{16,}", shown)[0].decode()
    assert holders(canary, "cmdline") == holders(minted, "cmdline") == holders(minted, "environ") == set()
    assert holders(canary, "environ") <= {b"sleep\x0034\x00"}
    mesabox("doctor", "--bundle", "report.tar.gz", ok=False)
    with tarfile.open(mesabox.cwd / "report.tar.gz") as report:
        inside = b"".join(report.extractfile(one).read() for one in report if one.isfile())
    assert run.encode() in inside
    assert not any(form in inside for secret in (canary, minted) for form in forms(secret))
    follow.send_signal(signal.SIGINT)  # goes to the run
    out, err = follow.communicate(timeout=60)
    for secret in (canary, minted):
        assert not any(form in out + err for form in forms(secret))
        assert [file.name for file in written(secret, home, mesabox.cwd)] == (["canary"] if secret == canary else [])
