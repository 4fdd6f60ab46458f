"""An engine of its own in a temporary folder, and clients of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mesabox.clients.base import Secret
from mesabox.clients.mesa.client import MesaClient
from mesabox.clients.mesa.credentials import ApiKey
from mesabox.clients.sprites.client import SpritesClient, SpritesToken
from mesabox.clients.transport import Transport


@dataclass(frozen=True)
class House:
    folder: Path
    environment: dict[str, str]
    engine: dict[str, str]
    mesabox: tuple[str, ...] = (sys.executable, "-m", "mesabox")


@contextmanager
def engine() -> Iterator[House]:
    """Stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mesabox-bench-"))
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    environment = {**kept, "HOME": str(folder), "MESABOX_HOME": str(folder / "mesabox")}
    mesabox = [sys.executable, "-m", "mesabox"]
    try:
        subprocess.run([*mesabox, "engine", "start"], check=True, env=environment, capture_output=True)
        told = subprocess.run([*mesabox, "engine", "env", "--json"], check=True, env=environment, capture_output=True)
        yield House(folder, environment, json.loads(told.stdout)["data"])
    finally:
        subprocess.run([*mesabox, "engine", "stop"], env=environment, capture_output=True)
        subprocess.run([*mesabox, "engine", "reset", "--yes"], env=environment, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def clients(house: House) -> AsyncIterator[tuple[MesaClient, SpritesClient]]:
    """Our own clients, on the engine's two addresses."""
    key = ApiKey(Secret(house.engine["MESA_API_KEY"]))
    mesa = MesaClient(Transport("Mesa", house.engine["MESA_API_URL"], key), key, org=house.engine["MESA_ORG"])
    token = SpritesToken(Secret(house.engine["SPRITES_TOKEN"]))
    sprites = SpritesClient(Transport("Sprites", house.engine["SPRITES_API_URL"], token))
    try:
        yield mesa, sprites
    finally:
        await mesa.aclose()
        await sprites.aclose()
