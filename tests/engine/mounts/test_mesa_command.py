"""The in-sprite ``mesa``, run as a program against a door that answers as told."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import mesabox.engine.mounts.inside.mesa as command

SCRIPT = Path(command.__file__)
MOUNTED = {
    "org": "my-org",
    "repo": "work",
    "path": "/mnt/my-org/work",
    "read_only": False,
    "change_id": "k",
    "bookmark": "main",
}


class Door:
    """Answers every request with ``replies[op]`` and keeps what it was asked."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.asked: list[dict] = []
        self.replies: dict[str, dict] = {
            "mesa.mount": {"ok": True, "orgs": ["my-org"], "mounts": [MOUNTED]},
            "mesa.unmount": {"ok": True, "unmounted": ["/mnt/my-org/work"]},
            "mesa.status": {"ok": True, "mounts": [MOUNTED]},
            "mesa.repos": {"ok": True, "repos": [{"org": "my-org", "repo": "other", "read_only": True}]},
            "mesa.ignored": {"ok": True, "patterns": ".DS_Store\n"},
        }
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(place))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._socket.accept()
            with client, client.makefile("rwb") as stream:
                request = json.loads(stream.readline())
                self.asked.append(request)
                stream.write(json.dumps(self.replies[request["op"]]).encode() + b"\n")


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "door.sock")


@pytest.fixture
def mesa(tmp_path: Path, door: Door):
    home = tmp_path / "home"
    home.mkdir()

    def run(*words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(arguments(*words), env=environment(**env), input=stdin, capture_output=True, text=True)

    def arguments(*words: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(SCRIPT), *words]

    def environment(**env: str) -> dict[str, str]:
        return {"HOME": str(home), "MESABOX_DOOR": str(door.place), **env}

    run.home = home
    run.start = lambda *words, **env: subprocess.Popen(
        arguments(*words), env=environment(**env), stderr=subprocess.PIPE
    )
    return run


def test_the_first_mount_leaves_what_the_second_needs(mesa, door):
    first = mesa("mount", "-d", "-y", MESA_ORGS="my-org:mesa_a:b,other:mesa_c")
    assert (first.returncode, first.stdout) == (0, "my-org/work -> /mnt/my-org/work\n"), first.stderr
    point = f"{mesa.home}/.local/share/mesa/mnt"
    assert door.asked[0]["mount_point"] == point
    assert [(org["org"], org["credential"]) for org in door.asked[0]["orgs"]] == [
        ("my-org", "mesa_a:b"),
        ("other", "mesa_c"),
    ]
    assert os.path.isdir(f"{point}/my-org")
    config = mesa.home / ".config/mesa/config.toml"
    assert config.stat().st_mode & 0o777 == 0o600
    assert mesa("mount", "--daemonize").returncode == 0
    assert door.asked[1] == door.asked[0]


def test_a_new_key_replaces_the_old_one_of_its_organization(mesa, door):
    mesa("mount", "-d", "-y", MESA_ORGS="my-org:old,other:o")
    mesa("-y", "mount", "-d", MESA_ORG="my-org", MESA_API_KEY="new")
    assert [(org["org"], org["credential"]) for org in door.asked[1]["orgs"]] == [("my-org", "new"), ("other", "o")]


def test_a_signed_token_is_used_and_never_kept(mesa, door):
    token = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJteS1vcmcifQ.AAAA"
    assert mesa("mount", "-d", MESA_ACCESS_TOKEN=token).returncode == 0
    assert door.asked[0]["orgs"] == [{"org": "my-org", "credential": token, "only": None, "revisions": {}}]
    assert not (mesa.home / ".config/mesa/config.toml").exists()
    again = mesa("mount", "-d")
    assert (again.returncode, "MESA_ORGS" in again.stderr) == (1, True)


def test_a_config_file_chooses_repos_and_revisions(mesa, door, tmp_path):
    config = tmp_path / "mesa.toml"
    config.write_text(
        'mount-point = "~/here"\n[organizations.my-org]\napi-key = "k"\nmount = "explicit"\n'
        '[organizations.my-org.repos.a]\nrev = { bookmark = "dev" }\n[organizations.my-org.repos.b]\n'
    )
    ran = mesa("-c", str(config), "mount", "-d", MESA_REPO_REVS="my-org/b=change-id:" + "0" * 32)
    assert ran.returncode == 0, ran.stderr
    assert door.asked[0]["mount_point"] == f"{mesa.home}/here"
    [org] = door.asked[0]["orgs"]
    assert org["only"] == ["a", "b"]
    assert org["revisions"] == {"a": "bookmark:dev", "b": "change-id:" + "0" * 32}
    assert mesa("-c", str(config), "mount", "-d").returncode == 0
    assert door.asked[1]["orgs"][0]["revisions"] == {"a": "bookmark:dev"}


def test_no_config_file_when_it_is_not_wanted(mesa, door):
    mesa("mount", "-d", "-y", MESA_ORGS="my-org:k", MESA_NO_CONFIG_FILE="1", MESA_MOUNT_POINT=f"{mesa.home}/m")
    assert door.asked[0]["mount_point"] == f"{mesa.home}/m"
    assert not (mesa.home / ".config").exists()


def test_a_refused_key_is_not_kept(mesa, door):
    door.replies["mesa.mount"] = {"ok": False, "error": "The API key is unknown or was revoked", "exit": 1}
    ran = mesa("mount", "-d", "-y", MESA_ORGS="my-org:k")
    assert (ran.returncode, ran.stderr) == (1, "mesa: The API key is unknown or was revoked\n")
    assert not (mesa.home / ".config").exists()


def test_in_the_foreground_until_a_signal(mesa, door):
    running = mesa.start("mount", MESA_ORGS="my-org:k")
    assert b"mounted" in running.stderr.readline()
    running.send_signal(signal.SIGTERM)
    assert running.wait(5) == 0
    assert [request["op"] for request in door.asked] == ["mesa.mount", "mesa.unmount"]


def test_the_other_commands(mesa, door):
    assert mesa("status").stdout == "my-org/work\trw\tmain\t/mnt/my-org/work\n"
    assert mesa("repo", "list").stdout == "my-org/work\n"
    assert mesa("repo", "list", "--all", MESA_ORGS="my-org:k").stdout == "my-org/other\n"
    assert mesa("umount", "/mnt").stdout == "unmounted /mnt/my-org/work\n"
    assert mesa("dump-default-mesaignore").stdout == ".DS_Store\n"
    assert mesa("version").stdout == mesa("--version").stdout != ""
    assert mesa("mount", "--help").stdout.startswith("usage: mesa")
    assert mesa("auth", "set-key", "--org", "x-1", stdin="secret\n").returncode == 0
    assert 'api-key = "secret"' in (mesa.home / ".config/mesa/config.toml").read_text()


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ((), {}),
        (("frobnicate",), {}),
        (("mount", "--layout", "x"), {}),
        (("mount", "extra"), {"MESA_ORGS": "my-org:k"}),
        (("mount", "-d"), {"MESA_ORGS": "my-org"}),
        (("mount", "-d"), {"MESA_ACCESS_TOKEN": "x"}),
        (("mount", "-d"), {"MESA_ORGS": "my-org:k", "MESA_REPO_REVS": "my-org=bookmark:x"}),
        (("-c",), {}),
    ],
)
def test_wrong_usage_is_exit_2(mesa, words, env):
    ran = mesa(*words, **env)
    assert (ran.returncode, ran.stderr.startswith("mesa: ")) == (2, True), ran.stderr


def test_no_engine_is_exit_75(mesa):
    ran = mesa("status", MESABOX_DOOR="/nonexistent/door.sock")
    assert (ran.returncode, ran.stderr) == (75, "mesa: the engine does not answer: No such file or directory\n")


def test_it_starts_quickly(mesa):
    mesa("version")
    started = time.monotonic()
    mesa("version")
    print(f"mesa version: {(time.monotonic() - started) * 1000:.0f} ms")
