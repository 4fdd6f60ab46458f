"""The command in the mount: started with its limit, its output passed on and kept, its end told apart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from mesabox.clients.base import Execution, Output
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.plan import Plan
from mesabox.flow.services import Services
from mesabox.wire.execution import ExecRequest

FailedBy = Literal["command", "timeout", "signal", "service", "mesabox"]
_KILL_AFTER = 2
_MARGIN = 10.0


class Console(Protocol):
    """Where a command's output goes and its input comes from: a terminal, pipes, or a buffer."""

    async def attend(self, execution: Execution, *, size: tuple[int, int] | None) -> int:
        """Bridge until the exit code is known, every byte written before it is returned. size: of a lent TTY."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    failed_by: FailedBy | None
    seconds: float


def request_for(plan: Plan, folder: str) -> ExecRequest:
    """The limit is kept inside the sprite too, so that a client that dies leaves no command behind."""
    argv = plan.command or ("bash", "-l")
    if plan.timeout is not None:
        foreground = ("--foreground",) if plan.size else ()
        argv = ("timeout", *foreground, "-k", str(_KILL_AFTER), f"{plan.timeout:g}", *argv)
    rows, cols = plan.size or (24, 80)
    workdir = folder if plan.workdir is None else str(Path(folder) / plan.workdir)
    tty, stdin = plan.size is not None, plan.stdin or plan.size is not None
    return ExecRequest(argv=argv, env=plan.env, dir=workdir, tty=tty, rows=rows, cols=cols, stdin=stdin)


async def run_command(
    services: Services, plan: Plan, sprite: str, folder: str, *, console: Console, interrupts: Interrupts, keep: Path
) -> Ended:
    """keep: the folder that gets ``stdout`` and ``stderr``. OutcomeUnknown when the connection ends too early."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with services.sandboxes.execute(sprite, request_for(plan, folder)) as execution:
        recorded = Recorded(execution, keep)
        try:
            with interrupts.lent_to(execution):
                code = await _within(plan.timeout, console.attend(recorded, size=plan.size))
        except TimeoutError:
            await execution.signal("KILL")
            code = 124
        finally:
            recorded.close()
    seconds = loop.time() - started
    failed_by = _failed_by(code, seconds, plan.timeout, interrupts)
    return Ended(124 if failed_by == "timeout" else code, failed_by, seconds)


async def _within(limit: float | None, work: Awaitable[int]) -> int:
    """The sprite ends the command at its limit; we stop waiting only when it did not."""
    return await asyncio.wait_for(work, None if limit is None else limit + _KILL_AFTER + _MARGIN)


def _failed_by(code: int, seconds: float, limit: float | None, interrupts: Interrupts) -> FailedBy | None:
    if interrupts.received:
        return "signal"
    if limit is not None and seconds >= limit and code in (124, 137):
        return "timeout"
    if code == 0:
        return None
    return "signal" if code > 128 else "command"


class Recorded:
    """An execution whose output is also kept in files."""

    def __init__(self, execution: Execution, folder: Path) -> None:
        self._execution = execution
        self._files = {1: _new_file(folder / "stdout"), 2: _new_file(folder / "stderr")}
        self.write, self.close_stdin = execution.write, execution.close_stdin
        self.resize, self.signal = execution.resize, execution.signal

    @property
    def session_id(self) -> str | None:
        return self._execution.session_id

    @property
    def exit_code(self) -> int | None:
        return self._execution.exit_code

    async def __aenter__(self) -> Execution:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Output]:
        async for output in self._execution:
            self._files[output.stream].write(output.data)
            yield output

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _new_file(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("wb")
