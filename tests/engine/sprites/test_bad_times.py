"""An engine whose disk is full, whose files are damaged or that is killed: said in one line, and nothing half-made."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

SOURCE = Path(__file__).parents[3]


class Daemon:
    """An engine of its own under a folder, spoken to without the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: dict = {}
        self._process: subprocess.Popen | None = None

    def start(self, **settings):
        places = {name: str(self.folder / name) for name in ("state", "cache", "runtime")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mesabox.engine", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
            text=True,
        )
        self._process.stdin.write(json.dumps({**places, **settings}))
        self._process.stdin.close()
        self.said = json.loads(self._process.stdout.readline())
        return self.said

    def client(self):
        endpoint = json.loads((self.folder / "state/engine.json").read_text())
        headers = {"Authorization": f"Bearer {endpoint['token']}"}
        return httpx.Client(base_url=endpoint["url"], headers=headers, timeout=30)

    def end(self, number=signal.SIGTERM):
        """Its exit code and its log."""
        if number is not None and self._process.poll() is None:
            self._process.send_signal(number)
        log = self._process.stderr.read()
        return self._process.wait(20), log


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.end(signal.SIGKILL)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 150 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=150m,mode=700", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_destroying_frees_it(small_disk):
    daemon = Daemon(small_disk)
    assert daemon.start()["ok"]
    with daemon.client() as sprites:
        sprites.post("/v1/sprites", json={"name": "greedy"})
        written = sprites.put("/v1/sprites/greedy/fs/write?path=/home/sprite/big", content=bytes(200 << 20))
        assert (written.status_code, written.json()["code"]) == (500, "ENOSPC")
        refused = sprites.post("/v1/sprites", json={"name": "another"})
        assert refused.status_code == 507 and "full" in refused.json()["error"]
        last = json.loads(sprites.post("/v1/sprites/greedy/checkpoint").text.splitlines()[-1])
        assert last["type"] == "error" and "full" in last["error"]
        assert sprites.post("/v1/sprites/greedy/exec?cmd=echo&cmd=awake").content == b"\1awake\n\3\0"
        assert sprites.delete("/v1/sprites/greedy").status_code == 204
        assert sprites.post("/v1/sprites", json={"name": "another"}).status_code == 201
        assert sprites.post("/v1/sprites/another/exec?cmd=echo&cmd=ok").content == b"\1ok\n\3\0"
    code, log = daemon.end()
    assert code == 0 and "Traceback" not in log


def test_a_full_disk_at_the_start(small_disk):
    (small_disk / "state").mkdir(mode=0o700)
    with (small_disk / "filling").open("wb") as filling, pytest.raises(OSError):
        while True:
            filling.write(bytes(1 << 20))
            filling.flush()
    daemon = Daemon(small_disk)
    error = daemon.start()["error"]
    code, log = daemon.end(None)
    assert (error["code"], code) == ("state_unwritable", 1) and "Traceback" not in log


def test_two_who_destroy_at_once_leave_nothing(daemon):
    daemon.start()
    with daemon.client() as sprites, ThreadPoolExecutor(4) as crowd:
        for _ in range(5):
            sprites.post("/v1/sprites", json={"name": "twice"})
            sprites.post("/v1/sprites/twice/exec", params={"cmd": ["sh", "-c", "mkdir d; cd d; touch $(seq 3000)"]})
            sprites.post("/v1/sprites/twice/checkpoint")
            sprites.post("/v1/sprites/twice/checkpoints/v0/restore")
            answers = list(crowd.map(lambda _: sprites.delete("/v1/sprites/twice").status_code, range(4)))
            assert sorted(answers) == [204, 404, 404, 404]
    assert daemon.end()[0] == 0
    assert list((daemon.folder / "state/sprites").iterdir()) == []


def test_a_damaged_endpoint_is_made_anew(daemon):
    assert daemon.start()["ok"]
    daemon.end()
    (daemon.folder / "state/engine.json").write_text('{"pid":')
    assert daemon.start()["ok"]
    with daemon.client() as sprites:
        assert sprites.get("/v1/sprites").status_code == 200
    assert "damaged" in daemon.end()[1]


def test_a_kill_amid_everything_leaves_nothing_half_made(daemon):
    daemon.start()
    calls = ("checkpoint", "checkpoints/v1/restore", "exec?cmd=true", "checkpoint")
    for moment in (0.03, 0.1, 0.2):
        with daemon.client() as sprites:
            began = time.monotonic()
            while time.monotonic() - began < moment:
                sprites.post("/v1/sprites", json={"name": "victim"})
                for call in calls:
                    sprites.post(f"/v1/sprites/victim/{call}")
        daemon.end(signal.SIGKILL)
        assert daemon.start()["ok"]
    with daemon.client() as sprites:
        assert sprites.post("/v1/sprites/victim/exec?cmd=echo&cmd=ok").content == b"\1ok\n\3\0"
        sprites.delete("/v1/sprites/victim")
    code, log = daemon.end()
    assert code == 0 and "Traceback" not in log
    assert list((daemon.folder / "state/sprites").iterdir()) == []
    assert list(daemon.folder.glob("runtime/*")) == []
    assert str(daemon.folder) not in Path("/proc/self/mounts").read_text()
