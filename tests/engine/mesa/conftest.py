from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mesa_service import Service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(tmp_path / "mesa")
    yield made
    await made.close()
