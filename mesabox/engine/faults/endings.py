"""Faults of how the exec socket ends: the exit late, wrong, twice or never, and the close."""

from mesabox.engine.faults.habits import Habit, Holding, exit_text
from mesabox.engine.gate import Message
from mesabox.engine.transport import hang_up
from mesabox.wire.frames import exit_frame


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
    """One piece of output is kept, the latest, so that the last can come when its turn is over."""

    _last: Message | None = None

    async def output(self, message: Message) -> None:
        last, self._last = self._last, message
        if last is not None:
            await self.pass_on(last)

    async def release(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            await self.pass_on(last)

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
