"""One sprite of the session's engine, spoken to in plain HTTP."""

import time
from urllib.parse import urlencode

import httpx
import pytest

from tests.conftest import Terminal, environment_of

HOME = "/home/sprite"
NAME = "letter"


@pytest.fixture(scope="module")
def sprites(home, tmp_path_factory):
    mesabox = Terminal(tmp_path_factory.mktemp("letter"), environment_of(home))
    mesabox("engine", "start")
    engine = mesabox.json("engine", "env")["data"]
    base = engine["SPRITES_API_URL"]
    headers = {"Authorization": f"Bearer {engine['SPRITES_TOKEN']}"}
    with httpx.Client(base_url=base, headers=headers, timeout=30) as client:
        client.post("/v1/sprites", json={"name": NAME})
        yield client
        client.delete(f"/v1/sprites/{NAME}")


@pytest.fixture
def files(sprites):
    """(method, op, query, …) -> response, under a fresh folder."""
    folder = f"{HOME}/{time.monotonic_ns()}"

    def ask(method, op, path="", json=None, **options):
        query = urlencode({"path": path or ".", "workingDir": folder} | options.pop("query", {}))
        body = {"json": {"workingDir": folder, **json}} if json is not None else {}
        return sprites.request(method, f"/v1/sprites/{NAME}/fs/{op}?{query}", **body, **options)

    ask.folder, ask.client = folder, sprites
    return ask
