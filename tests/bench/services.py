"""The engine through our clients: create, exec, checkpoints, and how soon an edit is in Mesa."""

import asyncio
import shutil
import subprocess
import time
from itertools import count

from mesabox.clients.sprites.client import SpritesClient
from mesabox.flow import scripts
from tests.bench.figures import show, timed, timed_async
from tests.bench.house import House, clients


async def create(house: House) -> None:
    """From the request that makes a sprite to the exit code of its first command."""
    async with clients(house) as (_, sprites):
        names = (f"bench-{number}" for number in count())
        made: list[str] = []

        async def once() -> None:
            made.append(next(names))
            await sprites.create_sprite(made[-1])
            assert (await sprites.run(made[-1], ["true"])).exit_code == 0

        ours = await timed_async(once, 30, pause=0.1)
        destroy = await timed_async(lambda: sprites.destroy_sprite(made.pop()), 20)
    show("create, first command", [*_fresh_namespaces(), ("create -> first command", ours)], goal="25 ms")
    show("destroy", [("rm of an empty folder's tree by coreutils", _rm(house)), ("destroy", destroy)])


def _fresh_namespaces() -> list[tuple[str, list[float]]]:
    words = ["unshare", "-Urmpuin", "--fork", "--mount-proc", "true"]
    return [
        ("unshare(1) with fresh namespaces, no disk, no server", timed(lambda: subprocess.run(words, check=True), 30))
    ]


def _rm(house: House) -> list[float]:
    def once() -> None:
        (house.folder / "rm").mkdir()
        subprocess.run(["rm", "-r", house.folder / "rm"], check=True)

    return timed(once, 20)


async def execute(house: House) -> None:
    """A command in a sprite that is awake, connection and all."""
    async with clients(house) as (_, sprites):
        await sprites.create_sprite("bench-exec")
        ours = await timed_async(lambda: sprites.run("bench-exec", ["true"]), 200, warm=10)
        await sprites.destroy_sprite("bench-exec")
    peer = timed(lambda: subprocess.run(["/bin/true"], check=True), 200)
    show("exec round trip", [("subprocess.run on the host", peer), ("exec over WebSocket", ours)], goal="4 ms")


async def checkpoints(house: House, files: int = 100_000) -> None:
    """An idle sprite whose own layer holds many files."""
    async with clients(house) as (_, sprites):
        await sprites.create_sprite("bench-layers")
        script = f"mkdir -p ~/many && cd ~/many && seq {files} | xargs -n 5000 touch"
        assert (await sprites.run("bench-layers", scripts.sh(script), timeout=300)).exit_code == 0
        peer = await asyncio.to_thread(_copy, house, files // 10)
        created = await timed_async(lambda: sprites.create_checkpoint("bench-layers"), 15)
        restored = await timed_async(lambda: _restore(sprites), 15)
        await sprites.destroy_sprite("bench-layers")
    rows = [(f"cp -a of {files // 10} empty files", peer), ("checkpoint", created)]
    show(f"checkpoint of an idle sprite with {files} files", rows, goal="5 ms")
    show(
        "restore, to the exit code of the first command", [rows[0], ("restore + first command", restored)], goal="25 ms"
    )


async def _restore(sprites: SpritesClient) -> None:
    await sprites.restore_checkpoint("bench-layers", "v1")
    assert (await sprites.run("bench-layers", ["true"])).exit_code == 0


def _copy(house: House, files: int) -> list[float]:
    source, target = house.folder / "many", house.folder / "copy"
    source.mkdir()
    for number in range(files):
        (source / str(number)).touch()

    def once() -> None:
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", source, target], check=True)

    return timed(once, 3, warm=0)


async def visible(house: House) -> None:
    """From the end of a write in the mount to the content endpoint's answer that holds it."""
    async with clients(house) as (mesa, sprites):
        repo = await mesa.create_repo("bench-visible")
        key = await mesa.mint_key(name="bench", scopes=["read", "write"], ttl=3600, repos=[repo])
        await sprites.create_sprite("bench-visible")
        words = scripts.sh(scripts.MOUNT, repo.org, "key", "", "memory", "bench", repo.name)
        assert key.secret is not None
        mounted = await sprites.run("bench-visible", words, stdin=key.secret.reveal().encode() + b"\n")
        folder = mounted.stdout.decode().split()[1]
        times = []
        for number in range(40):
            write = f"echo {number} > '{folder}/file'; date +%s%N"
            written = int((await sprites.run("bench-visible", scripts.sh(write))).stdout)
            while await _content(mesa, repo.name) != f"{number}\n".encode():
                await asyncio.sleep(0.001)
            times.append(time.time_ns() / 1e6 - written / 1e6)
        await sprites.destroy_sprite("bench-visible")
    commit = timed(lambda: _git_commit(house), 15)
    rows = [("git add + commit of one file on the host", commit), ("write -> visible", times)]
    show("write -> readable in Mesa", rows, goal="100 ms")


async def _content(mesa: object, repo: str) -> bytes:
    from mesabox.errors import NotFound

    try:
        return await mesa.read_file(repo, "file")  # type: ignore[attr-defined,no-any-return]
    except NotFound:
        return b""


def _git_commit(house: House) -> None:
    repo = house.folder / "git"
    if not repo.exists():
        subprocess.run(["git", "init", "-q", repo], check=True)
    (repo / "file").write_text(str(time.time_ns()))
    identity = ["-c", "user.name=b", "-c", "user.email=b@b"]
    subprocess.run(["git", "-C", repo, "add", "-A"], check=True)
    subprocess.run(["git", "-C", repo, *identity, "commit", "-qm", "x"], check=True)
