"""The engine put together: both services on one loopback port, from start to stop."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

import mesabox
from mesabox.engine.endpoint import Endpoint, new_token
from mesabox.engine.faults.faults import Faults
from mesabox.engine.faults.gate import FaultGate
from mesabox.engine.faults.routes import routes as fault_routes
from mesabox.engine.gate import LoopbackHost, RawPath, RequestLog, ShortEnough, TokenGuard
from mesabox.engine.mesa.routes import routes as mesa_routes
from mesabox.engine.mesa.service import Bootstrap, Mesa
from mesabox.engine.mounts.mounts import Mounts
from mesabox.engine.network.network import Network
from mesabox.engine.sandbox.host import SandboxHost
from mesabox.engine.settings import EngineSettings
from mesabox.engine.sprites.machines import Machines
from mesabox.engine.sprites.problems import Problem, answer
from mesabox.engine.sprites.routes import routes as sprites_routes
from mesabox.engine.sprites.store import SpriteStore
from mesabox.engine.transport import configuration

_IDLE_LOOK = 5.0


class Engine:
    """Both services, their state under ``settings.state``, answering on ``listening``."""

    def __init__(self, settings: EngineSettings, host: SandboxHost, listening: socket.socket) -> None:
        self._settings = settings
        self._host = host
        self._listening = listening
        self._file = settings.state / "engine.json"
        before = Endpoint.read(self._file)
        kept = Bootstrap(before.org, before.mesa_api_key, before.mesa_private_key) if before else None
        self.faults = Faults()
        self.mesa = Mesa(settings.state / "mesa", org=settings.org, bootstrap=kept)
        self.mesa.lifetime = self._lifetime
        self.mounts = Mounts(self.mesa, host, settings.state / "mounts", settings.cache, self.faults)
        self.network = Network() if host.isolated else None
        self._store = SpriteStore(settings.state / "sprites.db")
        folders = settings.state / "sprites", settings.runtime
        self.machines = Machines(self._store, host, self.mounts, self.network, *folders, self.faults)
        self.endpoint = self._endpoint(before)
        self.log = RequestLog(ShortEnough(LoopbackHost(self._application())))
        self._server = _Server(configuration(self.log))

    def _endpoint(self, before: Endpoint | None) -> Endpoint:
        secrets = self.mesa.bootstrap
        port = self._listening.getsockname()[1]
        return Endpoint(
            pid=os.getpid(),
            url=f"http://127.0.0.1:{port}",
            token=before.token if before else new_token(),
            org=secrets.org,
            mesa_api_key=secrets.api_key,
            mesa_private_key=secrets.private_key,
            version=mesabox.__version__,
            tier=self._host.tier,
            isolated=self._host.isolated,
            started_at=time.time(),
        )

    def _application(self) -> Starlette:
        token = self.endpoint.token
        own = [Route("/status", self._status), Route("/stop", self._stop, methods=["POST"]), *fault_routes(self.faults)]
        mesa = FaultGate(RawPath(Router(mesa_routes(self.mesa))), self.faults, "mesa", self)
        sprites = FaultGate(Router(sprites_routes(self.machines, self.endpoint.org)), self.faults, "sprites", self)
        return Starlette(
            routes=[
                Mount("/mesa/v1", app=mesa),
                Mount("/_engine", app=TokenGuard(Router(own), token)),
                Mount("/", app=TokenGuard(sprites, token)),
            ],
            exception_handlers={
                Problem: answer,
                HTTPException: _refused,
                ClientDisconnect: _left,
                sqlite3.OperationalError: _unwritable,
                Exception: _broken,
            },
        )

    async def _status(self, _: Request) -> Response:
        sprites = [{"name": r.name, "status": self.machines.of(r).status} for r in self._store.all()]
        facts = {"pid": self.endpoint.pid, "version": self.endpoint.version, "org": self.endpoint.org}
        tier = {"tier": self.endpoint.tier, "isolated": self.endpoint.isolated}
        mounts = [mount for sprite in sprites for mount in self.mounts.mounted(sprite["name"])]
        times = {"started_at": self.endpoint.started_at, "idle_limit": self._settings.idle}
        inside = {"sprites": sprites, "mounts": mounts, "faults": self.faults.told()}
        return JSONResponse({**facts, **tier, **times, **inside})

    def _lifetime(self, path: str, asked: float | None) -> float | None:
        early = self.faults.fire("key-ends-early", f"POST {path}") if self.faults else None
        return asked if early is None else min(early, asked or early)

    def sprites(self) -> int:
        """How many there are."""
        return len(self._store.all())

    def drop(self, sprite: str) -> None:
        """Cut the connections that the sprite has made."""
        if self.network:
            self.network.drop(sprite)

    async def _stop(self, _: Request) -> Response:
        self._server.should_exit = True
        return JSONResponse({"stopping": True}, 202)

    async def run(self, ready: Any) -> None:
        """Recover what a crash left, call ``ready(endpoint)`` once requests are taken, serve until told to stop."""
        self.machines.sweep()
        await self.mounts.start()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_serving)
        serving = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        watching = asyncio.create_task(self._watch_idleness())
        self.endpoint.write(self._file)
        ready(self.endpoint)
        try:
            await serving
        finally:
            watching.cancel()
            await self._close()

    def _stop_serving(self) -> None:
        self._server.should_exit = True

    async def _close(self) -> None:
        await self.machines.close()
        await self.mounts.close()
        await self._host.close()
        self._store.close()
        self.mesa.close()
        for folder in (self._settings.runtime, self._settings.runtime.parent):
            with contextlib.suppress(OSError):  # others may use it
                folder.rmdir()

    async def _watch_idleness(self) -> None:
        """An engine that nobody has asked for anything in a while, and in which nothing runs, ends by itself."""
        while self._settings.idle:
            await asyncio.sleep(_IDLE_LOOK)
            if self.log.open_requests or await self.machines.in_use():
                self.log.last_request = time.monotonic()
            elif time.monotonic() - self.log.last_request > self._settings.idle:
                self._stop_serving()


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: it would re-raise the signal before the sprites are put away."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail.lower()}, error.status_code, headers=error.headers)


async def _left(_: Request, __: Exception) -> Response:
    """Nobody reads it."""
    return Response(status_code=400)


async def _unwritable(_: Request, error: Exception) -> Response:
    print(f"the engine's state cannot be written: {error}", file=sys.stderr)
    return JSONResponse({"error": f"the engine's state cannot be written: {error}"}, 507)


async def _broken(_: Request, __: Exception) -> Response:
    """A defect of ours: uvicorn writes its trace to the log."""
    return JSONResponse({"error": "internal error"}, 500)
