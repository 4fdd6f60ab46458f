"""Whole requests: slow, refused, done and not answered."""

import httpx
import pytest
from faulty_engine import SPRITE
from websockets.exceptions import InvalidHandshake, InvalidStatus

FS = f"/v1/sprites/{SPRITE}/fs"


def written(engine, name):
    return engine.http.put(f"{FS}/write", params={"path": f"/home/sprite/{name}"}, content=b"x")


def is_there(engine, name):
    return engine.http.get(f"{FS}/read", params={"path": f"/home/sprite/{name}"}).status_code == 200


def test_latency(engine):
    engine.set("latency=x1:1h@POST", "latency=x1:50ms@GET")
    with pytest.raises(httpx.ReadTimeout):
        engine.http.post("/v1/sprites", json={"name": "later"}, timeout=0.3)
    assert engine.http.get("/v1/sprites").status_code == 200
    assert engine.http.get("/v1/sprites/later").status_code == 404
    assert engine.fired == {"latency=x1:1h@POST": 1, "latency=x1:50ms@GET": 1}


def test_hang(engine):
    engine.set("hang=x1")
    with pytest.raises(httpx.ReadTimeout):
        engine.http.post("/v1/sprites", json={"name": "never"}, timeout=0.3)
    assert engine.http.get("/v1/sprites/never").status_code == 404


def test_rate_limit_as_documented(engine):
    engine.set("rate-limit=x2:7")
    made = engine.http.post("/v1/sprites", json={"name": "too-many"})
    other = engine.http.get("/v1/sprites")
    assert made.status_code == other.status_code == 429 and made.headers["Retry-After"] == "7"
    assert int(made.headers["X-RateLimit-Limit"]) == made.json()["limit"] and "X-RateLimit-Reset" in made.headers
    body = made.json()
    assert (body["error"], body["retry_after_seconds"]) == ("sprite_creation_rate_limited", 7) and body["message"]
    assert other.json()["error"] == "rate_limited"
    assert engine.http.get("/v1/sprites/too-many").status_code == 404


def test_rate_limit_of_mesa(engine):
    engine.set("rate-limit=x1")
    answer = engine.mesa.get("/whoami")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1") and answer.json()["error"]["code"]
    assert engine.mesa.get("/whoami").status_code == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_unavailable_does_nothing(engine, status):
    engine.set(f"unavailable=x2:{status}")
    assert written(engine, f"refused-{status}").status_code == status
    assert engine.mesa.post("/my-org/repos", json={"name": f"refused-{status}"}).status_code == status
    assert not is_there(engine, f"refused-{status}")
    assert engine.mesa.get(f"/my-org/refused-{status}").status_code == 404


async def test_a_refused_socket_has_no_command(engine):
    engine.set("unavailable=x1@WS")
    with pytest.raises(InvalidStatus) as refused:
        await engine.sh("touch /home/sprite/refused-socket")
    assert refused.value.response.status_code == 503
    assert not is_there(engine, "refused-socket")


def test_lost_answer_is_done_all_the_same(engine):
    engine.set("lost-answer=x2")
    with pytest.raises(httpx.RemoteProtocolError):
        written(engine, "lost")
    with pytest.raises(httpx.RemoteProtocolError):
        engine.mesa.post("/my-org/repos", json={"name": "lost"})
    assert is_there(engine, "lost") and engine.mesa.get("/my-org/lost").status_code == 200


def test_lost_answer_as_a_502(engine):
    engine.set("lost-answer-502=x2")
    assert written(engine, "lost-502").status_code == 502
    assert engine.mesa.post("/my-org/repos", json={"name": "lost-502"}).json()["error"]["code"] == "BAD_GATEWAY"
    assert is_there(engine, "lost-502") and engine.mesa.get("/my-org/lost-502").status_code == 200


def test_a_stream_that_is_lost_is_done_too(engine):
    engine.set("lost-answer=x1")
    with pytest.raises(httpx.RemoteProtocolError):
        engine.http.post(f"/v1/sprites/{SPRITE}/checkpoint", json={"comment": "lost"})
    assert "lost" in [one.get("comment") for one in engine.http.get(f"/v1/sprites/{SPRITE}/checkpoints").json()]


def test_answers_of_what_changes_nothing_are_not_lost(engine):
    engine.set("lost-answer", "lost-answer-502")
    assert engine.http.get("/v1/sprites").status_code == 200


async def test_a_command_whose_socket_was_lost_has_begun(engine):
    for fault in ("lost-answer", "lost-answer-502"):
        engine.set(f"{fault}=x1")
        with pytest.raises(InvalidHandshake):
            await engine.sh(f"touch /home/sprite/begun-{fault}")
        await engine.sh(f"until [ -e /home/sprite/begun-{fault} ]; do sleep 0.02; done")


@pytest.mark.parametrize("fault", ["cut-answer=x1", "cut-answer=x1:0", "cut-answer=x1:70000"])
def test_an_answer_cut_in_its_body(engine, fault):
    content = bytes(300_000)
    engine.http.put(f"{FS}/write", params={"path": "/home/sprite/long"}, content=content)
    engine.set(fault)
    got = b""
    read = engine.http.stream("GET", f"{FS}/read", params={"path": "/home/sprite/long"})
    with pytest.raises(httpx.RemoteProtocolError), read as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            got += piece
    assert len(got) < len(content)
    assert fault != "cut-answer=x1:70000" or len(got) == 70_000
    assert engine.fired == {fault: 1}


def test_a_short_answer_is_cut_too(engine):
    engine.set("cut-answer:4000")
    with pytest.raises(httpx.RemoteProtocolError):
        engine.http.get("/v1/sprites")
    with pytest.raises(httpx.RemoteProtocolError):
        engine.mesa.get("/whoami")


def test_a_stream_is_cut_before_its_end(engine):
    engine.set("cut-answer=x1:1000000")
    with pytest.raises(httpx.RemoteProtocolError):
        engine.http.post(f"/v1/sprites/{SPRITE}/exec", params={"cmd": ["echo", "x"]})


def test_refused_credentials(engine):
    engine.set("sprites-401=x1", "mesa-401=x1")
    sprites, mesa = engine.http.get("/v1/sprites"), engine.mesa.get("/whoami")
    assert (sprites.status_code, sprites.json()) == (401, {"error": "authentication failed"})
    assert (mesa.status_code, mesa.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert "WWW-Authenticate" in mesa.headers
    assert engine.http.get("/v1/sprites").status_code == engine.mesa.get("/whoami").status_code == 200


def minted(engine):
    return engine.mesa.post("/my-org/api-keys", json={"expires_in_seconds": 3600})


def test_a_minted_key_that_ends_early(engine):
    engine.set("key-ends-early=x1:0s")
    early, usual = minted(engine).json(), minted(engine).json()
    statuses = [
        engine.mesa.get("/whoami", headers={"Authorization": f"Bearer {key['key']}"}).status_code
        for key in (early, usual)
    ]
    assert statuses == [401, 200]
    expired = engine.mesa.get("/my-org/api-keys", params={"status": "expired"}).json()["api_keys"]
    assert early["id"] in [key["id"] for key in expired]


def test_no_minting(engine):
    engine.set("no-minting=x1")
    assert (minted(engine).status_code, minted(engine).status_code) == (404, 201)


def test_long_urls(engine):
    engine.set("url-limit:1K")
    command = f"/v1/sprites/{SPRITE}/exec"
    assert engine.http.post(command, params={"cmd": ["true", "x" * 2000]}).status_code == 431
    assert engine.http.post(command, params={"cmd": ["true", "x" * 200]}).status_code == 200
