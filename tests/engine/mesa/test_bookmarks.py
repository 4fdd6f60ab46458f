import base64

import pytest
from mesa_service import ROOT, encoded


@pytest.fixture
async def sides(service):
    """main, and two changes on it that edit the same line of poem."""
    await service.repo()
    base = await service.change(poem="one\ntwo\nthree\n", other="o\n", dropped="d\n")
    await service.bookmark("main", base)
    left = await service.change(base, poem="one\nLEFT\nthree\n", left="l\n", dropped="edited\n")
    right = await service.change(base, poem="one\nRIGHT\nthree\n", right="r\n", dropped=None)
    await service.bookmark("left", left)
    await service.bookmark("feat/right", right)
    return base, left, right


async def test_create_get_list_delete(service):
    await service.repo()
    change = await service.change(a="1")
    made = await service.post("work/bookmarks", name="feat/x", change_id=change)
    assert made == {"name": "feat/x", "change_id": change, "is_default": False}
    assert await service.get("work/bookmarks/feat%2Fx") == made
    assert (await service.call("GET", "work/bookmarks/feat/x")).status_code == 404
    names = [one["name"] for one in (await service.get("work/bookmarks", glob="f*x"))["bookmarks"]]
    assert names == ["feat/x"]
    assert (await service.get("work/bookmarks", glob="[f]*"))["bookmarks"] == []
    assert (await service.call("DELETE", "work/bookmarks/feat%2Fx")).json() == {"success": True}
    assert (await service.call("GET", "work/bookmarks/feat%2Fx")).status_code == 404
    assert (await service.call("DELETE", "work/bookmarks/main")).status_code == 409


@pytest.mark.parametrize("name", ["", "a b", "a..b", "/a", "a/", "a.lock", "a~b", "x" * 201, "@{", "é\0"])
async def test_bad_bookmark_names(service, name):
    await service.repo()
    reply = await service.call("POST", "work/bookmarks", json={"name": name, "change_id": ROOT})
    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "name")


async def test_names_that_cannot_be_together(service):
    await service.repo()
    await service.post("work/bookmarks", name="a/b", change_id=ROOT)
    for name in ("a/b", "a", "a/b/c"):
        reply = await service.call("POST", "work/bookmarks", json={"name": name, "change_id": ROOT})
        assert reply.status_code == 409


async def test_moves_go_forward_where_the_client_knows_the_word(service):
    await service.repo()
    first = await service.change(a="1")
    second = await service.change(first, a="2")
    beside = await service.change(first, b="2")
    moved = await service.patch("work/bookmarks/main", change_id=second, allow_backwards=False)
    assert moved == {"name": "main", "change_id": second, "is_default": True, "from_change_id": ROOT}
    for target in (first, beside, ROOT):
        body = {"change_id": target, "allow_backwards": False}
        assert (await service.call("PATCH", "work/bookmarks/main", json=body)).status_code == 409
    assert (await service.patch("work/bookmarks/main", change_id=beside, allow_backwards=True))["change_id"] == beside
    assert (await service.patch("work/bookmarks/main", change_id=first))["change_id"] == first
    assert (await service.call("PATCH", "work/bookmarks/main", json={"change_id": "k" * 32})).status_code == 404


async def test_a_clean_merge_is_always_a_merge_commit(service, sides):
    base, left, _ = sides
    merged = await service.post("work/bookmarks/merge", 200, target="main", source="left", delete_source=True)
    assert (merged["merge_type"], merged["is_conflicted"], merged["source_deleted"]) == ("merge_commit", False, True)
    change = await service.get(f"work/changes/{merged['change_id']}")
    assert (change["parents"], change["message"]) == ([base, left], "Merge bookmark 'left' into 'main'")
    assert change["current_commit_oid"] == merged["commit_oid"]
    assert (await service.get("work"))["head_change_id"] == merged["change_id"]
    assert (await service.call("GET", "work/bookmarks/left")).status_code == 404


async def test_nothing_to_merge(service, sides):
    await service.post("work/bookmarks", name="same", change_id=sides[0])
    merged = await service.post("work/bookmarks/merge", 200, target="main", source="same")
    assert (merged["merge_type"], merged["change_id"]) == ("no_op", sides[0])


async def test_merging_into_an_empty_repo(service):
    await service.repo()
    change = await service.change(a="1")
    await service.bookmark("dev", change)
    merged = await service.post("work/bookmarks/merge", 200, target="main", source="dev", message="")
    assert (await service.get(f"work/changes/{merged['change_id']}"))["parents"] == [change]
    assert await service.paths(merged["change_id"]) == ["a"]


async def test_a_conflict_is_refused_and_tells_its_hunks(service, sides):
    await service.post("work/bookmarks/merge", 200, target="main", source="left")
    before = await service.get("work/bookmarks")
    reply = await service.call("POST", "work/bookmarks/merge", json={"target": "main", "source": "feat/right"})
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (409, "MERGE_CONFLICT")
    assert error["details"]["conflict_paths"] == ["dropped", "poem"]
    dropped, poem = error["details"]["conflicted_entries"]
    assert (dropped["path"], dropped["hunks"]) == ("dropped", [])
    [hunk] = poem["hunks"]
    told = {side: base64.b64decode(hunk[side]["content"]) for side in ("base", "target", "source")}
    assert told == {"base": b"two\n", "target": b"LEFT\n", "source": b"RIGHT\n"}
    assert (hunk["old_start"], hunk["old_lines"]) == (2, 1)
    assert await service.get("work/bookmarks") == before


async def merge_right(service, *resolutions, status=200, **options):
    return await service.post(
        "work/bookmarks/merge", status, target="main", source="feat/right", resolutions=list(resolutions), **options
    )


async def hunk_of_poem(service):
    error = (await merge_right(service, status=409))["error"]
    return error["details"]["conflicted_entries"][1]["hunks"][0]["hunk_id"]


async def test_resolutions_by_hunk_by_file_and_by_side(service, sides):
    await service.post("work/bookmarks/merge", 200, target="main", source="left")
    hunk_id = await hunk_of_poem(service)
    assert await hunk_of_poem(service) == hunk_id
    merged = await merge_right(
        service,
        {"path": "poem", "hunks": [{"hunk_id": hunk_id, "content": encoded("BOTH\n")}]},
        {"path": "dropped", "take": "source"},
    )
    assert not merged["is_conflicted"]
    assert await service.cat("poem", merged["change_id"]) == b"one\nBOTH\nthree\n"
    assert await service.paths(merged["change_id"]) == ["left", "other", "poem", "right"]


async def test_resolutions_that_do_not_cover(service, sides):
    await service.post("work/bookmarks/merge", 200, target="main", source="left")
    whole = {"path": "dropped", "content": encoded("kept\n")}
    wrong = {"path": "poem", "hunks": [{"hunk_id": "wrong", "take": "target"}]}
    error = (await merge_right(service, whole, wrong, status=409))["error"]
    assert error["details"]["conflict_paths"] == ["poem"]
    assert (await merge_right(service, {"path": "other", "take": "target"}, status=400))["error"]
    for bad in ({"path": "poem"}, {"path": "poem", "take": "target", "content": ""}, {"path": "poem", "hunks": []}):
        assert (await merge_right(service, bad, status=400))["error"]["details"]["field"].startswith("resolutions.0")


async def test_a_conflicted_merge_that_is_allowed_and_resolved_later(service, sides):
    await service.post("work/bookmarks/merge", 200, target="main", source="left")
    merged = await merge_right(service, allow_conflicted=True)
    assert merged["is_conflicted"]
    shown = await service.get("work/content", path="poem")
    assert shown["is_conflicted"] and b"<<<<<<< " in base64.b64decode(shown["content"])
    part = await service.patch(f"work/changes/{merged['change_id']}", resolutions=[{"path": "poem", "take": "target"}])
    assert part["is_conflicted"]
    whole = await service.patch(
        f"work/changes/{merged['change_id']}", resolutions=[{"path": "dropped", "take": "target"}]
    )
    assert not whole["is_conflicted"]
    assert await service.cat("poem", merged["change_id"]) == b"one\nLEFT\nthree\n"


async def test_a_file_against_a_folder(service):
    await service.repo()
    base = await service.change(a="1\n")
    await service.bookmark("main", await service.change(base, x="a file\n"))
    await service.bookmark("other", await service.change(base, x__y="in a folder\n"))
    merged = await service.post("work/bookmarks/merge", 200, target="main", source="other", allow_conflicted=True)
    assert "x/y" in await service.paths(merged["change_id"])


async def test_what_cannot_be_merged(service, sides):
    for body, status in (
        ({"target": "main", "source": "main"}, 400),
        ({"target": "main", "source": "absent"}, 404),
        ({"target": "left", "source": "main", "delete_source": True}, 409),
        ({"target": "main"}, 400),
    ):
        assert (await service.call("POST", "work/bookmarks/merge", json=body)).status_code == status
