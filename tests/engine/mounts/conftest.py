import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mount_world import World, can_mount


@pytest.fixture(params=["root", "none"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "root" and not can_mount():
        pytest.skip("needs root, to mount overlays in this process")
    made = await World(tmp_path, request.param).start()
    yield made
    await made.mounts.close()
    await made.drop_mounts()
    shutil.rmtree(tmp_path, ignore_errors=True)
