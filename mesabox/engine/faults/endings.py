"""Faults of how the exec socket ends: the exit late, wrong, twice or never, and the close."""

import asyncio
from contextlib import suppress

from mesabox.engine.faults.aimed import Aimed
from mesabox.engine.faults.faults import Shot
from mesabox.engine.faults.habits import Habit, Holding, exit_text
from mesabox.engine.gate import Message, Scope, Send
from mesabox.engine.transport import hang_up
from mesabox.wire.frames import exit_frame

_HELD = 0.25
"""Seconds."""


class NoExit(Habit):
    """A terminal's as well."""

    async def exited(self, message: Message, code: int) -> None:
        if not self.shot.fires():
            await self.pass_on(message)


class Close1011(Habit):
    """For good: a close that comes without an exit stays as it is."""

    _told = False

    async def exited(self, message: Message, code: int) -> None:
        self._told = self.shot.fires()
        if not self._told:
            await self.pass_on(message)

    async def closed(self, message: Message) -> None:
        await self.pass_on({**message, "code": 1011, "reason": "internal error"} if self._told else message)


class LostOutput(Holding):
    """Nothing of a command that has ended within the time; of another nothing is lost, and it is only told later."""

    async def exited(self, message: Message, code: int) -> None:
        if self.held is None or not self.shot.fires():
            await self.let_go()
            await self.pass_on(message)
        else:
            self.held = []


class ExitLate(Habit):
    async def exited(self, message: Message, code: int) -> None:
        if self.shot.fires():
            await self.wait(self.shot.amount)
        await self.pass_on(message)


class ExitNever(Habit):
    async def exited(self, message: Message, code: int) -> None:
        if self.shot.fires():
            await self.wait()
        await self.pass_on(message)


class SlowClose(Habit):
    async def closed(self, message: Message) -> None:
        if self.shot.fires():
            await self.wait(self.shot.amount)
        await self.pass_on(message)


class JsonExit(Habit):
    async def exited(self, message: Message, code: int) -> None:
        if not self.tty and self.shot.fires():
            await self.pass_on(exit_text(code))
        await self.pass_on(message)


class JsonExitOnly(Habit):
    async def exited(self, message: Message, code: int) -> None:
        await self.pass_on(exit_text(code) if not self.tty and self.shot.fires() else message)


class _LastHeld(Habit):
    """One piece of output is kept, the latest, so that the last can come when its turn is over. Of a command that goes
    on it is kept for a moment only: somebody may be waiting for it before the command gets its next input.
    """

    def __init__(self, shot: Shot, aimed: Aimed, scope: Scope, send: Send) -> None:
        super().__init__(shot, aimed, scope, send)
        self._last: Message | None = None
        self._lock = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    async def output(self, message: Message) -> None:
        await self.release()
        self._last = message
        self._timer = asyncio.create_task(self._later())

    async def _later(self) -> None:
        await asyncio.sleep(_HELD)
        with suppress(OSError):  # the client has left
            await self._let_go()

    async def _let_go(self) -> None:
        async with self._lock:
            last, self._last = self._last, None
            if last is not None:
                await self.pass_on(last)

    async def release(self) -> None:
        self.over()
        await self._let_go()

    def over(self) -> None:
        if self._timer and not self._lock.locked():
            self._timer.cancel()

    async def closed(self, message: Message) -> None:
        await self.release()
        await self.pass_on(message)


class JsonExitEarly(_LastHeld):
    async def exited(self, message: Message, code: int) -> None:
        if not self.tty and self.shot.fires():
            await self.pass_on(exit_text(code))
        await self.release()
        await self.pass_on(message)


class OutputAfterExit(_LastHeld):
    async def exited(self, message: Message, code: int) -> None:
        if self._last is None or not self.shot.fires():
            await self.release()
        await self.pass_on(message)
        await self.release()


class LateFrames(Habit):
    async def exited(self, message: Message, code: int) -> None:
        await self.pass_on(message)
        if self.shot.fires():
            await self.pass_on({"type": "websocket.send", "text": '{"type":"debug"}'})
            await self.pass_on(exit_text(code))


class WrongExit(Habit):
    async def exited(self, message: Message, code: int) -> None:
        if self.shot.fires():
            code = round(self.shot.amount)
            message = exit_text(code) if self.tty else {"type": "websocket.send", "bytes": exit_frame(code)}
        await self.pass_on(message)


class TtyDropped(Habit):
    async def exited(self, message: Message, code: int) -> None:
        await self.pass_on(message)
        if self.tty and self.shot.fires():
            await hang_up(self.scope)
            raise ConnectionResetError
