"""An engine of this folder's own, whose faults a test sets and which has none again after it."""

import pytest
from faulty_engine import SPRITE, Engine

from tests.conftest import Terminal, environment_of


@pytest.fixture(scope="session")
def _engine(tmp_path_factory):
    home = tmp_path_factory.mktemp("faulty")
    engine = Engine(Terminal(home, environment_of(home)))
    engine.http.post("/v1/sprites", json={"name": SPRITE})
    yield engine
    engine.mesabox("engine", "stop")
    log = (home / "mesabox/state/engine/engine.log").read_text()
    engine.mesabox("engine", "reset", "--yes")
    assert "Traceback" not in log and "without completing" not in log, log[-4000:]


@pytest.fixture
def engine(_engine):
    yield _engine
    _engine.set()
