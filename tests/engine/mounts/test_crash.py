import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mount_world import World, can_mount

from mesabox.engine.mesa.service import Bootstrap

HERE = Path(__file__).parent


@pytest.mark.parametrize("tier", ["root", "none"])
@pytest.mark.parametrize("killed_after", [50, 3000])
async def test_kill_9_amid_many_writes_loses_no_closed_file(tmp_path, tier, killed_after):
    if tier == "root" and not can_mount():
        pytest.skip("needs root, to mount overlays in this process")
    alone = ["unshare", "-m", "--propagation", "private"] if tier == "root" else []
    writing = subprocess.Popen(
        [*alone, sys.executable, HERE / "writing.py", tmp_path, tier],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[2])},
    )
    closed = 0
    while closed < killed_after and (line := writing.stdout.readline()):
        closed = int(line)
    writing.kill()
    left = writing.stdout.read().decode().split("\n")[:-1]
    writing.wait()
    closed = max([closed, *map(int, left)])
    world = World(tmp_path, tier)
    world.bootstrap = Bootstrap(*json.loads((tmp_path / "bootstrap.json").read_text()))
    await world.start()
    kept = {Path(path).stem for path in await world.files()}
    assert {str(number) for number in range(closed + 1)} <= kept
    assert await world.cat(f"d{closed % 50}/{closed}.txt") == f"content of {closed}\n".encode()
    await world.mounts.close()
    await asyncio.sleep(0)
