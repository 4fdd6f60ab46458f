"""One request: what is repeated, what is not, and what a refusal becomes."""

import json

import httpx
import pytest

from mesabox.clients.transport import Transport
from mesabox.errors import (
    Conflict,
    CredentialsProblem,
    Failed,
    NotFound,
    OutcomeUnknown,
    ServiceError,
    TryLater,
)

SECRET = "mesa_sekrit"


class Token:
    def token(self):
        return SECRET


class Service:
    """Answers from a list, the last one for ever; a failure in it is raised. Every pause is kept, none is slept."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.pauses = []
        handler = httpx.MockTransport(self.answer)
        self.http = Transport("Sprites", "https://api.example", Token(), transport=handler, pause=self.pause)

    def answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def pause(self, seconds):
        self.pauses.append(seconds)

    async def send(self, method, **options):
        return await self.http.send(method, "/v1/sprites/a", subject="sprite 'a'", **options)


def reply(status, body=None, **headers):
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return httpx.Response(status, content=content, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("failure", [reply(503), httpx.ReadError("cut"), httpx.ConnectError("refused")])
async def test_what_can_be_repeated_is(method, failure):
    service = Service(failure, reply(200, {"ok": 1}))
    assert (await service.send(method)).json() == {"ok": 1}
    assert len(service.pauses) == 1


async def test_a_post_that_may_have_arrived_is_sent_once():
    service = Service(httpx.ReadError("cut"), reply(200))
    with pytest.raises(OutcomeUnknown):
        await service.send("POST")
    assert len(service.requests) == 1


@pytest.mark.parametrize("never_arrived", [httpx.ConnectError("refused"), reply(429, retry_after="2")])
async def test_a_post_that_was_not_taken_is_sent_again(never_arrived):
    service = Service(never_arrived, reply(201))
    assert (await service.send("POST")).status_code == 201


async def test_a_server_error_after_a_post_is_not_repeated():
    service = Service(reply(503), reply(201))
    with pytest.raises(TryLater):
        await service.send("POST")
    assert len(service.requests) == 1


class Broken(httpx.AsyncByteStream):
    """A body that breaks off."""

    async def __aiter__(self):
        yield b"{"
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


async def test_an_answer_that_breaks_off_is_asked_for_again_where_that_does_nothing_twice():
    service = Service(httpx.Response(200, stream=Broken()), reply(200, {"ok": 1}))
    assert (await service.send("GET")).json() == {"ok": 1}
    service = Service(httpx.Response(201, stream=Broken()), reply(201))
    with pytest.raises(OutcomeUnknown):
        await service.send("POST")
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [502, 504])
async def test_what_an_edge_answers_to_a_post_tells_nothing_of_what_was_done(status):
    service = Service(reply(status), reply(201))
    with pytest.raises(OutcomeUnknown) as caught:
        await service.send("POST")
    assert len(service.requests) == 1 and "look whether" in caught.value.fix


async def test_a_delete_whose_answer_was_lost_is_done_when_it_is_gone():
    service = Service(httpx.ReadError("cut"), reply(404, {"error": "sprite not found"}))
    await service.send("DELETE")


async def test_it_waits_as_long_as_the_body_says_before_the_header():
    service = Service(reply(429, {"retry_after_seconds": 3}, retry_after="9"), reply(200))
    await service.send("GET")
    assert service.pauses == [3.0]


async def test_a_long_wait_is_reported_instead():
    service = Service(reply(429, {"error": "sprite_creation_rate_limited", "message": "too many"}, retry_after="60"))
    with pytest.raises(TryLater) as caught:
        await service.send("POST")
    assert (caught.value.fix, service.pauses) == ("try again in 60 s", [])


async def test_it_gives_up_and_says_that_it_could_not_talk():
    service = Service(httpx.ConnectError("Connection refused"))
    with pytest.raises(TryLater) as caught:
        await service.send("GET", params={"secret": "in-the-query"})
    assert caught.value.code == "unreachable" and "in-the-query" not in caught.value.what + caught.value.why
    assert len(service.requests) == 4


async def test_the_credential_is_signed_into_every_request():
    service = Service(reply(200))
    await service.send("GET")
    assert service.requests[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (reply(401, {"error": "authentication failed"}), CredentialsProblem, "authentication failed"),
        (reply(403, {"error": {"code": "FORBIDDEN", "message": "no"}}), CredentialsProblem, "no"),
        (reply(404, {"error": {"code": "NOT_FOUND", "message": "no such repo"}}), NotFound, "no such repo"),
        (reply(404, b"session not found: 7"), NotFound, "session not found: 7"),
        (reply(404, {"error": "gone", "code": "ENOENT", "path": "/x"}), NotFound, "gone"),
        (reply(500, {"error": "is a directory", "code": "EISDIR", "path": "/x"}), Failed, "is a directory"),
        (reply(500, {"error": "failed to retrieve sprite"}), NotFound, "failed to retrieve"),
        (reply(500, b"Failed to get checkpoint: checkpoint not found: x"), NotFound, "checkpoint not found"),
        (reply(409, {"error": "A sprite named 'a' already exists."}), Conflict, "already exists"),
        (reply(410, b"ended"), NotFound, "ended"),
        (reply(400, {"errors": ["invalid sprite name format", "and more"]}), ServiceError, "format; and more"),
        (reply(418, b"<html>teapot</html>"), ServiceError, "Sprites answered 418"),
    ],
)
async def test_a_refusal_in_any_shape_becomes_our_error(answer, kind, told):
    with pytest.raises(kind) as caught:
        await Service(answer).send("POST")
    assert told in caught.value.why
    assert "<html>" not in caught.value.why


async def test_a_refusal_that_quotes_the_credential_does_not_show_it():
    with pytest.raises(CredentialsProblem) as caught:
        await Service(reply(401, {"error": f"bad token {SECRET}"})).send("GET")
    assert SECRET not in caught.value.why and "***" in caught.value.why


async def test_a_body_that_ends_early_is_told():
    service = Service(*[httpx.Response(200, stream=Broken()) for _ in range(4)])
    with pytest.raises(TryLater):
        await service.send("GET", repeatable=True)


async def test_an_answer_that_is_not_json_is_told():
    with pytest.raises(ServiceError) as caught:
        await Service(reply(200, b"hello")).http.json("GET", "/", subject="sprites")
    assert caught.value.code == "bad_reply"
