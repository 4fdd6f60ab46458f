"""The sprites as a client lists them, and bodies that do not validate."""

import json

import httpx
import pytest

from tests.engine.sprites.conftest import NAME


def test_names_may_be_percent_encoded(sprites):
    encoded = "".join(f"%{ord(letter):02x}" for letter in NAME)
    url = httpx.URL(f"{sprites.base_url}").copy_with(raw_path=f"/v1/sprites/{encoded}".encode())
    assert sprites.get(url).json()["name"] == NAME


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"[" * 50_000,
        b"{}",
        b'{"name":1}',
        b'{"name":"A"}',
        b'{"name":"-a"}',
        b'{"name":"x","labels":[1]}',
        b'{"name":"x","environment":{"A=B":"c"}}',
        b'{"name":"x","environment":{"A":"\\u0000"}}',
        b'{"name":"x","url_settings":{"auth":"no"}}',
    ],
)
def test_bodies_that_do_not_validate(sprites, body):
    answer = sprites.post("/v1/sprites", content=body)
    assert answer.status_code == 400 and answer.json()["errors"]


def test_checkpoints_of_a_sprite_that_did_not_wake_in_between(sprites):
    name = "sleeper"
    sprites.post("/v1/sprites", json={"name": name})
    for call in ("checkpoint", "checkpoints/v1/restore", "checkpoint", "checkpoints/v2/restore", "checkpoint"):
        last = json.loads(sprites.post(f"/v1/sprites/{name}/{call}").text.splitlines()[-1])
        assert last["type"] == "complete", (call, last)
    answer = sprites.post(f"/v1/sprites/{name}/exec?cmd=hostname")
    assert answer.content == b"\1sleeper\n\3\0"
    assert sprites.delete(f"/v1/sprites/{name}").status_code == 204


def test_pages_and_counts(sprites):
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        assert sprites.post("/v1/sprites", json={"name": name}).status_code == 201
        assert sprites.post("/v1/sprites", json={"name": name}).status_code == 409
    seen, token = [], None
    while True:
        query = {"prefix": "page-", "max_results": "2"} | ({"continuation_token": token} if token else {})
        page = sprites.get("/v1/sprites", params=query).json()
        seen += [sprite["name"] for sprite in page["sprites"]]
        token = page["next_continuation_token"]
        assert page["has_more"] is bool(token)
        assert sum(page["org"][status] for status in ("running", "warm", "cold")) == 5
        if not token:
            break
    assert seen == names
    assert len(sprites.get("/v1/sprites?max_results=100").json()["sprites"]) >= 5
    assert sprites.get("/v1/sprites?max_results=x").status_code == 400
    for name in names:
        assert sprites.delete(f"/v1/sprites/{name}").status_code == 204
        assert sprites.delete(f"/v1/sprites/{name}").status_code == 404


def test_watching_the_list(sprites):
    accept = {"Accept": "application/x-ndjson"}
    sprites.post("/v1/sprites", json={"name": "watched"})
    with sprites.stream("GET", "/v1/sprites", params={"prefix": "watched"}, headers=accept) as answer:
        event = json.loads(next(answer.iter_lines()))
        assert event["name"] == "watched" and event["status"] in ("cold", "running") and "type" not in event
    sprites.delete("/v1/sprites/watched")
