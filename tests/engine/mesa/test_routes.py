import asyncio
import random

import pytest
from mesa_service import ROOT

from mesabox.engine.mesa.routes import _TABLE

JUNK = [None, True, 0, -1, 1e308, "", "x", "\0", "a/b", "z" * 32, ROOT, "é" * 300, [], [None], {}, {"a": 1}, ["x"] * 3]
FIELDS = sorted(
    [
        "name",
        "scopes",
        "repo_ids",
        "expires_in_seconds",
        "tags",
        "default_bookmark",
        "upstream",
        "action",
        "key",
        "value",
        "change_id",
        "allow_backwards",
        "target",
        "source",
        "delete_source",
        "allow_conflicted",
        "message",
        "resolutions",
        "base_change_id",
        "author",
        "committer",
        "files",
        "base_commit_oid",
    ]
)


async def test_the_organization(service):
    await service.repo()
    headers = {"authorization": f"Bearer {service.mesa.bootstrap.api_key}"}
    told = (await service.http.get("/my-org", headers=headers)).json()
    assert told == {"created_at": "2026-09-21T14:13:20.000Z", "num_repos": 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "webhook-targets/x"),
        ("POST", "work/upstream/syncs"),
        ("PUT", "work"),
        ("GET", "work/"),
        ("GET", "work/content/x"),
        ("OPTIONS", "repos"),
        ("POST", "work/bookmarks/main"),
        ("GET", "work/changes/main"),
        ("GET", "%ff"),
    ],
)
async def test_paths_that_are_not_there(service, method, path):
    await service.repo()
    reply = await service.call(method, path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_no_body_brings_the_service_down(service):
    """Whatever is sent, the answer is a refusal in the envelope, or a success; never a 500."""
    chance = random.Random(1)
    await service.repo()
    change = await service.change(a="1")
    for _ in range(400):
        method, path, *_ = chance.choice(_TABLE)
        filled = path.format(org="my-org", repo="work", bookmark="main", change_id=change, id="x")
        if (method, path) == ("DELETE", "/{org}/{repo}"):
            continue
        body = {field: junk(chance) for field in chance.sample(FIELDS, 6)}
        query = {
            name: chance.choice(["", "x", "1", "\0", "z" * 32, "{"]) for name in ("cursor", "limit", "path", "tags")
        }
        reply = await service.call(method, filled.removeprefix("/my-org/"), json=body, params=query)
        assert reply.status_code < 500, (method, path, body, query, reply.text)


def junk(chance: random.Random, depth: int = 2):
    if depth and chance.random() < 0.3:
        keys = ["path", "content", "take", "hunks", "hunk_id", "mode", "action", "name", "email", "date"]
        item = {key: junk(chance, depth - 1) for key in chance.sample(keys, 4)}
        return chance.choice([item, [item]])
    return chance.choice(JUNK)


async def test_an_unforeseen_failure_is_a_500_with_a_trace_and_no_details(service, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(service.mesa.repos, "all", broken)
    reply = await service.call("GET", "repos")
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (500, "INTERNAL_ERROR")
    assert error["trace_id"] in capsys.readouterr().err
    assert "secret" not in reply.text


async def test_many_at_once_on_one_repo(service):
    await service.repo()
    base = await service.change(a="0")
    await asyncio.gather(*(service.change(base, **{f"f{number}": "x"}) for number in range(20)))
    changes = [service.call("PATCH", f"work/changes/{base}", json={"message": str(n)}) for n in range(20)]
    assert {reply.status_code for reply in await asyncio.gather(*changes)} == {200}
