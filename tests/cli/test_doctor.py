"""What doctor says of this machine and these credentials, and what it exits with."""

import stat
import tarfile

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


def bundled(path):
    with tarfile.open(path) as tar:
        return {entry.name.removeprefix("mesabox-doctor/"): tar.extractfile(entry).read() for entry in tar}


def test_the_bundle_tells_all_that_helps_and_no_secret(mesabox, machine, monkeypatch, home, tmp_path):
    machine(WALLS)
    key, token, other = "mesa_key-of-the-environment", "token-of-the-environment", "mesa_0123456789abcdefghij"
    monkeypatch.setenv("MESA_API_KEY", key)
    monkeypatch.setenv("MESABOX_MOUNT_KEY", token)
    state = home / "state"
    (state / "engine").mkdir(parents=True)
    (state / "engine/engine.log").write_text(f"{'x' * 1_000_000}\nGET /v1 {token}\n{other}\n")
    (state / "crash-1.log").write_text(f"RuntimeError: {key}\n")
    (state / "runs/261123-151544-aaaa").mkdir(parents=True)
    (state / "runs/261123-151544-aaaa/events.ndjson").write_text('{"seq":1,"type":"start"}\n')
    answer = mesabox("doctor", "--json", "--bundle", "report.tgz")
    found = bundled(tmp_path / "report.tgz")
    assert answer.envelope["data"]["bundle"] == {"path": "report.tgz", "files": list(found)}
    assert {*found} == {
        *("doctor.json", "versions.json", "config.json", "engine.log", "crash-1.log"),
        "runs/261123-151544-aaaa/events.ndjson",
    }
    assert found["engine.log"] == b"GET /v1 ***\n***\n" and found["crash-1.log"] == b"RuntimeError: ***\n"
    assert b"MESA_API_KEY" in found["config.json"] and b'"origin"' in found["config.json"]
    assert not any(secret.encode() in content for secret in (key, token, other) for content in found.values())
    assert stat.S_IMODE((tmp_path / "report.tgz").stat().st_mode) == 0o600


def test_a_bundle_that_cannot_be_made_is_an_error_and_leaves_nothing(mesabox, machine, tmp_path):
    machine(WALLS)
    assert mesabox("doctor", "--bundle", "no/such/folder").code == 1
    (tmp_path / "folder").mkdir()
    answer = mesabox("doctor", "--bundle", "folder", "--json")
    assert (answer.code, answer.envelope["error"]["code"]) == (1, "os_error")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_service_says_is_redacted_in_the_report(mesabox, machine, monkeypatch):
    machine(Failed("it ended with the-token-itself"))
    monkeypatch.setenv("SPRITES_TOKEN", "the-token-itself")
    for words in (["-v"], ["--json"]):
        answer = mesabox("doctor", *words)
        assert "the-token-itself" not in answer.out + answer.err and "it ended with ***" in answer.out
