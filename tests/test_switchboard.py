"""Who answers: the same clients with another URL, and what is refused before anything is asked."""

import asyncio

import pytest

from mesabox.clients.engine_process import EngineEndpoint, EngineProcess
from mesabox.errors import CredentialsProblem, Unsupported
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Manner
from mesabox.ui.streams import Streams


@pytest.fixture
def board(tmp_path, monkeypatch):
    for name in ("MESA_API_KEY", "MESA_PRIVATE_KEY", "SPRITES_TOKEN", "SPRITE_TOKEN", "MESABOX_ENGINE", "MESA_ORG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MESABOX_HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    def make(isolated=True, **flags):
        async def ensure(_):
            url = "http://127.0.0.1:4"
            return EngineEndpoint(1, url, "tok", "my-org", "key", "private", "0", "root", isolated, 0.0), False

        monkeypatch.setattr(EngineProcess, "ensure", ensure)
        return Switchboard(Streams.fake(), Manner(), flags)

    return make


async def reached(board, **options):
    async with board.services(**options) as services:
        return services


async def test_the_local_engine_is_only_a_url(board):
    switchboard = board()
    services = await reached(switchboard)
    assert services.choice.name == "local" and await services.repos.org() == "my-org"
    assert services.flow.where.mesa_url == "http://127.0.0.1:4/mesa/v1"
    assert switchboard.streams.written()[1] == "engine: local (no credentials in the environment)\n"


async def test_the_cloud_with_both_credentials(board, monkeypatch):
    monkeypatch.setenv("MESA_API_KEY", "key")
    monkeypatch.setenv("SPRITES_TOKEN", "tok")
    monkeypatch.setenv("MESA_ORG", "acme")
    services = await reached(board())
    assert services.choice.name == "cloud" and type(services.repos).__name__ == "MesaClient"
    assert (services.flow.where.sprites_url, await services.repos.org()) == ("https://api.sprites.dev", "acme")


async def test_the_cloud_without_credentials_is_refused_before_anything_starts(board):
    with pytest.raises(CredentialsProblem) as caught:
        await reached(board(engine="cloud"))
    assert 'eval "$(mesabox engine env)"' in caught.value.fix


async def test_going_without_walls_must_be_asked_for(board):
    with pytest.raises(Unsupported) as caught:
        await reached(board(isolated=False), walled=True)
    assert caught.value.code == "not_isolated"
    asked = board(isolated=False, isolation="none")
    assert not (await reached(asked, walled=True)).isolated
    assert "WITHOUT ISOLATION" in asked.streams.written()[1]


async def test_quiet_says_nothing(board):
    silent = Switchboard(Streams.fake(), Manner(quiet=True), {})
    board()
    await reached(silent)
    assert silent.streams.written() == ("", "")


def test_nothing_is_loaded_before_it_is_asked_for(board):
    switchboard = board()
    assert not {"settings", "paths", "engine", "credentials", "reporter"} & set(vars(switchboard))
    asyncio.run(reached(switchboard))
    assert {"settings", "engine"} <= set(vars(switchboard))
