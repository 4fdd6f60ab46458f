import pytest
from mesa_service import ROOT, edits, encoded


@pytest.fixture
async def tree(service):
    await service.repo()
    files = [
        {"path": "docs/a b.txt", "content": encoded("hello\n")},
        {"path": "docs/deep/x", "content": encoded(b"\0\xff")},
        {"path": "run.sh", "content": encoded("#!"), "mode": "100755"},
    ]
    change = (await service.post("work/changes", base_change_id=ROOT, files=files))["id"]
    await service.bookmark("main", change)
    return change


async def test_a_file(service, tree):
    file = await service.get("work/content", path="docs/a b.txt")
    assert file == {
        "type": "file",
        "name": "a b.txt",
        "path": "docs/a b.txt",
        "sha": "ce013625030ba8dba906f756967f9e9ca394464a",
        "size": 6,
        "encoding": "base64",
        "content": encoded("hello\n"),
        "mode": "100644",
        "is_conflicted": False,
    }
    assert (await service.get("work/content", path="run.sh"))["mode"] == "100755"
    assert await service.cat("docs/deep/x", tree) == b"\0\xff"


async def test_folders_by_depth(service, tree):
    root = await service.get("work/content")
    assert (root["type"], root["name"], root["path"], root["child_count"]) == ("dir", "", "", 2)
    assert [(entry["type"], entry["path"]) for entry in root["entries"]] == [("dir", "docs"), ("file", "run.sh")]
    assert root["entries"][1]["size"] == 2
    assert (await service.get("work/content", depth=0))["entries"] == []
    paths = [entry["path"] for entry in (await service.get("work/content", depth=3))["entries"]]
    assert paths == ["docs", "docs/a b.txt", "docs/deep", "docs/deep/x", "run.sh"]
    assert (await service.get("work/content", path="/docs/"))["child_count"] == 2


async def test_an_empty_repo_is_an_empty_folder(service):
    await service.repo()
    folder = await service.get("work/content")
    assert (folder["sha"], folder["entries"]) == ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", [])
    assert await service.get("work/content", change_id=ROOT) == folder


async def test_what_cannot_be_had(service, tree):
    octets = {"accept": "application/octet-stream"}
    assert (await service.call("GET", "work/content", headers=octets)).status_code == 406
    for query, status in (
        ({"path": "absent"}, 404),
        ({"path": "run.sh/x"}, 404),
        ({"path": "a/../b"}, 400),
        ({"path": ".git/config"}, 400),
        ({"path": "a\0b"}, 400),
        ({"depth": "11"}, 400),
        ({"depth": "-1"}, 400),
        ({"change_id": "short"}, 400),
        ({"change_id": "k" * 32}, 404),
    ):
        reply = await service.call("GET", "work/content", params=query)
        assert reply.status_code == status, (query, reply.text)


async def test_both_spellings_of_a_change_id(service, tree):
    plain = tree.translate(str.maketrans("zyxwvutsrqponmlk", "0123456789abcdef"))
    assert await service.get("work/content", change_id=plain) == await service.get("work/content", change_id=tree)


async def test_metadata_filters_drop_what_has_none(service, tree):
    assert (await service.get("work/content", **{"metadata[tag]": "x"}))["entries"] == []
    assert (await service.get("work/content", tag="x"))["entries"] == []
    assert (await service.get("work/content", path="run.sh", tag="x"))["type"] == "file"


async def test_what_a_change_held_at_a_commit(service):
    await service.repo()
    change_id = await service.change(a="1", d__b="2")
    before = (await service.get(f"work/changes/{change_id}"))["current_commit_oid"]
    await service.patch(f"work/changes/{change_id}", files=edits(a="one", d__b=None))
    assert await service.cat("a", before) == b"1" and await service.cat("a", change_id) == b"one"
    assert (await service.paths(before), await service.paths(change_id)) == (["a", "d/b"], ["a"])
    assert await service.cat("a", "0" * 40) is None
