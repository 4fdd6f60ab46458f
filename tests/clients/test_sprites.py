"""Sprites' client: pages, files, checkpoints told in lines, and minimal or recorded bodies."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from mesabox.clients.base import Secret
from mesabox.clients.sprites.client import SpritesClient, SpritesToken
from mesabox.clients.transport import Transport
from mesabox.errors import Conflict, Failed, NotFound, OutcomeUnknown

RECORDED = {
    "id": "sprite-a84931f7-2ebe-42d7-90a2-08d4ff1833f8",
    "name": "demo",
    "status": "cold",
    "version": None,
    "url": "https://demo-j34t.sprites.app",
    "updated_at": "2026-01-31T15:39:01.956486Z",
    "created_at": "2026-01-31T15:39:01.956486Z",
    "organization": "test-org",
    "url_settings": {"auth": "sprite"},
    "environment_version": None,
}


def client(answer):
    http = Transport("Sprites", "https://s.example", SpritesToken(Secret("t")), transport=httpx.MockTransport(answer))
    return SpritesClient(http)


def lines(*events):
    return httpx.Response(200, content="".join(json.dumps(event) + "\n" for event in events).encode())


async def test_a_recorded_sprite():
    sprite = await client(lambda _: httpx.Response(201, json=RECORDED)).create_sprite("demo")
    assert (sprite.name, sprite.organization) == ("demo", "test-org")
    assert sprite.created_at == datetime(2026, 1, 31, 15, 39, 1, 956486, UTC)


async def test_a_name_that_is_taken():
    taken = httpx.Response(409, json={"error": "A sprite named 'demo' already exists. Please choose a different name."})
    with pytest.raises(Conflict):
        await client(lambda _: taken).create_sprite("demo")


async def test_a_list_ends_with_its_token_whatever_has_more_says():
    def answer(request):
        if "continuation_token" in request.url.params:
            return httpx.Response(200, json={"sprites": [{"name": "b"}], "has_more": True})
        return httpx.Response(200, json={"sprites": [RECORDED], "next_continuation_token": "t", "has_more": False})

    assert [sprite.name async for sprite in client(answer).sprites()] == ["demo", "b"]


async def test_a_checkpoint_id_is_read_out_of_the_lines():
    answer = lines(
        {"type": "info", "data": "Creating checkpoint..."},
        {"type": "info", "data": "Checkpoint created successfully"},
        {"type": "info", "data": "\nCheckpoint Details:"},
        {"type": "info", "data": "  ID: v7", "time": "2026-01-31T12:24:41.779658713Z"},
        {"type": "info", "data": "  sprite checkpoint restore v7"},
        {"type": "complete", "data": "Checkpoint v7 created successfully"},
    )
    assert await client(lambda _: answer).create_checkpoint("demo", "why") == "v7"


@pytest.mark.parametrize(("text", "kind"), [("checkpoint not found: v9", NotFound), ("disk is full", Failed)])
async def test_a_failure_inside_a_200(text, kind):
    with pytest.raises(kind) as caught:
        await client(lambda _: lines({"type": "error", "error": text})).restore_checkpoint("demo", "v9")
    assert caught.value.why == text


async def test_a_stream_that_ends_without_its_end_is_unknown():
    with pytest.raises(OutcomeUnknown):
        await client(lambda _: lines({"type": "info", "data": "Restoring..."})).restore_checkpoint("demo", "v1")


async def test_checkpoints_without_the_pseudo_entry():
    body = [{"id": "Current", "create_time": "2026-01-31T15:39:04Z"}, {"id": "v1", "comment": "first"}]
    kept = await client(lambda _: httpx.Response(200, json=body)).checkpoints("demo")
    assert [(checkpoint.id, checkpoint.comment) for checkpoint in kept] == [("v1", "first")]


@pytest.mark.parametrize("wrapped", [True, False])
async def test_sessions_in_the_newer_and_the_older_form(wrapped):
    entries = [{"id": 1847, "command": "make", "workdir": "/", "tty": True, "is_active": True, "created": None}]
    body = {"count": 1, "sessions": entries} if wrapped else entries
    assert (await client(lambda _: httpx.Response(200, json=body)).sessions("demo"))[0].id == "1847"


async def test_killing_what_has_ended_is_fine_and_what_never_was_is_not():
    await client(lambda _: httpx.Response(410, text="ended")).kill_session("demo", "7")
    with pytest.raises(NotFound):
        await client(lambda _: httpx.Response(404, text="session not found: 7")).kill_session("demo", "7")


async def test_files_are_written_and_read():
    stored = {}

    def answer(request):
        path = request.url.params["path"]
        if request.method == "PUT":
            assert request.url.params["mode"] == "0600"
            stored[path] = request.content
            return httpx.Response(200, json={"path": path, "size": len(request.content), "mode": "0600"})
        return httpx.Response(200, content=stored[path])

    sprites = client(answer)
    await sprites.write_file("demo", "/tmp/a b", b"\0bytes", mode="0600")
    assert b"".join([piece async for piece in sprites.read_file("demo", "/tmp/a b")]) == b"\0bytes"


async def test_a_missing_file():
    gone = httpx.Response(404, json={"error": "no such file", "code": "ENOENT", "path": "/x"})
    with pytest.raises(NotFound):
        await client(lambda _: gone).list_files("demo", "/x")
