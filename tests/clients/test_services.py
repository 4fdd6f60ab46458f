"""The clients against the services: the local engine always, the real ones where credentials are given (``-m live``).

What is made is named for the test and removed at its end.
"""

import asyncio
import base64
import os
import secrets
from contextlib import asynccontextmanager

import pytest

from mesabox.clients.base import Secret
from mesabox.clients.mesa.client import MesaClient
from mesabox.clients.mesa.credentials import ApiKey, SigningKey
from mesabox.clients.sprites.client import SpritesClient, SpritesToken
from mesabox.clients.transport import Transport
from mesabox.errors import Conflict, CredentialsProblem, NotFound
from mesabox.wire.execution import ExecRequest

MESA_URL, SPRITES_URL = "https://api.mesa.dev/v1", "https://api.sprites.dev"


@pytest.fixture(params=["engine", pytest.param("live", marks=pytest.mark.live)])
def environ(request):
    if request.param == "engine":
        return request.getfixturevalue("engine_env")
    if not os.environ.get("SPRITES_TOKEN") or not (
        os.environ.get("MESA_API_KEY") or os.environ.get("MESA_PRIVATE_KEY")
    ):
        pytest.skip("no credentials of the real services in the environment")
    return dict(os.environ)


@pytest.fixture
def name():
    return f"mesabox-test-{secrets.token_hex(4)}"


@asynccontextmanager
async def mesa_client(environ, *, signed=False):
    text = environ.get("MESA_PRIVATE_KEY")
    signing = SigningKey.parse(text) if text and (signed or not environ.get("MESA_API_KEY")) else None
    credential = signing or ApiKey(Secret(environ["MESA_API_KEY"]))
    client = MesaClient(Transport("Mesa", environ.get("MESA_API_URL", MESA_URL), credential), credential)
    yield client
    await client.aclose()


@asynccontextmanager
async def sprites_client(environ):
    token = SpritesToken(Secret(environ["SPRITES_TOKEN"]))
    client = SpritesClient(Transport("Sprites", environ.get("SPRITES_API_URL", SPRITES_URL), token))
    yield client
    await client.aclose()


@asynccontextmanager
async def a_repo(client, name):
    repo = await client.create_repo(name)
    try:
        yield repo
    finally:
        await client.delete_repo(name)


@asynccontextmanager
async def a_sprite(client, name):
    await client.create_sprite(name, labels=["mesabox-test"])
    try:
        yield name
    finally:
        await client.destroy_sprite(name)


async def test_a_repo_from_creation_to_deletion(environ, name):
    async with mesa_client(environ) as mesa:
        async with a_repo(mesa, name) as repo:
            assert repo.default_bookmark == "main" and (await mesa.repo(name)).id == repo.id
            assert name in [found.name async for found in mesa.repos()]
            with pytest.raises(Conflict):
                await mesa.create_repo(name)
        with pytest.raises(NotFound):
            await mesa.repo(name)


@pytest.mark.parametrize("signed", [False, True])
async def test_changes_bookmarks_content_and_diffs(environ, name, signed):
    if signed and not environ.get("MESA_PRIVATE_KEY"):
        pytest.skip("no private key")
    async with mesa_client(environ, signed=signed) as mesa, a_repo(mesa, name) as repo:
        file = {"path": "dir/a.txt", "content": base64.b64encode(b"one\ntwo\n").decode()}
        change = await mesa.create_change(name, repo.head_change_id, message="add a", files=[file])
        moved = await mesa.move_bookmark(name, "main", change.id)
        assert moved.change_id == change.id and (await mesa.change(name, change.id)).files == ("dir/a.txt",)
        assert await mesa.read_file(name, "dir/a.txt") == b"one\ntwo\n"
        assert [(entry.path, entry.type) for entry in await mesa.tree(name, "dir")] == [("dir/a.txt", "file")]
        diff = await mesa.diff(name, repo.head_change_id, change.id)
        assert [(entry.path, entry.status, entry.additions) for entry in diff.entries] == [("dir/a.txt", "added", 2)]
        assert b"+one" in await mesa.patch(name, repo.head_change_id, change.id)
        await mesa.create_bookmark(name, "feat/x", change.id)
        assert {mark.name async for mark in mesa.bookmarks(name)} == {"main", "feat/x"}
        await mesa.delete_bookmark(name, "feat/x")
        changes = [found.id async for found in mesa.changes(name)]
        assert changes[0] == change.id
        with pytest.raises(NotFound):
            await mesa.read_file(name, "gone")


async def test_a_key_does_what_it_may_and_ends_when_it_is_revoked(environ, name):
    if not environ.get("MESA_API_KEY"):
        pytest.skip("no API key")
    async with mesa_client(environ) as mesa, a_repo(mesa, name) as repo:
        key = await mesa.mint_key(name=name, scopes=["read"], ttl=600, repos=[repo], tags={"mesabox": "test"})
        keys = mesa.keys()
        listed = {found.id: found async for found in keys}[key.id]
        assert listed.repo_ids == (repo.id,) and listed.tags == {"mesabox": "test"} and listed.expires_at
        async with mesa_client({**environ, "MESA_API_KEY": key.secret.reveal()}) as limited:
            assert (await limited.whoami()).scopes == ("read",)
            with pytest.raises((CredentialsProblem, NotFound)):
                await limited.create_change(name, repo.head_change_id, message="no")
            await mesa.revoke_key(key.id)
            with pytest.raises(CredentialsProblem):
                await limited.repo(name)
        await mesa.revoke_key(key.id)


async def test_a_sprite_from_creation_to_destruction(environ, name):
    async with sprites_client(environ) as sprites:
        async with a_sprite(sprites, name):
            assert (await sprites.sprite(name)).name == name
            assert name in [found.name async for found in sprites.sprites(prefix="mesabox-test-")]
            with pytest.raises(Conflict):
                await sprites.create_sprite(name)
        with pytest.raises(NotFound):
            await sprites.sprite(name)


async def test_commands(environ, name):
    async with sprites_client(environ) as sprites, a_sprite(sprites, name):
        done = await sprites.run(name, ["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in\n" * 50_000, timeout=120)
        assert (done.exit_code, done.stdout, done.stderr) == (3, b"in\n" * 50_000, b"err\n")
        assert (await sprites.run(name, ["no-such-program"])).exit_code == 127
        long = "x" * 100_000 + "\n'\"$"
        assert (await sprites.run(name, ["printf", "%s", long])).stdout.decode() == long
        with pytest.raises(NotFound):
            await sprites.run(f"{name}-gone", ["true"])


async def test_a_terminal(environ, name):
    async with sprites_client(environ) as sprites, a_sprite(sprites, name):
        request = ExecRequest(
            ("sh", "-c", "stty size; read x; stty size; exit 4"), tty=True, rows=30, cols=90, stdin=True
        )
        said = b""
        async with sprites.execute(name, request) as execution:
            async for output in execution:
                said += output.data
                if b"30 90" in said and b"\x00" not in said:
                    await execution.resize(40, 100)
                    await execution.write(b"\n")
                    said += b"\x00"
        assert b"40 100" in said and execution.exit_code == 4


async def test_sessions_can_be_attached_and_killed(environ, name):
    async with sprites_client(environ) as sprites, a_sprite(sprites, name):
        request = ExecRequest(("sh", "-c", "echo hello; sleep 100"), tty=True, stdin=True)
        async with sprites.execute(name, request) as execution:
            async for output in execution:
                if b"hello" in output.data:
                    break
            session = execution.session_id
        assert session in [found.id for found in await sprites.sessions(name)]
        async with sprites.attach(name, session) as again:
            killing = asyncio.create_task(sprites.kill_session(name, session))
            said = b"".join([output.data async for output in again])
            await killing
        assert b"hello" in said and again.exit_code == 143


async def test_files_and_checkpoints(environ, name):
    async with sprites_client(environ) as sprites, a_sprite(sprites, name):
        path = "/home/sprite/made/by test"
        await sprites.write_file(name, path, b"before", mode="0600")
        kept = await sprites.create_checkpoint(name, "before")
        await sprites.write_file(name, path, b"after")
        assert kept in [checkpoint.id for checkpoint in await sprites.checkpoints(name)]
        (entry,) = await sprites.list_files(name, "/home/sprite/made")
        assert (entry.name, entry.type, entry.size) == ("by test", "file", 5)
        await sprites.restore_checkpoint(name, kept)
        assert b"".join([piece async for piece in sprites.read_file(name, path)]) == b"before"
        with pytest.raises(NotFound):
            await sprites.restore_checkpoint(name, "v999")
        with pytest.raises(NotFound):
            await sprites.list_files(name, "/no/such")


async def test_a_wrong_token(environ):
    async with sprites_client({**environ, "SPRITES_TOKEN": "wrong/token"}) as sprites:
        with pytest.raises(CredentialsProblem) as caught:
            await sprites.sprite("x")
        with pytest.raises(CredentialsProblem):
            await sprites.run("x", ["true"])
    assert "wrong/token" not in caught.value.why
