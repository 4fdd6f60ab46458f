"""A sandbox host that runs what it is given on this machine, and loses connections when told to."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mesabox.clients.base import Output, Tail, no_tail
from mesabox.errors import OutcomeUnknown
from mesabox.wire.execution import ExecRequest

_LARGEST = 4096


@dataclass
class Here:
    """home: its HOME. budgets: for each connection in turn the bytes that it brings before it is cut; then none is.

    swallowed: bytes of stdin that a cut connection took and lost. ran: every argv, with the stdin it was given.
    """

    home: Path
    budgets: Iterator[int | None] = field(default_factory=lambda: iter(()))
    shell: str | None = None
    ran: list[tuple[str, ...]] = field(default_factory=list)
    inputs: list[bytearray] = field(default_factory=list)
    exits: Callable[[int], int | None] = lambda code: code

    def execute(self, sprite: str, request: ExecRequest, *, tail: Tail = no_tail) -> "HereExecution":
        self.ran.append(request.argv)
        self.inputs.append(bytearray())
        return HereExecution(self, request, next(self.budgets, None))


class HereExecution:
    session_id = "1"

    def __init__(self, host: Here, request: ExecRequest, budget: int | None) -> None:
        self.exit_code: int | None = None
        self._host, self._request, self._budget = host, request, budget
        self._taken = host.inputs[-1]
        self._outputs: asyncio.Queue[Output | None] = asyncio.Queue()
        self._cut = False

    async def __aenter__(self) -> "HereExecution":
        words = list(self._request.argv)
        if self._host.shell:
            words[0] = self._host.shell
        environment = {**os.environ, "HOME": str(self._host.home), **self._request.env}
        environment.pop("XDG_STATE_HOME", None)
        environment["MESABOX_DOOR"] = "none"  # as in an engine without isolation: nothing outside of the home
        self._process = await asyncio.create_subprocess_exec(
            *words,
            stdin=subprocess.PIPE if self._request.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=self._host.home,
            start_new_session=True,
        )
        self._pumps = [asyncio.create_task(self._pump(1)), asyncio.create_task(self._pump(2))]
        self._watch = asyncio.create_task(self._until_over())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._pumps, self._watch):
            task.cancel()
        await asyncio.gather(*self._pumps, self._watch, return_exceptions=True)
        if self._process.stdin:
            self._process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # what hangs on the connection ends with it
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 2.0)
        self._process._transport.close()  # one who feeds the command may hold a pipe of it open

    async def __aiter__(self) -> AsyncIterator[Output]:
        while (output := await self._outputs.get()) is not None:
            if self._budget is not None:
                output = Output(output.stream, output.data[: self._budget])
                self._budget -= len(output.data)
            if output.data:
                yield output
            if self._budget == 0:
                self._cut = True
                raise OutcomeUnknown("cut")
        self.exit_code = self._host.exits(self._process.returncode or 0)
        if self.exit_code is None:
            raise OutcomeUnknown("closed without exit")

    async def write(self, data: bytes) -> None:
        self._taken += data
        if self._cut or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass

    async def close_stdin(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def resize(self, rows: int, cols: int) -> None: ...
    async def signal(self, name: str) -> None: ...

    async def _pump(self, stream: int) -> None:
        source = self._process.stdout if stream == 1 else self._process.stderr
        assert source is not None
        while data := await source.read(_LARGEST):
            await self._outputs.put(Output(stream, data))

    async def _until_over(self) -> None:
        await self._process.wait()
        await asyncio.wait(self._pumps, timeout=0.3)
        await self._outputs.put(None)


class MuteAtFirst(Here):
    """Whose first connections are opened, and then nothing is told."""

    mute = 1

    def execute(self, sprite: str, request: ExecRequest, *, tail: Tail = no_tail) -> "HereExecution":
        if len(self.ran) < self.mute:
            request = replace(request, argv=("sleep", "60"))
        return super().execute(sprite, request)
