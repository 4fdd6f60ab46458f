"""What doctor says of this machine and these credentials, and what it exits with."""

import pytest

from mesabox.clients.engine_process import EngineProcess
from mesabox.errors import Failed

WALLS = {"tier": "root", "isolated": True, "checks": [{"name": "overlay", "ok": True, "detail": "", "fix": None}]}
NO_WALLS = {
    "tier": "none",
    "isolated": False,
    "checks": [{"name": "user namespaces", "ok": False, "detail": "EPERM", "fix": "sudo sysctl -w x=0"}],
}


@pytest.fixture
def machine(monkeypatch):
    def is_(found):
        async def probe(_):
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(EngineProcess, "probe", probe)

    return is_


def test_a_machine_that_isolates_is_enough(mesabox, machine):
    machine(WALLS)
    answer = mesabox("doctor")
    assert answer.code == 0 and "ok    isolation" in answer.out and "overlay" not in answer.out
    assert "overlay" in mesabox("doctor", "-v").out
    assert mesabox("doctor", "-q").out == "local\n"
    assert mesabox("doctor", "--json").envelope["data"]["works"] == {"local": True, "cloud": False}


def test_nothing_works_is_6_with_the_line_that_mends_it(mesabox, machine):
    machine(NO_WALLS)
    answer = mesabox("doctor")
    assert answer.code == 6 and "fix: sudo sysctl -w x=0" in answer.out and "fix: sudo sysctl" in answer.err
    found = mesabox("doctor", "--json").envelope
    assert found["error"]["code"] == "unsupported" and found["data"]["works"] == {"local": False, "cloud": False}


def test_going_without_walls_is_said(mesabox, machine, monkeypatch):
    machine(NO_WALLS)
    monkeypatch.setenv("MESABOX_ISOLATION", "none")
    answer = mesabox("doctor")
    assert answer.code == 0 and "WITHOUT ISOLATION" in answer.out


def test_a_probe_that_fails_is_a_finding_and_not_an_end(mesabox, machine):
    machine(Failed("the probe of this machine ended without an answer"))
    assert "FAIL  isolation" in mesabox("doctor").out


def test_half_the_credentials_are_named(mesabox, machine, monkeypatch):
    machine(WALLS)
    monkeypatch.setenv("MESA_API_KEY", "sekrit")
    answer = mesabox("doctor")
    assert answer.code == 0 and "FAIL  which engine" in answer.out and "SPRITES_TOKEN" in answer.out
    assert "sekrit" not in answer.out


def test_a_folder_that_cannot_be_written(mesabox, machine, monkeypatch):
    machine(WALLS)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "FAIL  state folder" in mesabox("doctor").out
