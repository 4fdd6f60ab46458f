"""Start-up: ``--version``, ``--help`` and a completed ``go`` against a bare interpreter."""

import subprocess
import sys

from tests.bench.figures import show, timed
from tests.bench.house import House


def run(house: House) -> None:
    def command(*words: str) -> object:
        return lambda: subprocess.run(words, check=True, capture_output=True, env=house.environment)

    bare = timed(command(sys.executable, "-c", "pass"), 15)
    version = timed(command(*house.mesabox, "--version"), 15)
    helped = timed(command(*house.mesabox, "--help"), 15)
    show(
        "start-up",
        [("python -c pass", bare), ("mesabox --version", version), ("mesabox --help", helped)],
        goal="--version 40 ms, --help 120 ms",
    )


def go(house: House) -> None:
    imports = "import asyncio, typer, httpx, websockets.asyncio.client, pydantic_settings, mesabox.flow.go"
    code = [sys.executable, "-c", imports]
    peer = timed(lambda: subprocess.run(code, check=True, capture_output=True, env=house.environment), 10)
    words = [*house.mesabox, "go", "-q", "--", "true"]
    whole = timed(lambda: subprocess.run(words, check=True, capture_output=True, env=house.environment), 15)
    beyond = [took - sorted(peer)[len(peer) // 2] for took in whole]
    show(
        "mesabox go -- true, engine warm",
        [
            ("the interpreter with the same imports", peer),
            ("mesabox go -- true", whole),
            ("  beyond the imports", beyond),
        ],
        goal="400 ms beyond the imports",
    )
