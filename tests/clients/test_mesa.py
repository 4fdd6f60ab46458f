"""Mesa's client: paths, pages, minting in both ways, and answers that are not as documented."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest

from mesabox.clients.base import Repo, Secret
from mesabox.clients.mesa.client import MesaClient
from mesabox.clients.mesa.credentials import ApiKey, SigningKey
from mesabox.clients.transport import Transport
from mesabox.errors import CredentialsProblem, ServiceError, Unsupported, UsageProblem
from mesabox.wire.mesa_claims import parse_token
from mesabox.wire.mesa_tokens import PrivateKey

KEY = PrivateKey("acme", bytes(range(32)))
REPO = Repo("r1", "acme", "notes", "main", "z" * 32, datetime.now(UTC))
REPO_BODY = {
    "id": "r1",
    "org": "acme",
    "name": "notes",
    "default_bookmark": "main",
    "head_change_id": "z" * 32,
    "created_at": "2026-05-06T12:00:00.000Z",
    "tags": {},
}
KEY_BODY = {
    "id": "k1",
    "key": "mesa_minted",
    "name": "n",
    "scopes": ["read"],
    "repo_ids": ["r1"],
    "tags": {},
    "created_at": "2026-05-06T12:00:00Z",
}


class Mesa:
    """routes: (method, raw path) -> answer, or a function of the request. What was asked is kept."""

    def __init__(self, routes, *, credential=None, **options):
        self.routes = routes
        self.requests = []
        self.said = []
        credential = credential or ApiKey(Secret("mesa_key"))
        http = Transport("Mesa", "https://mesa.example/v1", credential, transport=httpx.MockTransport(self.answer))
        self.client = MesaClient(http, credential, tell=self.said.append, **options)

    def answer(self, request):
        self.requests.append(request)
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/v1")
        answer = self.routes.get((request.method, path), (404, {"error": {"code": "NOT_FOUND", "message": "no"}}))
        status, body = answer(request) if callable(answer) else answer
        return httpx.Response(status, json=body)

    def body(self, index=-1):
        return json.loads(self.requests[index].content)


WHOAMI = {
    ("GET", "/whoami"): (200, {"org": {"id": "o", "slug": "acme", "name": "A"}, "key_id": "k", "scopes": ["read"]})
}


async def test_the_organization_is_asked_once_and_only_when_it_is_not_known():
    mesa = Mesa({**WHOAMI, ("GET", "/acme/notes"): (200, REPO_BODY)})
    assert (await mesa.client.repo("notes")).id == "r1"
    await mesa.client.repo("notes")
    assert [request.url.path for request in mesa.requests].count("/v1/whoami") == 1
    told = Mesa({("GET", "/acme/notes"): (200, REPO_BODY)}, org="acme")
    await told.client.repo("notes")
    assert len(told.requests) == 1


async def test_a_name_is_encoded_whole():
    path = "/acme/notes/bookmarks/feat%2Fx"
    mesa = Mesa({("GET", path): (200, {"name": "feat/x", "change_id": "z" * 32, "is_default": False})}, org="acme")
    assert (await mesa.client.bookmark("notes", "feat/x")).name == "feat/x"


async def test_lists_are_read_to_the_last_page():
    def page(request):
        cursor = parse_qs(request.url.query.decode()).get("cursor", [""])[0]
        following = {"": "2", "2": None}[cursor]
        return 200, {
            "repos": [{**REPO_BODY, "id": cursor or "1"}],
            "next_cursor": following,
            "has_more": bool(following),
        }

    mesa = Mesa({("GET", "/acme/repos"): page}, org="acme")
    assert [repo.id async for repo in mesa.client.repos()] == ["1", "2"]


async def test_minting_with_an_api_key():
    mesa = Mesa({("POST", "/acme/api-keys"): (201, KEY_BODY)}, org="acme")
    key = await mesa.client.mint_key(name="n", scopes=["read"], ttl=3600, repos=[REPO], tags={"mesabox": "run"})
    assert (key.id, key.secret.reveal(), key.revocable) == ("k1", "mesa_minted", True)
    assert mesa.body() == {
        "name": "n",
        "scopes": ["read"],
        "expires_in_seconds": 3600,
        "repo_ids": ["r1"],
        "tags": {"mesabox": "run"},
    }
    assert "mesa_minted" not in repr(key)


async def test_minting_with_a_private_key_asks_nobody():
    mesa = Mesa({}, credential=SigningKey(KEY))
    key = await mesa.client.mint_key(name="n", scopes=["read", "write"], ttl=600, repos=[REPO])
    claims = parse_token(key.secret.reveal()).payload
    assert claims["access"] == {"notes": "write-repo"} and claims["exp"] - claims["iat"] == 600
    assert (mesa.requests, key.revocable, key.id) == ([], False, "")


async def test_a_signed_token_lives_four_hours_at_most_and_says_so():
    mesa = Mesa({}, credential=SigningKey(KEY))
    key = await mesa.client.mint_key(name="n", scopes=["read"], ttl=None, repos=[REPO])
    assert (key.expires_at - key.created_at).total_seconds() == 14_400
    assert "4 hours" in mesa.said[0]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_service_that_mints_no_keys_any_more_is_signed_for_and_it_is_said(status):
    refusal = (status, {"error": {"code": "X", "message": "keys are gone"}})
    mesa = Mesa({("POST", "/acme/api-keys"): refusal}, org="acme", signing=SigningKey(KEY))
    key = await mesa.client.mint_key(name="n", scopes=["read"], ttl=600, repos=[REPO])
    assert not key.revocable and "MESA_PRIVATE_KEY" in mesa.said[0] and "keys are gone" in mesa.said[0]


async def test_without_a_private_key_that_is_said_and_what_to_do():
    with pytest.raises(Unsupported) as told:
        await Mesa({}, org="acme").client.mint_key(name="n", scopes=["read"], ttl=600, repos=[REPO])
    assert "MESA_PRIVATE_KEY" in told.value.fix


async def test_a_token_for_more_repos_than_it_can_name():
    mesa = Mesa({}, credential=SigningKey(KEY))
    with pytest.raises(UsageProblem):
        await mesa.client.mint_key(name="n", scopes=["read"], ttl=600, repos=[])


async def test_every_request_of_a_private_key_signs_anew():
    mesa = Mesa({("GET", "/acme/notes"): (200, REPO_BODY)}, credential=SigningKey(KEY))
    await mesa.client.repo("notes")
    await mesa.client.repo("notes")
    first, second = (request.headers["authorization"] for request in mesa.requests)
    assert first != second


@pytest.mark.parametrize("body", [{}, [], {**REPO_BODY, "created_at": "yesterday"}])
async def test_an_answer_that_is_not_as_documented(body):
    with pytest.raises(ServiceError):
        await Mesa({("GET", "/acme/notes"): (200, body)}, org="acme").client.repo("notes")


async def test_a_diff_counts_its_lines():
    lines = [{"kind": kind, "text": ""} for kind in ("context", "added", "added", "deleted")]
    entry = {"path": "f", "status": "modified", "old_path": None, "omitted_reason": None, "hunks": [{"lines": lines}]}
    binary = {**entry, "path": "b", "hunks": None, "omitted_reason": "binary"}
    body = {
        "base_change_id": "a",
        "head_change_id": "b",
        "stats": {"additions": 2, "deletions": 1},
        "entries": [entry, binary],
        "truncated": False,
    }
    diff = await Mesa({("GET", "/acme/notes/diff"): (200, body)}, org="acme").client.diff("notes", "a", "b")
    assert [(e.additions, e.deletions) for e in diff.entries] == [(2, 1), (None, None)]


def test_a_private_key_that_is_none_is_never_quoted():
    with pytest.raises(CredentialsProblem) as caught:
        SigningKey.parse("mesa_private_key_acme_SECRETBODY")
    assert "SECRETBODY" not in str(caught.value) + caught.value.why
