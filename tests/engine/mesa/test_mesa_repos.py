import json

import pytest
from mesa_service import ROOT, Service


async def test_a_new_repo(service):
    repo = await service.post("repos", name="agent-workspace", tags={"Team": "core"})
    assert {name: repo[name] for name in repo if name not in ("id", "created_at")} == {
        "org": "my-org",
        "name": "agent-workspace",
        "default_bookmark": "main",
        "head_change_id": ROOT,
        "upstream": None,
        "tags": {"team": "core"},
    }
    assert repo["created_at"] == "2026-09-21T14:13:20.000Z"
    assert await service.get("agent-workspace") == repo
    bookmarks = (await service.get("agent-workspace/bookmarks"))["bookmarks"]
    assert bookmarks == [{"name": "main", "change_id": ROOT, "is_default": True}]


async def test_a_name_is_made_up_and_a_taken_one_refused(service):
    made = await service.post("repos")
    assert made["name"]
    assert (await service.call("POST", "repos", json={"name": made["name"].upper()})).status_code == 409
    assert len(list((service.state / "repos").iterdir())) == 1


@pytest.mark.parametrize("name", ["", "a/b", "..", "repos", "API-KEYS", "x.git", "é", "a" * 101, 7])
async def test_bad_names(service, name):
    reply = await service.call("POST", "repos", json={"name": name})
    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "name")


async def test_an_upstream_is_refused_rather_than_forgotten(service):
    reply = await service.call("POST", "repos", json={"name": "x", "upstream": {"url": "https://example.com/x.git"}})
    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "upstream")


async def test_update_renames_and_patches_tags(service):
    await service.repo()
    change = await service.change(a="1")
    await service.bookmark("dev", change)
    updated = await service.patch("work", name="Renamed", default_bookmark="dev", tags={"a": "1", "b": "2"})
    assert (updated["name"], updated["default_bookmark"], updated["head_change_id"]) == ("Renamed", "dev", change)
    assert (await service.patch("renamed", tags={"a": None}))["tags"] == {"b": "2"}
    assert (await service.call("GET", "work")).status_code == 404
    assert (await service.call("PATCH", "renamed", json={"default_bookmark": "absent"})).status_code == 404
    await service.repo("taken")
    assert (await service.call("PATCH", "renamed", json={"name": "taken"})).status_code == 409


async def test_pages_have_no_gaps_and_no_repeats(service):
    for number in range(7):
        await service.repo(f"r{number}")
    seen, cursor = [], {}
    while True:
        page = await service.get("repos", limit=3, **cursor)
        seen += [repo["name"] for repo in page["repos"]]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
        await service.call("DELETE", "r0")
    assert seen == [f"r{number}" for number in range(7)]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"limit": "²"}, {"cursor": "!"}])
async def test_bad_paging(service, query):
    assert (await service.call("GET", "repos", params=query)).status_code == 400


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"env": "PROD"}, ["a"]),
        ({"env": {"$in": ["prod", "dev"]}}, ["a", "b"]),
        ({"$or": [{"env": "dev"}, {"team": {"$contains": "or"}}]}, ["a", "b"]),
        ({"$and": [{"env": "prod"}, {"team": {"$starts_with": "co", "$ends_with": "re"}}]}, ["a"]),
        ({"$not": {"env": {"$exists": True}}}, ["c"]),
        ({}, ["a", "b", "c"]),
        ("env:prod,team=core", ["a"]),
    ],
)
async def test_tag_filters(service, wanted, found):
    await service.post("repos", name="a", tags={"env": "Prod", "team": "core"})
    await service.post("repos", name="b", tags={"env": "dev"})
    await service.post("repos", name="c")
    text = wanted if isinstance(wanted, str) else json.dumps(wanted)
    assert [repo["name"] for repo in (await service.get("repos", tags=text))["repos"]] == found


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"a": 1}', '{"$nor": []}', '{"a": {"$in": "x"}}', '{"$and": {}}', "novalue", '{"a":{}}', "[" * 9999],
)
async def test_bad_tag_filters(service, text):
    reply = await service.call("GET", "repos", params={"tags": text})
    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "tags")


async def test_bulk_tags(service):
    ids = [(await service.repo(name))["id"] for name in ("a", "b")]
    body = {"repo_ids": ids, "action": "set", "key": "Env", "value": "x"}
    assert await service.patch("repos/tags", **body) == {"updated": 2}
    assert await service.patch("repos/tags", **body) == {"updated": 2}
    assert (await service.get("a"))["tags"] == {"env": "x"}
    assert await service.patch("repos/tags", repo_ids=ids[:1], action="remove", key="env") == {"updated": 1}
    assert (await service.get("a"))["tags"] == {}
    assert (await service.call("PATCH", "repos/tags", json={**body, "repo_ids": ["x"]})).status_code == 404
    assert (await service.call("PATCH", "repos/tags", json={**body, "value": None})).status_code == 400


async def test_delete_takes_everything(service):
    await service.repo()
    await service.change(a="1")
    assert (await service.call("DELETE", "work")).json() == {"success": True}
    assert (await service.call("GET", "work")).status_code == 404
    assert list((service.state / "repos").iterdir()) == []
    await service.repo()
    assert (await service.get("work/changes"))["changes"] == []


async def test_a_deletion_cut_short_is_finished_or_undone_at_the_start(service):
    kept, gone = await service.repo("kept"), await service.repo("gone")
    await service.change(repo="kept", a="1")
    folder = service.state / "repos"
    for repo in (kept, gone):
        (folder / f"{repo['id']}.git").rename(folder / f"{repo['id']}.deleted")
    service.mesa.database.execute("DELETE FROM repo WHERE id = ?", gone["id"])
    again = Service(service.state, service.mesa.bootstrap)
    assert [place.name for place in folder.iterdir()] == [f"{kept['id']}.git"]
    assert (await again.get("kept/content"))["child_count"] == 0
    await again.close()


async def test_a_lock_that_a_kill_left_is_no_obstacle(service):
    repo = await service.repo()
    (service.state / "repos" / f"{repo['id']}.git" / "refs/heads/main.lock").touch()
    await service.bookmark("main", await service.change(a="1"))
    assert (service.state / "repos" / f"{repo['id']}.git" / "refs/heads/main").exists()
