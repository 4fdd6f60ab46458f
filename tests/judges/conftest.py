"""Environments for the judges: the services' own published clients, each in a virtual environment or node folder.

They are made on demand, by name, from the registries the machine is set up for, and kept in $MESABOX_JUDGES (or the
temporary folder) for the next run. What the machine cannot have is skipped, with the reason it gave.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from mesabox.engine.gate import RawPath
from mesabox.engine.mesa.routes import routes
from mesabox.engine.mesa.service import Bootstrap, Mesa

HERE = Path(__file__).parent
_INSTALL_LIMIT = 300


@dataclass(frozen=True)
class Judge:
    """How to run a script in a judge's environment."""

    program: Path
    env: dict[str, str]

    def run(self, script: str, *arguments: str, timeout: float = 120, **env: str) -> str:
        """Its output; the test fails with all of it when it does not exit 0."""
        ran = subprocess.run(
            [self.program, HERE / script, *arguments],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert ran.returncode == 0, f"{script} exited {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout


@pytest.fixture(scope="session")
def judge_env() -> Callable[..., Judge]:
    """judge_env(name, requirements): a virtual environment with these packages from PyPI."""

    def make(name: str, requirements: list[str]) -> Judge:
        key = f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
        folder = _environment(key, requirements, _install_python)
        return Judge(folder / "bin" / "python", _bare_env(folder / "bin"))

    return make


@pytest.fixture(scope="session")
def node_env() -> Callable[..., Judge]:
    """node_env(name, packages): a folder with these packages from npm; ``node@24`` among them brings that node too."""

    def make(name: str, packages: list[str]) -> Judge:
        if shutil.which("npm") is None:
            pytest.skip(f"{name}: there is no npm here")
        folder = _environment(name, packages, _install_node)
        own = folder / "node_modules" / ".bin" / "node"
        node = str(own) if own.exists() else shutil.which("node")
        if node is None:
            pytest.skip(f"{name}: there is no node here")
        # a module is looked for beside the script that imports it, so the scripts are linked into the folder
        for script in HERE.glob("*.mjs"):
            shutil.copy(script, folder)
        return _NodeJudge(Path(node), _bare_env(Path(node).parent), folder)

    return make


@dataclass(frozen=True)
class _NodeJudge(Judge):
    folder: Path

    def run(self, script: str, *arguments: str, timeout: float = 120, **env: str) -> str:
        return super().run(str(self.folder / script), *arguments, timeout=timeout, **env)


@pytest.fixture
def mesa_service(tmp_path: Path) -> Iterator[tuple[str, Bootstrap]]:
    """(base URL, credentials) of the emulated Mesa on a loopback port."""
    mesa = Mesa(tmp_path / "mesa")
    app = RawPath(Starlette(routes=[Mount("/mesa/v1", routes=routes(mesa))]))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mesa/v1", mesa.bootstrap
        server.should_exit = True
        thread.join()
    mesa.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that says how many judges really ran."""
    outcomes = {
        report.nodeid: kind
        for kind in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.stats.get(kind, [])
        if "judge" in getattr(report, "keywords", ())
    }
    if outcomes:
        ran = sum(kind != "skipped" for kind in outcomes.values())
        terminalreporter.write_line(f"judges: {ran} of {len(outcomes)} ran")


def _environment(name: str, packages: list[str], install: Callable[[Path, list[str]], None]) -> Path:
    digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:12]
    folder = _cache() / f"{name}-{digest}"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            install(folder, packages)
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"{name}: {_reason(error)}")
        (folder / ".ready").touch()
    return folder


def _cache() -> Path:
    chosen = os.environ.get("MESABOX_JUDGES")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"mesabox-judges-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        pytest.skip(f"{folder} belongs to somebody else")
    return folder


def _install_python(folder: Path, packages: list[str]) -> None:
    venv.create(folder, with_pip=True)
    _install([folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages])


def _install_node(folder: Path, packages: list[str]) -> None:
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    _install(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", folder, *packages])


def _install(command: list[str | Path]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_LIMIT)


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return said.strip().splitlines()[-1] if said.strip() else type(error).__name__


def _bare_env(programs: Path) -> dict[str, str]:
    """Nothing of ours in it: no credentials, no settings, an empty home."""
    return {"PATH": f"{programs}:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
