"""The local engine as a process: started once, found again, stopped, and what it refuses with."""

import asyncio
import dataclasses
import os
import signal
import sys
from pathlib import Path

import pytest

from mesabox.clients import engine_process
from mesabox.clients.engine_process import EngineProcess, EngineSettings
from mesabox.errors import Failed, Unsupported


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_process, "_FRONT_DOOR", (sys.executable, str(Path(__file__).with_name("front_door.py"))))
    return EngineSettings(tmp_path / "state", tmp_path / "cache", tmp_path / "run", environment={"PATH": os.defpath})


async def test_a_life(settings):
    engine = EngineProcess(settings)
    assert engine.endpoint() is None and await engine.status() is None and await engine.stop() is False
    endpoint, started = await engine.ensure()
    assert started and endpoint.mesa_url == f"{endpoint.url}/mesa/v1"
    assert "fake" not in repr(endpoint)
    assert await engine.ensure() == (endpoint, False)
    assert (await engine.status())["pid"] == endpoint.pid
    assert await engine.stop() is True and engine.endpoint() is None
    await engine.reset()


async def test_many_at_once_start_one(settings):
    found = await asyncio.gather(*(EngineProcess(settings).ensure() for _ in range(8)))
    assert len({endpoint.pid for endpoint, _ in found}) == 1 and sum(started for _, started in found) == 1
    assert (settings.state / "starts").read_text() == "x"
    await EngineProcess(settings).stop()


async def test_a_killed_engine_is_not_alive_whatever_its_file_says(settings):
    engine = EngineProcess(settings)
    endpoint, _ = await engine.ensure()
    os.kill(endpoint.pid, signal.SIGKILL)
    while engine.endpoint() is not None:
        await asyncio.sleep(0.01)
    assert (settings.state / "engine.json").exists()
    again, started = await engine.ensure()
    assert started and again.pid != endpoint.pid
    await engine.stop()


async def test_what_it_refuses_with_is_our_error(settings):
    with pytest.raises(Unsupported) as caught:
        await EngineProcess(dataclasses.replace(settings, isolation="none")).ensure()
    assert (caught.value.code, caught.value.fix) == ("cannot_isolate", "sysctl")


async def test_an_engine_that_falls_over_is_told_by_its_last_words(settings):
    with pytest.raises(Failed) as caught:
        await EngineProcess(dataclasses.replace(settings, debug=True)).ensure()
    assert caught.value.why == "it fell over" and "engine logs" in caught.value.fix


async def test_the_log_is_ours_alone(settings):
    engine = EngineProcess(settings)
    await engine.ensure()
    assert engine.log.stat().st_mode & 0o777 == 0o600
    await engine.stop()
