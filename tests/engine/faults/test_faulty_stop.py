"""An engine whose clients hang can still be stopped, and in order."""

import asyncio

import httpx
from faulty_engine import Engine

from tests.conftest import Terminal, environment_of


async def test_it_stops_while_all_hangs(tmp_path):
    engine = Engine(Terminal(tmp_path, environment_of(tmp_path)))
    engine.http.post("/v1/sprites", json={"name": "stuck"})
    engine.set("exit-never", "hang@/checkpoints")
    async with (
        httpx.AsyncClient(base_url=engine.url, headers=engine.http.headers) as http,
        engine.socket("true", sprite="stuck") as (socket, told),
    ):
        hanging = asyncio.create_task(http.get("/v1/sprites/stuck/checkpoints"))
        while len([fired for fired in engine.fired.values() if fired]) < 2:
            await asyncio.sleep(0.02)
        stopped = await asyncio.to_thread(engine.mesabox, "engine", "stop")
        assert b"stopped the engine" in stopped.stderr
        assert (await engine.listen(socket, told)).exits == []
        assert isinstance(
            (await asyncio.gather(hanging, return_exceptions=True))[0], httpx.TransportError | httpx.Response
        )
    log = (tmp_path / "mesabox/state/engine/engine.log").read_text()
    assert "Traceback" not in log, log[-3000:]
    engine.mesabox("engine", "reset", "--yes")
