"""Sprites, their checkpoints and files, in the words and with the lapses of the real service."""

import json

import httpx
import pytest
from faulty_engine import SPRITE

from mesabox.errors import Failed, NotFound

S = f"/v1/sprites/{SPRITE}"


async def test_a_missing_sprite_in_the_recorded_words(engine):
    engine.set("missing-sprite-500")
    shown, deleted = engine.http.get("/v1/sprites/nobody"), engine.http.delete("/v1/sprites/nobody")
    assert (shown.status_code, shown.json()) == (500, {"error": "failed to retrieve sprite"})
    assert (deleted.status_code, deleted.json()) == (500, {"error": "failed to delete sprite"})
    assert engine.http.get(S).status_code == 200
    with pytest.raises(NotFound):
        await engine.sprites().sprite("nobody")


async def test_has_more_on_the_last_page(engine):
    engine.set("has-more")
    page = engine.http.get("/v1/sprites").json()
    assert page["has_more"] is True and page["next_continuation_token"] is None
    assert [sprite.name async for sprite in engine.sprites().sprites()] == [SPRITE]


async def test_a_bare_list(engine):
    engine.set("bare-list")
    [entry] = engine.http.get("/v1/sprites").json()["sprites"]
    assert set(entry) == {"name", "org_slug", "updated_at"}
    assert [sprite.name async for sprite in engine.sprites().sprites()] == [SPRITE]


def test_a_watched_list_is_left_to_stream(engine):
    engine.set("has-more", "bare-list")
    with engine.http.stream("GET", "/v1/sprites", headers={"Accept": "application/x-ndjson"}) as answer:
        assert json.loads(next(answer.iter_lines()))["name"] == SPRITE
    assert engine.fired == {"has-more=1": 0, "bare-list=1": 0}


def test_sprite_limit(engine):
    engine.set("sprite-limit:2")
    try:
        made = [engine.http.post("/v1/sprites", json={"name": name}) for name in ("second", "third")]
        assert [answer.status_code for answer in made] == [201, 429]
        assert made[1].json()["error"] == "concurrent_sprite_limit_exceeded" and made[1].json()["limit"] == 2
        assert engine.fired == {"sprite-limit=1:2": 1}
    finally:
        engine.http.delete("/v1/sprites/second")


def test_listed_before_it_is_ready(engine):
    engine.set("sprite-not-ready=x2")
    assert engine.http.get("/v1/sprites").json()["sprites"][0]["name"] == SPRITE
    read = {"params": {"path": "/etc/hostname"}}
    assert [engine.http.get(f"{S}/fs/read", **read).status_code for _ in range(3)] == [503, 503, 200]


def test_slow_to_wake(engine):
    engine.set("slow-wake=x1:1s")
    assert engine.http.post("/v1/sprites", json={"name": "sleepy"}).status_code == 201
    try:
        with pytest.raises(httpx.ReadTimeout):
            engine.http.post("/v1/sprites/sleepy/exec", params={"cmd": "true"}, timeout=0.3)
        assert engine.http.post("/v1/sprites/sleepy/exec", params={"cmd": "true"}).content == b"\3\0"
        assert engine.fired == {"slow-wake=x1:1s": 1}
    finally:
        engine.http.delete("/v1/sprites/sleepy")


def test_fuse_that_needs_sudo(engine):
    if engine.http.get("/_engine/status").json()["tier"] == "single":
        pytest.skip("at tier single everything is the one user's")
    engine.set("fuse-needs-sudo=x1")
    engine.http.post("/v1/sprites", json={"name": "locked"})
    try:
        edit = "sed -i s/#user/user/ /etc/fuse.conf"
        script = (
            f"[ -w /dev/fuse ] && exit 1; {edit} 2>/dev/null && exit 2; sudo -n chmod 666 /dev/fuse; sudo -n {edit}"
        )
        check = f"{script}; [ -w /dev/fuse ] && grep -q ^user_allow_other /etc/fuse.conf"
        assert engine.http.post("/v1/sprites/locked/exec", params={"cmd": ["sh", "-c", check]}).content == b"\3\0"
        assert engine.fired == {"fuse-needs-sudo=x1": 1}
    finally:
        engine.http.delete("/v1/sprites/locked")


def test_a_missing_checkpoint_as_text(engine):
    engine.set("missing-checkpoint-500")
    answer = engine.http.get(f"{S}/checkpoints/v99")
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (500, "text/plain")
    told = "checkpoint not found: checkpoint with path checkpoints/v99 not found\n"
    assert answer.text == f"Failed to get checkpoint: failed to get checkpoint: {told}"
    assert engine.http.get(f"{S}/checkpoints/v0").status_code == 200


async def test_a_checkpoint_that_fails_inside_its_200(engine):
    engine.set("checkpoint-fails=x1")
    before = engine.http.get(f"{S}/checkpoints").json()
    with pytest.raises(Failed) as failed:
        await engine.sprites().create_checkpoint(SPRITE)
    assert "storage is not available" in failed.value.why
    assert [one["id"] for one in engine.http.get(f"{S}/checkpoints").json()] == [one["id"] for one in before]


@pytest.mark.parametrize(("fault", "told"), [("restore-hangs", 1), ("restore-no-end", 3)])
def test_a_restore_whose_stream_does_not_end(engine, fault, told):
    engine.http.post("/v1/sprites", json={"name": "twice"})
    try:
        engine.http.post("/v1/sprites/twice/checkpoint")
        engine.http.put("/v1/sprites/twice/fs/write", params={"path": "/home/sprite/after"}, content=b"x")
        engine.set(f"{fault}=x1")
        lines = []
        restore = engine.http.stream("POST", "/v1/sprites/twice/checkpoints/v1/restore", timeout=1)
        with pytest.raises(httpx.ReadTimeout), restore as answer:
            for line in answer.iter_lines():
                lines.append(json.loads(line)["type"])
        assert lines == ["info", "info", "complete"][:told]
        gone = engine.http.get("/v1/sprites/twice/fs/read", params={"path": "/home/sprite/after"})
        assert gone.status_code == 404
    finally:
        engine.http.delete("/v1/sprites/twice")


async def test_our_client_does_not_wait_for_the_end_of_a_restore(engine):
    engine.http.post("/v1/sprites", json={"name": "twice"})
    try:
        engine.http.post("/v1/sprites/twice/checkpoint")
        engine.set("restore-no-end")
        await engine.sprites().restore_checkpoint("twice", "v1")
        assert engine.fired == {"restore-no-end=1": 1}
    finally:
        engine.http.delete("/v1/sprites/twice")


def test_files_that_list_before_they_read(engine):
    engine.set("read-not-ready=x1")
    path = {"path": "/etc/hostname"}
    refused = engine.http.get(f"{S}/fs/read", params=path)
    assert (refused.status_code, refused.json()["code"], refused.json()["path"]) == (500, "EIO", "/etc/hostname")
    assert engine.http.get(f"{S}/fs/list", params=path).status_code == 200
    assert engine.http.get(f"{S}/fs/read", params=path).status_code == 200


def test_a_full_disk(engine):
    engine.set("disk-full=x1")
    path = {"path": "/home/sprite/full"}
    refused = engine.http.put(f"{S}/fs/write", params=path, content=b"x")
    assert (refused.status_code, refused.json()["code"]) == (500, "ENOSPC")
    assert engine.http.get(f"{S}/fs/read", params=path).status_code == 404
    assert engine.http.put(f"{S}/fs/write", params=path, content=b"x").status_code == 200


async def test_is_active_says_the_opposite(engine):
    async with engine.socket("sleep", "60") as (socket, told):
        told.take(await socket.recv())
        active = []
        for fault in ("is-active-wrong", "is-active-wrong=0"):
            engine.set(fault)
            active.append({one["is_active"] for one in engine.http.get(f"{S}/exec").json()["sessions"]})
        assert active == [{False}, {True}]
        engine.http.post(f"{S}/exec/{told.texts[0]['session_id']}/kill")


async def test_ended_sessions_vanish(engine):
    told = await engine.sh("true")
    kill = f"{S}/exec/{told.texts[0]['session_id']}/kill"
    assert engine.http.post(kill).status_code == 410
    engine.set("sessions-vanish")
    gone = engine.http.post(kill)
    assert (gone.status_code, gone.text) == (404, f"session not found: {told.texts[0]['session_id']}\n")
