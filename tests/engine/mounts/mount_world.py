"""Mounts against a real Mesa, with sandboxes that are a place in this test's own mount namespace."""

import asyncio
import base64
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from mesabox.engine.gate import RawPath
from mesabox.engine.mesa.routes import routes
from mesabox.engine.mesa.service import Mesa
from mesabox.engine.mounts.mounts import Mounts
from mesabox.engine.sandbox import syscalls
from mesabox.engine.sandbox.host import Ids

BASE = "http://mesa/mesa/v1"


def can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@dataclass
class FakeSandbox:
    """Places mounts below a folder of the host instead of in a namespace of its own."""

    root: Path
    placed: dict[str, bool] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)

    def host_path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    async def place_mount(self, handle: int | Path, path: str, *, read_only: bool, user: str = "sprite") -> None:
        place = self.host_path(path)
        await self.remove_mount(path)
        if isinstance(handle, Path):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(handle)
        else:
            place.mkdir(parents=True, exist_ok=True)
            syscalls.move_mount(handle, place)
        self.placed[path] = read_only

    async def remove_mount(self, path: str) -> None:
        place = self.host_path(path)
        was_placed = self.placed.pop(path, None) is not None
        if place.is_symlink():
            place.unlink()
        elif was_placed and place.exists():
            syscalls.umount2(place, syscalls.MNT_DETACH)

    async def make_read_only(self, path: str) -> None:
        self.read_only.add(path)
        place = self.host_path(path)
        if place.is_symlink():
            place.unlink()
        else:
            fd = os.open(place, os.O_PATH)
            syscalls.mount_setattr(fd, set_flags=syscalls.MOUNT_ATTR_RDONLY)
            os.close(fd)


@dataclass
class FakeHost:
    """tier root: real overlays, owned by an id that is not ours; tier none: plain folders."""

    tier: str
    ids: Ids = field(default_factory=lambda: Ids(100000, 100000, 101001, 101001))

    userxattr: bool = False

    @property
    def isolated(self) -> bool:
        return self.tier != "none"


class World:
    """An engine's Mesa half, that can be killed and started again."""

    def __init__(self, folder: Path, tier: str) -> None:
        self.folder = folder
        self.now = 1_790_000_000.0
        self.host = FakeHost(tier)
        self.sandboxes: list[FakeSandbox] = []
        self.bootstrap = None

    async def start(self) -> "World":
        self.mesa = Mesa(self.folder / "mesa", clock=lambda: self.now, bootstrap=self.bootstrap)
        self.bootstrap = self.mesa.bootstrap
        self.mounts = Mounts(self.mesa, self.host, self.folder / "mounts", self.folder / "cache")  # type: ignore[arg-type]
        await self.mounts.start()
        app = RawPath(Starlette(routes=[Mount("/mesa/v1", routes=routes(self.mesa))]))
        headers = {"authorization": f"Bearer {self.bootstrap.api_key}"}
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        return self

    async def crash(self) -> None:
        """Nothing is committed any more and nobody is told: the process is gone, its mounts with it."""
        self.mounts._trees._watcher.close()
        for keeper in self.mounts._trees._keepers.values():
            keeper.cancel()
        await asyncio.sleep(0)
        await self.drop_mounts()
        self.mesa.close()

    async def drop_mounts(self) -> None:
        for sandbox in self.sandboxes:
            for path in list(sandbox.placed):
                await sandbox.remove_mount(path)

    def sandbox(self) -> FakeSandbox:
        self.sandboxes.append(FakeSandbox(self.folder / f"sandbox-{len(self.sandboxes)}"))
        return self.sandboxes[-1]

    async def key(self, *scopes: str, **options: Any) -> dict[str, Any]:
        return await self.post("api-keys", scopes=list(scopes) or ["read", "write"], **options)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        reply = await self.http.post(f"/my-org/{path}", json=body)
        assert reply.status_code == 201, reply.text
        return reply.json()

    async def mount(
        self, sprite: str, sandbox: FakeSandbox, credential: str | None = None, **org: Any
    ) -> dict[str, Any]:
        """The reply to ``mesa mount`` at /mnt."""
        wanted = {"org": "my-org", "credential": credential or self.bootstrap.api_key, **org}
        request = {"op": "mesa.mount", "mount_point": "/mnt", "orgs": [wanted]}
        return await self.mounts.request(sprite, sandbox, "sprite", request)  # type: ignore[arg-type]

    async def mounted(self, sprite: str, credential: str | None = None, **org: Any) -> tuple[FakeSandbox, Path]:
        """A new sandbox and where the repo ``work`` is in it."""
        sandbox = self.sandbox()
        reply = await self.mount(sprite, sandbox, credential, **org)
        assert reply["ok"], reply
        return sandbox, sandbox.host_path("/mnt/my-org/work")

    async def cat(self, path: str, repo: str = "work", **query: str) -> bytes | None:
        reply = await self.http.get(
            f"/my-org/{repo}/content", params={"path": path, **query}, headers={"accept": "application/octet-stream"}
        )
        return reply.content if reply.status_code == 200 else None

    async def files(self, repo: str = "work", **query: Any) -> list[str]:
        reply = await self.http.get(f"/my-org/{repo}/content", params={"depth": 10, **query})
        return [entry["path"] for entry in reply.json()["entries"] if entry["type"] != "dir"]

    async def head(self, repo: str = "work") -> str:
        return (await self.http.get(f"/my-org/{repo}")).json()["head_change_id"]

    async def patch(self, change_id: str, **files: str | None) -> httpx.Response:
        """Files by REST: a name's ``__`` is a slash, None deletes."""
        edits = [
            {"path": name.replace("__", "/"), "action": "delete"}
            if text is None
            else {"path": name.replace("__", "/"), "content": base64.b64encode(text.encode()).decode()}
            for name, text in files.items()
        ]
        return await self.http.patch(f"/my-org/work/changes/{change_id}", json={"files": edits})

    async def seeded(self, **files: str) -> str:
        """The repo ``work`` with these files on main."""
        await self.post("repos", name="work")
        edits = [
            {"path": name.replace("__", "/"), "content": base64.b64encode(text.encode()).decode()}
            for name, text in files.items()
        ]
        change = await self.post("work/changes", base_change_id="z" * 32, files=edits)
        await self.http.patch("/my-org/work/bookmarks/main", json={"change_id": change["id"]})
        return change["id"]

    async def eventually(self, check: Callable[[], Awaitable[bool]], seconds: float = 3.0) -> None:
        for _ in range(int(seconds / 0.02)):
            if await check():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it never came true")
