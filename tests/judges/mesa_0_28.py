"""mesa-sdk 0.28.1 with an API key: the whole REST surface of its time. Asserts as it goes."""

import asyncio
import base64
import os

from mesa_rest.models.create_change_body_files_item_type_0_mode import CreateChangeBodyFilesItemType0Mode as Mode
from mesa_sdk import ConflictError, FileDelete, FileUpsert, Mesa, NotFoundError
from mesa_sdk.errors import AuthenticationError, AuthorizationError, ValidationError
from mesa_sdk.types import Author

ROOT = "z" * 32
URL = os.environ["MESA_URL"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def client(key: str) -> Mesa:
    return Mesa(api_key=key, api_url=URL)


async def refused(kind: type[Exception], call) -> Exception:
    try:
        await call
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


async def main() -> None:
    async with client(os.environ["MESA_API_KEY"]) as mesa:
        who = await mesa.whoami()
        assert (who.org.slug, who.key_name, "admin" in who.scopes) == ("my-org", "bootstrap", True), who
        await repos(mesa)
        await keys(mesa)
        await history(mesa)
        await merges(mesa)
    async with client("mesa_wrong") as stranger:
        await refused(AuthenticationError, stranger.whoami())


async def repos(mesa: Mesa) -> None:
    repo = await mesa.repos.create(name="agent-workspace")
    assert (repo.org, repo.default_bookmark, repo.head_change_id) == ("my-org", "main", ROOT)
    await refused(ConflictError, mesa.repos.create(name="agent-workspace"))
    await refused(ValidationError, mesa.repos.create(name="a/b"))
    await refused(NotFoundError, mesa.repos.get(repo="absent"))
    for number in range(4):
        await mesa.repos.create(name=f"extra-{number}")
    first = await mesa.repos.list(limit=3)
    rest = await mesa.repos.list(limit=3, cursor=first.next_cursor)
    assert first.has_more and not rest.has_more and len(first.repos) + len(rest.repos) == 5
    renamed = await mesa.repos.update(repo="extra-0", name="other")
    assert renamed.name == "other"
    await mesa.repos.delete(repo="other")
    await refused(NotFoundError, mesa.repos.get(repo="other"))
    assert (await mesa.org.get()).num_repos == 4


async def keys(mesa: Mesa) -> None:
    repo = await mesa.repos.get(repo="agent-workspace")
    key = await mesa.api_keys.create(
        name="sandbox-session", scopes=["read", "write"], repo_ids=[repo.id], expires_in_seconds=3600
    )
    assert key.key.startswith("mesa_") and key.repo_ids == [repo.id]
    await refused(ValidationError, mesa.api_keys.create(name="short", expires_in_seconds=99))
    async with client(key.key) as limited:
        assert [one.name for one in (await limited.repos.list()).repos] == ["agent-workspace"]
        await refused(NotFoundError, limited.repos.get(repo="extra-1"))
        await refused(AuthorizationError, limited.api_keys.list())
        await mesa.api_keys.revoke(key_id=key.id)
        await refused(AuthenticationError, limited.repos.list())
    listed = {one.id: one for one in (await mesa.api_keys.list()).api_keys}
    assert listed[key.id].revoked_at and listed[key.id].expires_at


async def history(mesa: Mesa) -> None:
    ada = Author("Ada", "ada@example.com")
    change = await mesa.changes.create(
        repo="agent-workspace",
        base_change_id=ROOT,
        message="first",
        author=ada,
        files=[
            FileUpsert("docs/hello.txt", encoded("hello\n")),
            FileUpsert("run.sh", encoded("#!"), mode=Mode("100755")),
        ],
    )
    assert change.author.name == "Ada"
    moved = await mesa.bookmarks.move(repo="agent-workspace", bookmark="main", change_id=change.id)
    assert moved.from_change_id == ROOT
    child = await mesa.changes.create(
        repo="agent-workspace",
        base_change_id=change.id,
        message="second",
        author=ada,
        files=[FileUpsert("new.txt", encoded("new\n"))],
    )
    edited = await mesa.changes.patch(
        repo="agent-workspace",
        change_id=change.id,
        files=[FileUpsert("docs/hello.txt", encoded("hello there\n")), FileDelete("run.sh")],
        base_commit_oid=change.current_commit_oid,
    )
    assert edited.id == change.id and edited.current_commit_oid != change.current_commit_oid
    stale = mesa.changes.patch(
        repo="agent-workspace", change_id=change.id, message="x", base_commit_oid=change.current_commit_oid
    )
    await refused(ConflictError, stale)
    rebased = await mesa.changes.get(repo="agent-workspace", change_id=child.id)
    assert rebased.current_commit_oid != child.current_commit_oid and rebased.files == ["new.txt"], rebased
    await contents(mesa, child.id)
    diff = await mesa.diffs.get(repo="agent-workspace", base_change_id=ROOT, head_change_id=child.id)
    assert [entry.path for entry in diff.entries] == ["docs/hello.txt", "new.txt"]
    assert (diff.stats.additions, diff.truncated) == (2, False)
    assert diff.entries[0].hunks[0].lines[0].text == "hello there"
    listed = await mesa.changes.list(repo="agent-workspace", bookmark="main")
    assert [one.id for one in listed.changes] == [change.id]


async def contents(mesa: Mesa, change_id: str) -> None:
    file = await mesa.content.get(repo="agent-workspace", path="docs/hello.txt")
    assert base64.b64decode(file.content) == b"hello there\n"
    folder = await mesa.content.get(repo="agent-workspace", change_id=change_id, depth=2)
    assert [(entry.type_, entry.path) for entry in folder.entries] == [
        ("dir", "docs"),
        ("file", "docs/hello.txt"),
        ("file", "new.txt"),
    ]
    assert folder.child_count == 2
    await refused(NotFoundError, mesa.content.get(repo="agent-workspace", path="absent"))


async def merges(mesa: Mesa) -> None:
    head = (await mesa.repos.get(repo="agent-workspace")).head_change_id
    for side in ("feat/one", "feat/two"):
        change = await mesa.changes.create(
            repo="agent-workspace",
            base_change_id=head,
            message=side,
            author=Author("Ada", "ada@example.com"),
            files=[FileUpsert("docs/hello.txt", encoded(f"hello {side}\n"))],
        )
        created = await mesa.bookmarks.create(repo="agent-workspace", name=side, change_id=change.id)
        assert (created.name, created.is_default) == (side, False)
    merged = await mesa.bookmarks.merge(repo="agent-workspace", target="main", source="feat/one", delete_source=True)
    assert merged.merge_type == "merge_commit" and merged.source_deleted
    error = await refused(ConflictError, mesa.bookmarks.merge(repo="agent-workspace", target="main", source="feat/two"))
    details = error.body.error.details.to_dict()
    assert details["conflict_paths"] == ["docs/hello.txt"], details
    names = [one.name for one in (await mesa.bookmarks.list(repo="agent-workspace")).bookmarks]
    assert names == ["feat/two", "main"]
    await mesa.bookmarks.delete(repo="agent-workspace", bookmark="feat/two")


asyncio.run(main())
