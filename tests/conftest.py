"""The real command, offline: one engine of the session's own, for each test a working folder."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import schemas


@dataclass
class Terminal:
    """Runs ``mesabox`` as a user would from a script: no terminal, its own home."""

    cwd: Path
    environment: dict[str, str]
    ran: list[list[str]] = field(default_factory=list)

    def __call__(self, *words: str, stdin: bytes = b"", ok: bool = True, env: dict[str, str] | None = None):
        self.ran.append(list(words))
        done = subprocess.run(
            [sys.executable, "-m", "mesabox", *words],
            cwd=self.cwd,
            env={**self.environment, **(env or {})},
            input=stdin,
            capture_output=True,
            timeout=180,
        )
        assert not ok or done.returncode == 0, (words, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        return done

    def start(self, *words: str, **options) -> subprocess.Popen:
        """Unbuffered: what a line was read of ahead would be lost to ``communicate``."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = {**pipes, "bufsize": 0, **options}
        return subprocess.Popen(
            [sys.executable, "-m", "mesabox", *words], cwd=self.cwd, env=self.environment, **options
        )

    def json(self, *words: str, **options):
        """The envelope of a command run with ``--json``."""
        return schemas.envelope(self("--json", *words, ok=False, **options).stdout)

    def value(self, *words: str, **options) -> str:
        return self("-q", *words, **options).stdout.decode().strip()


def environment_of(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    source = str(Path(__file__).parents[1])
    return {**kept, "HOME": str(home), "MESABOX_HOME": str(home / "mesabox"), "PYTHONPATH": source}


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A home whose engine, once a story has started it, is stopped at the end; nothing of it may stay behind."""
    home = tmp_path_factory.mktemp("home")
    yield home
    terminal = Terminal(home, environment_of(home))
    terminal("engine", "stop")
    terminal("engine", "reset", "--yes")


@pytest.fixture
def mesabox(home, tmp_path):
    return Terminal(tmp_path, environment_of(home))


@pytest.fixture
def engine_env(mesabox) -> dict[str, str]:
    """What points any program at the engine: SPRITES_API_URL, SPRITES_TOKEN, MESA_API_URL, MESA_API_KEY, ..."""
    mesabox("engine", "start")
    return mesabox.json("engine", "env")["data"]
