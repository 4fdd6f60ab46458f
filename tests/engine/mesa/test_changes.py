import subprocess

import pytest
from mesa_service import ROOT, edits, encoded

from mesabox.wire import mesa_tokens as tokens

EPOCH = "1970-01-01T00:00:00.000Z"


async def test_a_change_moves_no_bookmark(service):
    await service.repo()
    change = await service.post("work/changes", base_change_id=ROOT, message="first", files=edits(a="1"))
    assert (change["message"], change["parents"], change["is_conflicted"]) == ("first", [ROOT], False)
    assert change["author"]["name"] == change["authors"][0]["name"] == "bootstrap"
    assert change["authored_at"] == "2026-09-21T14:13:20.000Z"
    assert (await service.get("work"))["head_change_id"] == ROOT
    shown = await service.get(f"work/changes/{change['id']}")
    assert (shown["files"], shown["conflicts"]) == (["a"], [])


async def test_the_virtual_root_is_a_change(service):
    await service.repo()
    root = await service.get(f"work/changes/{ROOT}")
    assert root["authors"] == [] and root["parents"] == []
    assert root["committer"] == {"name": "", "email": "", "date": EPOCH}
    assert (await service.call("PATCH", f"work/changes/{ROOT}", json={"message": "x"})).status_code == 400


async def test_evolving_keeps_the_id_and_rebases_what_stands_on_it(service):
    await service.repo()
    first = await service.change(a="1\n", b="1\n")
    second = await service.change(first, a="2\n")
    third = await service.change(second, c="3\n")
    await service.bookmark("main", third)
    before = {one: await service.get(f"work/changes/{one}") for one in (first, second, third)}
    service.now += 5
    patched = await service.patch(f"work/changes/{first}", files=edits(b="changed\n", d="new\n"))
    assert patched["id"] == first
    after = {one: await service.get(f"work/changes/{one}") for one in (first, second, third)}
    assert all(after[one]["current_commit_oid"] != before[one]["current_commit_oid"] for one in after)
    assert [after[one]["files"] for one in (second, third)] == [["a"], ["c"]]
    assert after[third]["parents"] == [second]
    assert after[third]["created_at"] == before[third]["created_at"] != after[third]["updated_at"]
    assert await service.paths(third) == ["a", "b", "c", "d"]
    assert await service.cat("b", third) == b"changed\n"
    assert (await service.get("work"))["head_change_id"] == third


async def test_a_rebase_that_does_not_fit_is_a_conflict_until_it_is_resolved(service):
    await service.repo()
    first = await service.change(a="one\n")
    second = await service.change(first, a="two\n")
    third = await service.change(second, b="b\n")
    await service.patch(f"work/changes/{first}", files=edits(a="uno\n"))
    for change in (second, third):
        assert (await service.get(f"work/changes/{change}"))["conflicts"] == ["a"]
    text = (await service.cat("a", third)).decode()
    assert text.splitlines() == [
        "<<<<<<< Conflict 1 of 1",
        "%%%%%%% Changes from base to side #1",
        "-one",
        "+uno",
        "+++++++ Contents of side #2",
        "two",
        ">>>>>>> Conflict 1 of 1 ends",
    ]
    refused = await service.call("PATCH", f"work/changes/{second}", json={"files": edits(a="x")})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "MERGE_CONFLICT")
    assert refused.json()["error"]["details"]["conflict_paths"] == ["a"]
    resolved = await service.patch(f"work/changes/{second}", resolutions=[{"path": "a", "take": "source"}])
    assert not resolved["is_conflicted"]
    assert (await service.get(f"work/changes/{third}"))["conflicts"] == []
    assert await service.cat("a", third) == b"two\n"


async def test_the_lock_on_the_commit(service):
    await service.repo()
    change = await service.post("work/changes", base_change_id=ROOT, files=edits(a="1"))
    stale = change["current_commit_oid"]
    moved = await service.patch(f"work/changes/{change['id']}", message="new", base_commit_oid=stale)
    assert moved["message"] == "new"
    late = await service.call("PATCH", f"work/changes/{change['id']}", json={"message": "x", "base_commit_oid": stale})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "LOCK_CONFLICT")
    assert (await service.patch(f"work/changes/{change['id']}"))["message"] == "new"
    assert (await service.patch(f"work/changes/{change['id']}", message=""))["message"] == ""


async def test_authors_come_from_the_token_then_the_body(service):
    await service.repo()
    ada = {"name": "Ada", "email": "ada@example.com", "date": "2020-01-01T00:00:00Z"}
    change = await service.post("work/changes", base_change_id=ROOT, author=ada, committer={"name": "C", "email": ""})
    assert (change["authors"], change["authored_at"]) == (
        [{"name": "Ada", "email": "ada@example.com"}],
        "2020-01-01T00:00:00.000Z",
    )
    assert change["committer"]["name"] == "C"
    key = tokens.PrivateKey.parse(service.mesa.bootstrap.private_key)
    authors = [tokens.Author("Bob"), tokens.Author("Eve", "e@x")]
    token = tokens.sign_admin_token(key, now=service.now, authors=authors)
    body = {"base_change_id": change["id"], "author": ada}
    signed = (await service.call("POST", "work/changes", credential=token, json=body)).json()
    assert signed["authors"] == [{"name": "Bob", "email": None}, {"name": "Eve", "email": "e@x"}]
    assert signed["author"]["email"] == ""
    kept = await service.patch(f"work/changes/{signed['id']}", message="by another")
    assert kept["authors"] == signed["authors"]


async def test_modes_and_deletions(service):
    await service.repo()
    files = [{"path": "d/run", "content": encoded("x"), "mode": "100755"}, {"path": "d/other", "content": encoded("y")}]
    first = (await service.post("work/changes", base_change_id=ROOT, files=files))["id"]
    second = await service.change(first, d__run="changed", d__other=None)
    assert (await service.get("work/content", change_id=second, path="d/run"))["mode"] == "100755"
    assert await service.paths(second) == ["d/run"]
    third = await service.change(second, d="a file now")
    assert await service.paths(third) == ["d"]
    assert await service.paths(await service.change(third, d__again="folder")) == ["d/again"]
    absent = await service.call("POST", "work/changes", json={"base_change_id": first, "files": edits(nope=None)})
    assert absent.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/abs",
        "a/",
        "a//b",
        "../x",
        "a/../b",
        "./a",
        ".git/config",
        "a/.GIT",
        "git~1",
        ".git ",
        "a\0b",
        "x" * 256,
        "a/" * 201 + "b",
    ],
)
async def test_paths_that_no_repo_can_hold(service, path):
    await service.repo()
    body = {"base_change_id": ROOT, "files": [{"path": path, "content": ""}]}
    reply = await service.call("POST", "work/changes", json=body)
    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "files.0.path")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "base_change_id"),
        ({"base_change_id": "main"}, "base_change_id"),
        ({"base_change_id": ROOT, "message": "a\0b"}, "message"),
        ({"base_change_id": ROOT, "author": {"name": "a<b", "email": "x"}}, "author"),
        ({"base_change_id": ROOT, "author": {"name": "a", "email": "x", "date": "today"}}, "author"),
        ({"base_change_id": ROOT, "files": [{"path": "a"}]}, "files.0"),
        ({"base_change_id": ROOT, "files": [{"path": "a", "content": "*"}]}, "files.0.content"),
        ({"base_change_id": ROOT, "files": [{"path": "a", "content": "", "encoding": "utf-8"}]}, "files.0.encoding"),
        ({"base_change_id": ROOT, "files": [{"path": "a", "content": "", "mode": "120000"}]}, "files.0.mode"),
        ({"base_change_id": ROOT, "files": "x"}, "files"),
    ],
)
async def test_bad_bodies_name_the_field(service, body, field):
    await service.repo()
    reply = await service.call("POST", "work/changes", json=body)
    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, field), reply.text


@pytest.mark.parametrize("content", [b"{", b"\xff", b'"x"', b'{"base_change_id": "\\ud800"}', b"[" * 100_000, b"null"])
async def test_bodies_that_are_no_json_object(service, content):
    await service.repo()
    assert (await service.call("POST", "work/changes", content=content)).status_code == 400


async def test_too_large_a_body(service, monkeypatch):
    monkeypatch.setattr("mesabox.engine.mesa.calls.MOST_BODY", 1000)
    await service.repo()
    assert (await service.call("POST", "work/changes", content=b"x" * 1001)).status_code == 413

    async def pieces():
        for _ in range(20):
            yield b"x" * 100

    assert (await service.call("POST", "work/changes", content=pieces())).status_code == 413


async def test_history_is_listed_newest_first(service):
    await service.repo()
    ids = [await service.change(a="0")]
    for number in range(1, 6):
        service.now += 1
        ids.append(await service.change(ids[-1], a=str(number)))
    await service.bookmark("main", ids[-1])
    assert [one["id"] for one in (await service.get("work/changes"))["changes"]] == ids[::-1]
    await service.bookmark("old", ids[1])
    assert [one["id"] for one in (await service.get("work/changes", bookmark="old"))["changes"]] == ids[1::-1]
    page = await service.get("work/changes", limit=4)
    rest = await service.get("work/changes", limit=4, cursor=page["next_cursor"])
    assert [one["id"] for one in page["changes"] + rest["changes"]] == ids[::-1]
    assert (await service.call("GET", "work/changes", params={"bookmark": "absent"})).status_code == 404


async def test_the_folder_is_a_git_repository_like_any_other(service):
    await service.repo()
    change = await service.post("work/changes", base_change_id=ROOT, message="first", files=edits(a="1"))
    await service.bookmark("feat/x", change["id"])
    [place] = (service.state / "repos").iterdir()

    def git(*words):
        return subprocess.run(["git", "-C", place, *words], capture_output=True, text=True, check=True).stdout

    assert git("rev-parse", "feat/x").strip() == change["current_commit_oid"]
    assert f"change-id {change['id']}" in git("cat-file", "-p", "feat/x")
    git("fsck", "--strict")
