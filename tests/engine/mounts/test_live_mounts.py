import asyncio
import os
import time

import pytest


async def test_what_is_written_in_an_empty_repo_is_its_first_change(world):
    await world.post("repos", name="work")
    _, place = await world.mounted("one")
    (place / "src").mkdir()
    (place / "src" / "a.txt").write_text("hello\n")
    assert await world.cat("src/a.txt") == b"hello\n"
    change = (await world.http.get(f"/my-org/work/changes/{await world.head()}")).json()
    assert change["files"] == ["src/a.txt"]
    assert change["authors"] == [{"name": "bootstrap", "email": change["author"]["email"]}]


async def test_edits_evolve_the_mounted_change_itself(world):
    change_id = await world.seeded(a="1", b="2", d__e="3")
    _, place = await world.mounted("one")
    assert (place / "d" / "e").read_text() == "3"
    (place / "a").write_text("one")
    (place / "b").unlink()
    os.rename(place / "d" / "e", place / "moved")
    (place / "run").write_text("#!/bin/sh\n")
    (place / "run").chmod(0o755)
    (place / "link").symlink_to("moved")
    assert await world.files() == ["a", "link", "moved", "run"]
    assert await world.head() == change_id
    run = (await world.http.get("/my-org/work/content", params={"path": "run"})).json()
    link = (await world.http.get("/my-org/work/content", params={"path": "link"})).json()
    assert (run["mode"], link["type"], await world.cat("link")) == ("100755", "symlink", b"moved")


async def test_an_edit_is_committed_by_itself(world):
    await world.seeded(a="1")
    _, place = await world.mounted("one")
    (place / "a").write_text("2")
    refs = world.folder / "mesa" / "repos"
    [repo] = refs.iterdir()
    before = (repo / "refs" / "heads" / "main").read_text()

    async def moved():
        return (repo / "refs" / "heads" / "main").read_text() != before

    await world.eventually(moved)


async def test_folders_replaced_renamed_and_removed(world):
    await world.seeded(d__x="1", d__y="2", e__z="3", f="4")
    _, place = await world.mounted("one")
    for name in ("x", "y"):
        (place / "d" / name).unlink()
    (place / "d").rmdir()
    (place / "d").mkdir()
    (place / "d" / "new").write_text("5")
    (place / "e" / "z").unlink()
    (place / "e").rmdir()
    (place / "e").write_text("a file now")
    (place / "f").unlink()
    (place / "f").mkdir()
    (place / "f" / "inside").write_text("6")
    (place / "empty").mkdir()
    assert await world.files() == ["d/new", "e", "f/inside"]


async def test_two_sprites_see_each_others_edits(world):
    await world.seeded(a="1")
    _, one = await world.mounted("one")
    _, other = await world.mounted("other")
    (one / "a").write_text("from one")
    assert (other / "a").read_text() == "from one"


async def test_an_edit_by_rest_appears_in_the_mount(world):
    change_id = await world.seeded(a="1", d__e="2", gone="3")
    _, place = await world.mounted("one")
    (place / "mine").write_text("mine")
    reply = await world.patch(change_id, a="changed", d__f="new", gone=None, d__e=None)
    assert reply.status_code == 200, reply.text
    assert (place / "a").read_text() == "changed"
    assert sorted(os.listdir(place)) == ["a", "d", "mine"]
    assert os.listdir(place / "d") == ["f"]
    if world.host.isolated:
        assert (place / "a").stat().st_uid == world.host.ids.sprite_uid
    assert await world.files() == ["a", "d/f", "mine"]


async def test_a_parents_edit_reaches_the_mount_of_the_change_on_it(world):
    parent = await world.seeded(a="1")
    child = (await world.post("work/changes", base_change_id=parent, files=[]))["id"]
    _, below = await world.mounted("one")
    _, above = await world.mounted("other", revisions={"work": f"change-id:{child}"})
    (below / "b").write_text("from below")

    async def arrived():
        return (above / "b").exists()

    await world.eventually(arrived)
    (above / "c").write_text("from above")
    assert await world.files() == ["a", "b"]
    assert await world.files(change_id=child) == ["a", "b", "c"]


async def test_a_symlink_in_the_way_is_not_followed(world, tmp_path):
    change_id = await world.seeded(d__e="1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    _, place = await world.mounted("one")
    (place / "d" / "e").unlink()
    (place / "d").rmdir()
    (place / "d").symlink_to(outside)
    (place / "stolen").symlink_to(outside / "secret")
    (place / ".gitignore").symlink_to(outside / "secret")
    assert await world.cat("stolen") == str(outside / "secret").encode()
    assert (await world.patch(change_id, d__new="x")).status_code == 200
    assert os.listdir(outside) == ["secret"]


async def test_special_files_stay_where_they_are(world):
    await world.seeded(a="1", b="2")
    _, place = await world.mounted("one")
    os.mkfifo(place / "pipe")
    (place / "a").unlink()
    os.mkfifo(place / "a")
    (place / "later").write_text("x")
    assert await world.files() == ["b", "later"]


async def test_ignored_files_stay_local(world):
    await world.seeded(tracked__log="1")
    _, place = await world.mounted("one")
    (place / ".gitignore").write_text("node_modules/\n*.log\n!keep.log\ntracked/\n")
    for name in ("node_modules/x/index.js", "a.log", "keep.log", "sub/b.log", ".git/config", ".DS_Store", "core"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x")
    (place / "tracked" / "log").write_text("changed")
    (place / "tracked" / "new").write_text("local")
    assert await world.files() == [".gitignore", "keep.log", "tracked/log"]
    assert await world.cat("tracked/log") == b"changed"
    (place / ".gitignore").unlink()
    assert "a.log" in await world.files()


async def test_a_reader_gets_a_mount_that_does_not_write(world):
    await world.seeded(a="1")
    key = await world.key("read")
    sandbox, place = await world.mounted("one", key["key"])
    assert sandbox.placed["/mnt/my-org/work"] is True
    assert (place / "a").read_text() == "1"
    if world.host.isolated:
        with pytest.raises(OSError, match="Read-only"):
            (place / "a").write_text("2")
    else:
        (place / "a").write_text("2")
    assert await world.cat("a") == b"1"


async def test_revocation_ends_the_writing_at_once(world):
    await world.seeded(a="1")
    key = await world.key("write")
    sandbox, place = await world.mounted("one", key["key"])
    (place / "a").write_text("before")
    await world.http.delete(f"/my-org/api-keys/{key['id']}")
    assert sandbox.read_only == {"/mnt/my-org/work"}
    assert await world.cat("a") == b"before"
    assert (await world.mount("one", sandbox, key["key"]))["ok"] is False


async def test_expiry_ends_the_writing(world):
    await world.seeded(a="1")
    key = await world.key("write", expires_in_seconds=100)
    sandbox, place = await world.mounted("one", key["key"])
    (place / "a").write_text("before")
    world.now += 101

    async def over():
        return bool(sandbox.read_only)

    await world.eventually(over)
    assert await world.cat("a") == b"before"
    assert world.mounts.mounted("one")[0]["read_only"]


async def test_detaching_saves_the_last_edits_and_leaves_nothing(world):
    await world.seeded(a="1")
    _sandbox, place = await world.mounted("one")
    (place / "a").write_text("last")
    await world.drop_mounts()
    await world.mounts.detach("one")
    assert await world.cat("a") == b"last"
    assert list((world.folder / "mounts").iterdir()) == []
    assert world.mounts.mounted("one") == []


async def test_mounting_again_keeps_the_files(world):
    await world.seeded(a="1")
    sandbox, place = await world.mounted("one")
    (place / "a").write_text("2")
    assert (await world.mount("one", sandbox))["ok"]
    assert (place / "a").read_text() == "2"
    assert len(world.mounts.mounted("one")) == 1


async def test_after_a_crash_what_was_written_is_committed(world):
    await world.seeded(a="1", b="2")
    _, place = await world.mounted("one")
    await world.cat("a")
    for keeper in world.mounts._trees._keepers.values():
        keeper.cancel()
    await asyncio.sleep(0)
    (place / "a").write_text("after")
    (place / "new").write_text("too")
    (place / "b").unlink()
    await world.crash()
    await world.start()
    assert await world.cat("a") == b"after"
    assert await world.files() == ["a", "new"]
    assert list((world.folder / "mounts").iterdir()) == []


async def test_after_a_crash_an_empty_repo_has_its_first_change(world):
    await world.post("repos", name="work")
    _, place = await world.mounted("one")
    for keeper in world.mounts._trees._keepers.values():
        keeper.cancel()
    await asyncio.sleep(0)
    (place / "a").write_text("1")
    await world.crash()
    await world.start()
    assert await world.files() == ["a"]


async def test_deleting_the_repo_takes_its_mounts_away(world):
    await world.seeded(a="1")
    _sandbox, place = await world.mounted("one")
    (place / "a").write_text("2")
    assert (await world.http.delete("/my-org/work")).status_code == 200
    assert not (place / "a").exists()
    assert world.mounts.mounted("one") == []


async def test_only_what_the_credential_permits_is_mounted(world):
    await world.seeded(a="1")
    other = await world.post("repos", name="other")
    key = await world.key("write", repo_ids=[other["id"]])
    sandbox = world.sandbox()
    reply = await world.mount("one", sandbox, key["key"])
    assert [mount["repo"] for mount in reply["mounts"]] == ["other"]
    refused = await world.mount("one", sandbox, key["key"], only=["work"])
    assert refused == {"ok": False, "error": "repository 'work' was not found", "exit": 1}


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"op": "mesa.mount"},
        {"op": "mesa.mount", "mount_point": "relative", "orgs": []},
        {"op": "mesa.mount", "mount_point": "/mnt", "orgs": [{"org": 1, "credential": "x"}]},
        {"op": "mesa.mount", "mount_point": "/mnt", "orgs": [{"org": "my-org", "credential": "wrong"}]},
        {"op": "mesa.unmount", "path": 7},
        {"op": "sudo"},
    ],
)
async def test_bad_requests_are_refused_in_words(world, request_):
    reply = await world.mounts.request("one", world.sandbox(), "sprite", request_)
    assert reply["ok"] is False
    assert reply["error"] and reply["exit"] in (1, 2)


async def test_many_files_are_committed_quickly(world):
    await world.post("repos", name="work")
    _, place = await world.mounted("one")
    for number in range(2000):
        (place / f"{number}.txt").write_text(str(number))
    started = time.monotonic()
    reply = await world.http.get("/my-org/work/content", params={"depth": 1})
    assert reply.json()["child_count"] == 2000
    print(f"2,000 files: {time.monotonic() - started:.3f} s")


@pytest.mark.parametrize("scope", ["read", "write"])
async def test_the_mount_of_an_empty_repo_follows_its_bookmark(world, scope):
    await world.post("repos", name="work")
    _, place = await world.mounted("one", (await world.key(scope))["key"])
    change = await world.post("work/changes", base_change_id="z" * 32, files=[{"path": "a", "content": "MQ=="}])
    await world.http.patch("/my-org/work/bookmarks/main", json={"change_id": change["id"]})
    assert (place / "a").read_text() == "1"
    if scope == "write":
        (place / "b").write_text("2")
        assert await world.files() == ["a", "b"]
        assert await world.head() == change["id"]
