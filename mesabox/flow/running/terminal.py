"""A command on a terminal, seen as one execution though its connection breaks: the service's session is attached again.

What was on the screen comes from the service then, which may show it otherwise than it was: that is said. How it
ended, when nobody was there, the sprite knows of a command that ``inside/job.sh`` runs; of others nobody does.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from mesabox.clients.base import Execution, Output, SandboxHost
from mesabox.errors import MesaboxError, NotFound, OutcomeUnknown, TryLater
from mesabox.flow.running import job
from mesabox.flow.running.asking import ask
from mesabox.wire.execution import ExecRequest

_PAUSES = (0.0, 0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0)
_ASK_SECONDS = 20.0
AGAIN = "the connection was lost and has been taken up again: the screen may lack something"


class TerminalSession:
    """place: the command's name in the sprite, None for one that is not kept there. tell: hears of lost connections."""

    def __init__(
        self,
        sandboxes: SandboxHost,
        sprite: str,
        request: ExecRequest,
        *,
        place: str | None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.exit_code: int | None = None
        self.session_id: str | None = None
        self._sandboxes, self._sprite, self._place, self._tell = sandboxes, sprite, place, tell
        self._size = (request.rows, request.cols)
        self._current: Execution = sandboxes.execute(sprite, request)
        self._connected = asyncio.Event()

    async def __aenter__(self) -> "TerminalSession":
        await self._current.__aenter__()
        self._connected.set()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._connected.is_set():
            await self._current.__aexit__(None, None, None)

    async def __aiter__(self) -> AsyncIterator[Output]:
        while self.exit_code is None:
            try:
                async for output in self._current:
                    self.session_id = self._current.session_id
                    yield output
                self.exit_code = self._current.exit_code
            except (OutcomeUnknown, TryLater) as lost:
                await self._take_up_again(lost)

    async def write(self, data: bytes) -> None:
        """Keys wait while there is no connection."""
        await self._connected.wait()
        await self._current.write(data)

    async def close_stdin(self) -> None:
        await self._connected.wait()
        await self._current.close_stdin()

    async def resize(self, rows: int, cols: int) -> None:
        self._size = (rows, cols)
        if self._connected.is_set():
            await self._current.resize(rows, cols)

    async def signal(self, name: str) -> None:
        if self._connected.is_set():
            await self._current.signal(name)
        elif self.session_id is not None:
            await self._sandboxes.kill_session(self._sprite, self.session_id, signal=name, timeout=0)

    async def _take_up_again(self, lost: MesaboxError) -> None:
        """Raises ``lost`` when the session cannot be attached and its end is not known."""
        self.session_id = self.session_id or self._current.session_id
        self._connected.clear()
        with suppress(MesaboxError):
            await self._current.__aexit__(None, None, None)
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                return await self._attach(self.session_id or await self._listed())
            except NotFound:
                self.exit_code = await self._ended(lost)
                return
            except (OutcomeUnknown, TryLater):
                continue
        raise lost

    async def _attach(self, session_id: str) -> None:
        attached = self._sandboxes.attach(self._sprite, session_id)
        await attached.__aenter__()
        self._current = attached
        self._connected.set()
        self._tell(AGAIN)
        rows, cols = self._size
        await attached.resize(rows, max(1, cols - 1))  # a program that fills the screen draws it anew
        await attached.resize(rows, cols)

    async def _listed(self) -> str:
        """The session's id, where the connection broke before it was told. NotFound when it is not to be recognized."""
        sessions = await self._sandboxes.sessions(self._sprite) if self._place else []
        found = next((one.id for one in sessions if one.tty and f" {self._place} " in one.command), None)
        if found is None:
            raise NotFound("the session is not among those that run")
        self.session_id = found
        return found

    async def _ended(self, lost: MesaboxError) -> int:
        if self._place is None:
            raise lost
        done = await ask(self._sandboxes, self._sprite, job.words("ended", self._place), timeout=_ASK_SECONDS)
        words = done.stdout.decode().split()
        if words[:1] != ["end"]:
            raise lost
        return job.End.told(words[1:]).exit_code
