"""mesa-sdk 0.49.1 with a private key: it signs a token for each request, with the authors in it. Asserts as it goes."""

import asyncio
import base64
import os

import mesa_sdk
from mesa_sdk import FileUpsert, Mesa, repo
from mesa_sdk.types import HunkFix, HunkResolution, WholeFileResolution

ROOT = "z" * 32
ADA, BOB = {"name": "Ada", "email": "ada@example.com"}, {"name": "Bob"}
NAME = "agent-workspace"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def decoded(file) -> str:
    return base64.b64decode(file.content).decode()


async def refused(kind: type[Exception], call) -> Exception:
    try:
        await call
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


async def write(mesa: Mesa, base: str, text: str):
    files = [FileUpsert("poem.txt", encoded(text))]
    return await mesa.changes.create(repo=NAME, base_change_id=base, message="m", authors=[ADA, BOB], files=files)


async def main() -> None:
    async with Mesa(private_key=os.environ["MESA_PRIVATE_KEY"], api_url=os.environ["MESA_URL"]) as mesa:
        assert "admin" in (await mesa.whoami()).scopes
        assert (await mesa.repos.create(name=NAME)).head_change_id == ROOT
        base = await write(mesa, ROOT, "one\ntwo\nthree\n")
        assert [(author.name, author.email) for author in base.authors] == [("Ada", "ada@example.com"), ("Bob", None)]
        await mesa.bookmarks.move(repo=NAME, bookmark="main", change_id=base.id)
        assert (await mesa.bookmarks.get(repo=NAME, bookmark="main")).change_id == base.id
        left = await write(mesa, base.id, "one\nTWO\nthree\n")
        right = await write(mesa, base.id, "one\n2\nthree\nfour\n")
        await mesa.bookmarks.create(repo=NAME, name="left/side", change_id=left.id)
        await mesa.bookmarks.create(repo=NAME, name="right", change_id=right.id)
        await forward_only(mesa, base.id, left.id)
        await conflicted(mesa)
        await filtered(mesa)
        layout = mesa.fs(layout={"/w": repo(NAME, mode="rw")}, authors=[ADA])
        print((await layout.token()).token)


async def forward_only(mesa: Mesa, older: str, newer: str) -> None:
    await refused(mesa_sdk.ConflictError, mesa.bookmarks.move(repo=NAME, bookmark="left/side", change_id=older))
    await mesa.bookmarks.move(repo=NAME, bookmark="left/side", change_id=older, allow_backwards=True)
    await mesa.bookmarks.move(repo=NAME, bookmark="left/side", change_id=newer)


async def conflicted(mesa: Mesa) -> None:
    merged = await mesa.bookmarks.merge(repo=NAME, target="main", source="left/side", authors=[ADA])
    assert merged.merge_type == "merge_commit" and not merged.is_conflicted
    kept = await mesa.bookmarks.merge(repo=NAME, target="main", source="right", allow_conflicted=True, authors=[ADA])
    assert kept.is_conflicted
    change = await mesa.changes.get(repo=NAME, change_id=kept.change_id)
    assert change.conflicts == ["poem.txt"] and change.is_conflicted
    shown = await mesa.content.get(repo=NAME, path="poem.txt")
    assert shown.is_conflicted and decoded(shown).startswith("one\n<<<<<<< Conflict 1 of 1\n%%%%%%% Changes"), shown
    await refused(
        mesa_sdk.ConflictError, mesa.changes.patch(repo=NAME, change_id=change.id, message="x", authors=[ADA])
    )
    diff = await mesa.diffs.get(repo=NAME, base_change_id=ROOT, head_change_id=change.id)
    [disputed] = diff.conflicted_entries
    assert not diff.entries and diff.stats.conflicted_hunks == 1
    fix = HunkFix(disputed.hunks[0].hunk_id, content=encoded("deux\n"))
    patched = await mesa.changes.patch(repo=NAME, change_id=change.id, resolutions=[HunkResolution("poem.txt", [fix])])
    assert not patched.is_conflicted
    assert decoded(await mesa.content.get(repo=NAME, path="poem.txt")) == "one\ndeux\nthree\nfour\n"
    again = await write(mesa, (await mesa.bookmarks.get(repo=NAME, bookmark="right")).change_id, "other\n")
    await mesa.bookmarks.create(repo=NAME, name="again", change_id=again.id)
    taken = await mesa.bookmarks.merge(
        repo=NAME,
        target="main",
        source="again",
        authors=[ADA],
        resolutions=[WholeFileResolution("poem.txt", take="source")],
    )
    assert not taken.is_conflicted
    assert decoded(await mesa.content.get(repo=NAME, path="poem.txt")) == "other\n"


async def filtered(mesa: Mesa) -> None:
    assert len((await mesa.repos.list(tags={"env": "prod"})).repos) == 0
    assert len((await mesa.repos.list(tags={"$not": {"env": {"$exists": True}}})).repos) == 1
    assert [one.name for one in (await mesa.bookmarks.list(repo=NAME, glob="le*")).bookmarks] == ["left/side"]
    page = await mesa.changes.list(repo=NAME, limit=2)
    assert page.has_more and len(page.changes) == 2


asyncio.run(main())
