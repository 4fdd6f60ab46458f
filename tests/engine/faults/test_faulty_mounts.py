"""Repo mounts that fail, come late, or tell Mesa late of what is written in them."""

import time

import pytest
from faulty_engine import SPRITE

S = f"/v1/sprites/{SPRITE}"
PLACE = "/home/sprite/.local/share/mesa/mnt/my-org"


@pytest.fixture
def repo(engine):
    """A new one; the sprite has nothing mounted before and after."""
    name = f"mounted-{time.monotonic_ns()}"
    assert engine.mesa.post("/my-org/repos", json={"name": name}).status_code == 201
    yield name
    engine.set()
    sh(engine, "mesa unmount")
    engine.mesa.delete(f"/my-org/{name}")


def sh(engine, script):
    """(exit code, output)."""
    env = f"MESA_ORGS=my-org:{engine.settings['MESA_API_KEY']}"
    frames = engine.http.post(f"{S}/exec", params={"cmd": ["sh", "-c", script], "env": env}).content
    return frames[-1], frames[:-2].replace(b"\1", b"").replace(b"\2", b"").decode()


def content(engine, repo, path):
    return engine.mesa.get(f"/my-org/{repo}/content", params={"path": path}).status_code


def until(check):
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_mesa_mount_fails(engine, repo):
    engine.set("mount-fails=x1")
    code, said = sh(engine, "mesa mount -d -y")
    assert (
        code == 1 and said.startswith("mesa: cannot mount") and sh(engine, "mesa status")[1] == "nothing is mounted\n"
    )
    assert sh(engine, "mesa mount -d -y")[0] == 0 and engine.fired == {"mount-fails=x1": 1}


def test_mesa_mount_returns_before_the_mount_is_live(engine, repo):
    engine.set(f"mount-late=x1:1h@{SPRITE}", "mount-late=x1:200ms")
    for live in (False, True):
        assert sh(engine, f"mesa mount -d -y; ls {PLACE}/{repo}")[0] != 0
        if live:
            until(lambda: repo in sh(engine, "mesa status")[1])
            assert sh(engine, f"echo x > {PLACE}/{repo}/x") == (0, "") and content(engine, repo, "x") == 200
        else:
            assert sh(engine, "mesa status")[1] == "nothing is mounted\n"


def test_a_sprite_that_stops_is_not_mounted_in_later(engine, repo):
    engine.set("mount-late=x1:300ms")
    assert sh(engine, "mesa mount -d -y")[0] == 0
    engine.http.post(f"{S}/restart")
    assert sh(engine, "sleep 0.6; mesa status")[1] == "nothing is mounted\n"


def test_edits_come_late(engine, repo):
    sh(engine, "mesa mount -d -y")
    engine.set("late-edits:1h")
    assert sh(engine, f"echo x > {PLACE}/{repo}/late")[0] == 0
    assert content(engine, repo, "late") == 404 and sh(engine, f"cat {PLACE}/{repo}/late") == (0, "x\n")
    until(lambda: engine.fired["late-edits=1:1h"] == 1)
    assert content(engine, repo, "late") == 404
    sh(engine, "mesa unmount")
    assert content(engine, repo, "late") == 200


def test_edits_that_are_held_back_come_when_the_fault_goes(engine, repo):
    sh(engine, "mesa mount -d -y")
    engine.set("late-edits:1h")
    sh(engine, f"echo x > {PLACE}/{repo}/held")
    until(lambda: engine.fired["late-edits=1:1h"] == 1)
    engine.set()
    assert content(engine, repo, "held") == 200


def test_late_edits_come(engine, repo):
    sh(engine, "mesa mount -d -y")
    engine.set("late-edits:300ms")
    sh(engine, f"echo x > {PLACE}/{repo}/one")
    until(lambda: content(engine, repo, "one") == 200)
    engine.set()
    sh(engine, f"echo x > {PLACE}/{repo}/two")
    assert content(engine, repo, "two") == 200


def test_a_mount_whose_key_ends_early_becomes_read_only(engine, repo):
    engine.set("key-ends-early=x1:1s")
    key = engine.mesa.post("/my-org/api-keys", json={"expires_in_seconds": 3600}).json()["key"]
    env = f"MESA_ORGS=my-org:{key}"
    assert sh(engine, f"{env} mesa mount -d -y; echo x > {PLACE}/{repo}/early")[0] == 0
    until(lambda: sh(engine, f"echo x > {PLACE}/{repo}/late")[0] != 0)
    assert (content(engine, repo, "early"), content(engine, repo, "never")) == (200, 404)
