"""The emulated Mesa in this process, spoken to over HTTP; its clock stands still until it is moved."""

import base64
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from mesabox.engine.gate import RawPath
from mesabox.engine.mesa.routes import routes
from mesabox.engine.mesa.service import Bootstrap, Mesa

ROOT = "z" * 32


class Service:
    def __init__(self, state: Path, bootstrap: Bootstrap | None = None) -> None:
        self.now = 1_790_000_000.0
        self.state = state
        self.mesa = Mesa(state, clock=lambda: self.now, bootstrap=bootstrap)
        app = RawPath(Starlette(routes=[Mount("/mesa/v1", routes=routes(self.mesa))]))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://mesa/mesa/v1")

    async def close(self) -> None:
        await self.http.aclose()
        self.mesa.close()

    async def call(self, method: str, path: str, *, credential: str | None = None, **options: Any) -> httpx.Response:
        """As the bootstrap admin unless another credential is given; paths are relative to the organization."""
        headers = {
            "authorization": f"Bearer {credential or self.mesa.bootstrap.api_key}",
            **options.pop("headers", {}),
        }
        return await self.http.request(method, f"/my-org/{path}", headers=headers, **options)

    async def get(self, path: str, /, **query: Any) -> dict[str, Any]:
        reply = await self.call("GET", path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, /, status: int = 201, **body: Any) -> dict[str, Any]:
        reply = await self.call("POST", path, json=body)
        assert reply.status_code == status, reply.text
        return reply.json()

    async def patch(self, path: str, /, status: int = 200, **body: Any) -> dict[str, Any]:
        reply = await self.call("PATCH", path, json=body)
        assert reply.status_code == status, reply.text
        return reply.json()

    async def key(self, *scopes: str, **options: Any) -> str:
        return (await self.post("api-keys", scopes=list(scopes), **options))["key"]

    async def repo(self, name: str = "work") -> dict[str, Any]:
        return await self.post("repos", name=name)

    async def change(self, base: str = ROOT, *, repo: str = "work", **files: str | None) -> str:
        """A change's id. Files by name: ``__`` is a slash, None deletes."""
        return (await self.post(f"{repo}/changes", base_change_id=base, files=edits(**files)))["id"]

    async def bookmark(self, name: str, change_id: str, *, repo: str = "work") -> None:
        if name == "main":
            await self.patch(f"{repo}/bookmarks/main", change_id=change_id)
        else:
            await self.post(f"{repo}/bookmarks", name=name, change_id=change_id)

    async def cat(self, path: str, change_id: str, *, repo: str = "work") -> bytes | None:
        reply = await self.call(
            "GET",
            f"{repo}/content",
            params={"path": path, "change_id": change_id},
            headers={"accept": "application/octet-stream"},
        )
        return reply.content if reply.status_code == 200 else None

    async def paths(self, change_id: str, *, repo: str = "work") -> list[str]:
        listing = await self.get(f"{repo}/content", change_id=change_id, depth=10)
        return [entry["path"] for entry in listing["entries"] if entry["type"] != "dir"]


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def edits(**files: str | None) -> list[dict[str, Any]]:
    return [
        {"path": name.replace("__", "/"), "action": "delete"}
        if text is None
        else {"path": name.replace("__", "/"), "content": encoded(text)}
        for name, text in files.items()
    ]
