"""Commands run faithfully: every byte, either way, however short or long."""

import asyncio
import hashlib
import json
import os
import signal

import pytest

from tests.bench.house import House, clients


@pytest.fixture(scope="module")
def sprite(home, tmp_path_factory):
    from tests.conftest import Terminal, environment_of

    mesabox = Terminal(tmp_path_factory.mktemp("faithful"), environment_of(home))
    mesabox("sprite", "up", "faithful")
    yield "faithful"
    mesabox("down", "faithful")


def test_a_hundred_megabytes_each_way(mesabox, sprite):
    data = os.urandom(100_000_000)
    taken = mesabox("run", sprite, "--", "sh", "-c", "cat > /tmp/file; sha256sum < /tmp/file", stdin=data)
    assert taken.stdout.decode().split()[0] == hashlib.sha256(data).hexdigest()
    given = mesabox("run", sprite, "--", "cat", "/tmp/file").stdout
    assert hashlib.sha256(given).hexdigest() == hashlib.sha256(data).hexdigest()
    through = mesabox("run", sprite, "--", "cat", stdin=data).stdout
    assert hashlib.sha256(through).hexdigest() == hashlib.sha256(data).hexdigest()


def test_a_thousand_short_commands_lose_nothing(sprite, mesabox, engine_env):
    async def lines() -> list[bytes]:
        async with clients(House(mesabox.cwd, {}, engine_env)) as (_, sprites):
            return [(await sprites.run(sprite, ["echo", "x"])).stdout for _ in range(1000)]

    assert asyncio.run(lines()) == [b"x\n"] * 1000


def test_an_argument_of_a_hundred_kilobytes_arrives_whole(mesabox, sprite):
    prompt = "".join(f"line {number}: 'quoted' \"twice\" $HOME `id` \\ é\n" for number in range(2400))
    assert len(prompt.encode()) > 100_000
    assert mesabox("run", sprite, "--", "printf", "%s", prompt).stdout == prompt.encode()


def test_words_arrive_as_they_were(mesabox, sprite):
    words = ["", " ", "a b", "c\nd", "--json", "-q", "*", "$HOME", "é", "'\"\\"]
    done = mesabox("run", sprite, "--", "printf", "[%s]", *words)
    assert done.stdout.decode() == "".join(f"[{word}]" for word in words)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_exit_codes(mesabox, sprite, script, code):
    assert mesabox("run", sprite, "--", "sh", "-c", script, ok=False).returncode == code


def test_what_cannot_start(mesabox, sprite):
    assert mesabox("run", sprite, "--", "no-such-program", ok=False).returncode == 127
    assert mesabox("run", sprite, "--", "/etc", ok=False).returncode == 126
    assert mesabox("run", sprite, "--", "/etc/passwd", ok=False).returncode == 126
    unknown = mesabox("run", "nobody", "--json", "--", "true", ok=False)
    assert unknown.returncode == 125 and b"not_found" in unknown.stdout


def test_closed_stdin_does_not_hang(mesabox, sprite):
    assert mesabox("run", sprite, "--", "cat", stdin=b"").stdout == b""


def test_a_daemon_that_keeps_the_pipe_does_not_hold_the_command(mesabox, sprite):
    done = mesabox("run", sprite, "--", "sh", "-c", "echo first; (sleep 300 &) ; echo last")
    assert done.stdout == b"first\nlast\n"


def test_what_was_made_in_a_sprite_is_there_after_a_restart_of_the_engine(mesabox, sprite):
    places = "~/mine /usr/local/bin/mine /etc/mine /opt/mine"
    mesabox("run", sprite, "--", "sudo", "sh", "-c", f"cd /home/sprite; touch {places} /home/sprite/mine")
    mesabox("engine", "stop")
    found = mesabox("run", sprite, "--", "ls", "/home/sprite/mine", "/usr/local/bin/mine", "/etc/mine", "/opt/mine")
    assert len(found.stdout.split()) == 4


def test_programs_of_the_host_work_inside(mesabox, sprite):
    for words in (["python3", "-c", "print(6*7)"], ["git", "--version"], ["sh", "-c", "echo $((1+1))"]):
        assert mesabox("run", sprite, "--", *words).returncode == 0
    git = "git -c user.name=a -c user.email=a@b"
    script = f"git init -q r; cd r; {git} commit -q --allow-empty -m x; git log --oneline"
    assert b" x\n" in mesabox("run", sprite, "--", "sh", "-c", script).stdout


@pytest.mark.parametrize("words", [("go", "-q", "--repo", "env-file"), ("run", "faithful"), ("sh", "faithful")])
def test_variables_of_a_file(mesabox, sprite, words):
    (mesabox.cwd / "env").write_text("# of docker\nA=a b 'c'\nB=file\nHERE\nGONE\n")
    script = 'echo "$A|$B|$HERE|${GONE-unset}"'
    flags = ("--env-file", "env", "-e", "B=flag")
    command, stdin = ((), script.encode()) if words[0] == "sh" else (("--", "sh", "-c", script), b"")
    done = mesabox(*words, *flags, *command, env={"HERE": "here"}, stdin=stdin)
    assert done.stdout == b"a b 'c'|flag|here|unset\n"
    (mesabox.cwd / "env").write_text("A=1\nB C=2\n")
    refused = mesabox(*words, *flags, *command, "--json" if words[0] == "sh" else "true", ok=False)
    assert refused.returncode == 2 and b"--env-file env, line 2" in refused.stdout + refused.stderr


@pytest.mark.parametrize("name", ["INT", "TERM", "USR1"])
@pytest.mark.parametrize("limit", ["none", "60s"])
def test_a_command_that_handles_a_signal_is_left_to_it_with_a_limit_too(mesabox, name, limit):
    mesabox("sprite", "up", "handles")
    ready = f"/tmp/ready-{name}-{limit}"
    script = f"trap 'echo heard; exit 7' {name}; echo ready; : > {ready}; while :; do sleep 0.1; done"
    process = mesabox.start("run", "handles", "--timeout", limit, "--json", "--", "sh", "-c", script, stdin=None)
    while mesabox("run", "handles", "--", "test", "-e", ready, ok=False).returncode:
        pass
    process.send_signal(getattr(signal, f"SIG{name}"))
    told = json.loads(process.communicate(timeout=60)[0])
    assert told["data"]["stdout"] == "ready\nheard\n"
    assert told["exit_code"] == (7 if name == "USR1" else 128 + getattr(signal, f"SIG{name}"))
    mesabox("down", "handles")
