import pytest
from mesa_service import ROOT, encoded

from mesabox.engine.mesa import diffs


@pytest.fixture
async def pair(service):
    await service.repo()
    base = await service.change(same="s\n", edited="one\ntwo\nthree\n", gone="g\n", old__name="a longer text\n" * 5)
    files = [
        {"path": "edited", "content": encoded("one\nTWO\nthree")},
        {"path": "gone", "action": "delete"},
        {"path": "new", "content": encoded("n\n")},
        {"path": "old/name", "action": "delete"},
        {"path": "new-name", "content": encoded("a longer text\n" * 5)},
        {"path": "binary", "content": encoded(b"\0\1\2")},
    ]
    head = (await service.post("work/changes", base_change_id=base, files=files))["id"]
    return base, head


async def diff(service, base, head, **query):
    return await service.get("work/diff", base_change_id=base, head_change_id=head, **query)


async def test_entries_with_hunks(service, pair):
    told = await diff(service, *pair)
    entries = {entry["path"]: entry for entry in told["entries"]}
    assert {path: entry["status"] for path, entry in entries.items()} == {
        "binary": "added",
        "edited": "modified",
        "gone": "deleted",
        "new": "added",
        "new-name": "renamed",
    }
    assert entries["new-name"]["old_path"] == "old/name"
    assert (entries["binary"]["omitted_reason"], entries["binary"]["hunks"]) == ("binary", None)
    [hunk] = entries["edited"]["hunks"]
    assert [(line["kind"], line["text"]) for line in hunk["lines"]] == [
        ("context", "one"),
        ("deleted", "two"),
        ("deleted", "three"),
        ("added", "TWO"),
        ("added", "three"),
        ("annotation", "\\ No newline at end of file"),
    ]
    assert told["stats"] == {
        "entries": 5,
        "additions": 3,
        "deletions": 3,
        "changes": 6,
        "conflicted_entries": 0,
        "conflicted_hunks": 0,
    }
    assert (told["truncated"], told["conflicted_entries"]) == (False, [])


async def test_as_a_patch(service, pair):
    base, head = pair
    reply = await service.call(
        "GET",
        "work/diff",
        params={"base_change_id": base, "head_change_id": head},
        headers={"accept": "text/plain"},
    )
    assert reply.headers["content-type"].startswith("text/plain")
    assert "rename from old/name\nrename to new-name\n" in reply.text
    assert "-two\n-three\n+TWO\n+three\n\\ No newline at end of file\n" in reply.text


async def test_limits(service, pair, monkeypatch):
    monkeypatch.setattr(diffs, "MOST_ENTRIES", 3)
    monkeypatch.setattr(diffs, "MOST_FILES_WITH_HUNKS", 2)
    monkeypatch.setattr(diffs, "MOST_TEXT", 4)
    told = await diff(service, *pair)
    assert told["truncated"]
    reasons = [(entry["path"], entry["omitted_reason"]) for entry in told["entries"]]
    assert reasons == [("binary", "binary"), ("edited", "too_large"), ("gone", "file_limit")]


async def test_conflicts_are_told_apart(service):
    await service.repo()
    base = await service.change(poem="one\n")
    await service.bookmark("main", await service.change(base, poem="left\n", a="1\n"))
    await service.bookmark("right", await service.change(base, poem="right\n"))
    merged = await service.post("work/bookmarks/merge", 200, target="main", source="right", allow_conflicted=True)
    head = merged["change_id"]
    told = await diff(service, base, head)
    assert [entry["path"] for entry in told["entries"]] == ["a"]
    assert [entry["path"] for entry in told["conflicted_entries"]] == ["poem"]
    assert (told["stats"]["conflicted_entries"], told["stats"]["conflicted_hunks"]) == (1, 1)
    assert (await diff(service, base, head, conflicts="only"))["entries"] == []
    assert (await diff(service, base, head, conflicts="exclude"))["conflicted_entries"] == []
    await service.patch(f"work/changes/{head}", resolutions=[{"path": "poem", "take": "source"}])
    assert (await diff(service, base, head))["conflicted_entries"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"base_change_id": ROOT}, 400),
        ({"base_change_id": ROOT, "head_change_id": "x"}, 400),
        ({"base_change_id": ROOT, "head_change_id": "k" * 32}, 404),
        ({"base_change_id": ROOT, "head_change_id": ROOT, "conflicts": "some"}, 400),
        ({"base_change_id": ROOT, "head_change_id": ROOT}, 200),
    ],
)
async def test_bad_questions(service, query, status):
    await service.repo()
    assert (await service.call("GET", "work/diff", params=query)).status_code == status
