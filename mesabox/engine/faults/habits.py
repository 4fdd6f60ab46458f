"""What the exec socket's faults are made of: a view of its frames, each passed on unless a fault overrides that."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from mesabox.engine.faults.aimed import Aimed, Wrap
from mesabox.engine.faults.faults import Shot
from mesabox.engine.gate import App, Message, Receive, Scope, Send
from mesabox.wire.frames import Stream, exit_code_of


class Habit:
    """One fault on one socket. ``told``: what the service says; ``heard``: what the client says, None if it is lost."""

    def __init__(self, shot: Shot, aimed: Aimed, scope: Scope, send: Send) -> None:
        self.shot = shot
        self.aimed = aimed
        self.scope = scope
        self.pass_on = send
        self.tty = False
        self._left = asyncio.Event()

    async def told(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            await self.accepted(message)
        elif kind == "websocket.close":
            await self.closed(message)
        elif kind != "websocket.send":
            await self.pass_on(message)
        elif (text := message.get("text")) is not None:
            await self._text(message, json.loads(text))
        elif self.tty or message["bytes"][:1] != bytes([Stream.EXIT]):
            await self.output(message)
        else:
            await self.exited(message, exit_code_of(message["bytes"][1:]))

    async def _text(self, message: Message, control: dict[str, Any]) -> None:
        if control["type"] == "session_info":
            self.tty = bool(control["tty"])
        if control["type"] == "exit":
            await self.exited(message, int(control["exit_code"]))
        else:
            await self.control(message, str(control["type"]))

    async def accepted(self, message: Message) -> None:
        await self.pass_on(message)

    async def control(self, message: Message, kind: str) -> None:
        """kind: session_info, debug (a heartbeat)."""
        await self.pass_on(message)

    async def output(self, message: Message) -> None:
        await self.pass_on(message)

    async def exited(self, message: Message, code: int) -> None:
        await self.pass_on(message)

    async def closed(self, message: Message) -> None:
        await self.pass_on(message)

    async def hear(self, receive: Receive) -> Message:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._left.set()
            if (kept := self.heard(message)) is not None:
                return kept

    def heard(self, message: Message) -> Message | None:
        return message

    async def wait(self, seconds: float | None = None) -> None:
        """For no longer than the client does. None: for ever, which its leaving ends."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._left.wait(), seconds)

    def over(self) -> None:
        """The socket is."""


def habit(kind: type[Habit]) -> Wrap:
    def wrap(shot: Shot, aimed: Aimed, app: App) -> App:
        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            one = kind(shot, aimed, scope, send)

            try:
                await app(scope, lambda: one.hear(receive), one.told)
            finally:
                one.over()

        return faulty

    return wrap


class Holding(Habit):
    """Holds what is told back for a while from the opening on, and then lets go of it, in order."""

    def __init__(self, shot: Shot, aimed: Aimed, scope: Scope, send: Send) -> None:
        super().__init__(shot, aimed, scope, send)
        self.held: list[Message] | None = []
        self._lock = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    async def accepted(self, message: Message) -> None:
        await self.pass_on(message)
        self._timer = asyncio.create_task(self._later())

    def patience(self) -> float:
        """Seconds."""
        return self.shot.amount

    async def _later(self) -> None:
        await asyncio.sleep(self.patience())
        with suppress(OSError):  # the client has left
            await self.let_go()

    async def let_go(self) -> None:
        async with self._lock:
            held, self.held = self.held, None
            for message in self.shown(held or []):
                await self.pass_on(message)

    def shown(self, held: list[Message]) -> list[Message]:
        return held

    async def output(self, message: Message) -> None:
        async with self._lock:
            if self.held is None:
                await self.pass_on(message)
            else:
                self.held.append(message)

    async def exited(self, message: Message, code: int) -> None:
        await self.let_go()
        await self.pass_on(message)

    async def closed(self, message: Message) -> None:
        await self.let_go()
        await self.pass_on(message)

    def over(self) -> None:
        if self._timer:
            self._timer.cancel()


def exit_text(code: int) -> Message:
    return {"type": "websocket.send", "text": json.dumps({"type": "exit", "exit_code": code})}
