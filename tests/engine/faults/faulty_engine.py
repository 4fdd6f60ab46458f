"""An engine that goes wrong, spoken to in plain HTTP and over bare sockets."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from mesabox.clients.base import Secret
from mesabox.clients.sprites.client import SpritesClient, SpritesToken
from mesabox.clients.transport import Transport

SPRITE = "crash-test"


@dataclass
class Conversation:
    """What an exec socket told, and how it ended: its close code, or None when it was cut."""

    headers: dict
    texts: list = field(default_factory=list)
    frames: list = field(default_factory=list)
    order: list = field(default_factory=list)
    code: int | None = None

    def take(self, message):
        if isinstance(message, str):
            control = json.loads(message)
            self.texts.append(control)
            self.order.append(control["type"])
        else:
            self.frames.append(message)
            self.order.append({1: "stdout", 2: "stderr", 3: "frame"}.get(message[0], "raw"))

    def output(self, stream=1):
        return b"".join(frame[1:] for frame in self.frames if frame[0] == stream)

    @property
    def exits(self):
        """Every exit code that was told, frames and JSON, in no order."""
        return [f[1] for f in self.frames if f[0] == 3] + [t["exit_code"] for t in self.texts if t["type"] == "exit"]


class Engine:
    def __init__(self, mesabox):
        self.mesabox = mesabox
        mesabox("engine", "start")
        self.settings = mesabox.json("engine", "env")["data"]
        self.url, self.token = self.settings["SPRITES_API_URL"], self.settings["SPRITES_TOKEN"]
        bearer = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=self.url, headers=bearer, timeout=20)
        mesa = {"Authorization": f"Bearer {self.settings['MESA_API_KEY']}"}
        self.mesa = httpx.Client(base_url=self.settings["MESA_API_URL"], headers=mesa, timeout=20)

    def set(self, *faults, seed=1):
        answer = self.http.put("/_engine/faults", json={"faults": list(faults), "seed": seed})
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def fired(self):
        """fault -> how often."""
        return {one["fault"]: one["fired"] for one in self.http.get("/_engine/faults").json()["faults"]}

    def sprites(self):
        """Our own client."""
        return SpritesClient(Transport("Sprites", self.url, SpritesToken(Secret(self.token))))

    @asynccontextmanager
    async def socket(self, *argv, path="exec", sprite=SPRITE, **query):
        """One exec socket, open, and what it has told so far."""
        pairs = [("cmd", word) for word in argv]
        pairs += [
            (name, value)
            for name, values in query.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        url = f"ws{self.url.removeprefix('http')}/v1/sprites/{sprite}/{path}?{urlencode(pairs)}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with connect(url, additional_headers=headers, compression=None, proxy=None, close_timeout=0) as socket:
            yield socket, Conversation(dict(socket.response.headers))

    async def listen(self, socket, told):
        """To its end; one that does not come fails."""
        try:
            async with asyncio.timeout(20):
                while True:
                    told.take(await socket.recv())
        except ConnectionClosed as closed:
            told.code = closed.rcvd.code if closed.rcvd else None
        return told

    async def run(self, *argv, **query):
        async with self.socket(*argv, **query) as (socket, told):
            return await self.listen(socket, told)

    async def sh(self, script, **query):
        return await self.run("sh", "-c", script, **query)
