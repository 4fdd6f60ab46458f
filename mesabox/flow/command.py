"""The command in the mount: started with its limit, its output passed on and kept, its end told apart."""

import asyncio
import posixpath
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from mesabox.clients.base import Execution, Output, Secret
from mesabox.flow import scripts
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.redaction import RedactedStream, Redactor
from mesabox.flow.secrets import delivered, loading, new_file, remove
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
class Command:
    """argv: empty for a shell. timeout: seconds, None for no limit. size: rows and columns of the TTY that is lent.

    folder: where it starts, None for the sprite's home; workdir: relative to it, or absolute. mount: (org, repo) whose
    mount it starts in, for one whose folder only the sprite knows. secrets: by variable, read from ``secrets_file``.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    workdir: str | None = None
    timeout: float | None = None
    size: tuple[int, int] | None = None
    stdin: bool = False
    mount: tuple[str, str] | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    secrets_file: str = field(default_factory=new_file)

    def request(self) -> ExecRequest:
        rows, cols = self.size or (24, 80)
        tty = self.size is not None
        return ExecRequest(
            argv=self.words(), env=self.env, dir=self._start(), tty=tty, rows=rows, cols=cols, stdin=self.stdin or tty
        )

    def words(self) -> tuple[str, ...]:
        """The command in its wrappers: the mount outside, the limit within, the secrets next to the command."""
        argv = self.argv or ("bash", "-l")
        if self.secrets:
            argv = loading(self.secrets_file, argv)
        argv = self._limited(argv)
        if self.mount is None:
            return argv
        org, repo = self.mount
        place = posixpath.join(org, repo, self.workdir or "")
        return ("sh", "-c", scripts.IN_MOUNT, place, f"{org}/{repo}", *argv)

    def in_mount(self, org: str, repo: str) -> "Command":
        return replace(self, mount=(org, repo))

    def _limited(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The limit is kept inside the sprite too, so that a client that dies leaves no command behind."""
        if self.timeout is None:
            return argv
        foreground = ("--foreground",) if self.size else ()
        return ("timeout", *foreground, "-k", str(_KILL_AFTER), f"{self.timeout:g}", *argv)

    def _start(self) -> str | None:
        if self.workdir is None or self.mount is not None:
            return self.folder
        return posixpath.join(self.folder or "/", self.workdir)


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    failed_by: FailedBy | None
    seconds: float


async def run_command(
    services: Services,
    sprite: str,
    command: Command,
    *,
    console: Console,
    interrupts: Interrupts,
    keep: Path | None = None,
    redactor: Redactor | None = None,
    limit: float | None = None,
) -> Ended:
    """keep: the folder that gets ``stdout`` and ``stderr``, without what ``redactor`` knows. limit: the seconds the
    command has inside the sprite.

    OutcomeUnknown when the connection ends before the exit code is told.
    """
    async with delivered(services.sandboxes, sprite, command.secrets_file, command.secrets):
        started = time.monotonic()
        async with services.sandboxes.execute(sprite, command.request()) as execution:
            recording = nullcontext(execution) if keep is None else Recorded(execution, keep, redactor or Redactor())
            async with recording as watched:
                code = await _attended(execution, watched, command, console, interrupts, limit)
        seconds = time.monotonic() - started
    if command.secrets and code != 0:  # perhaps it never came to read them
        await remove(services.sandboxes, sprite, command.secrets_file)
    failed_by = _failed_by(code, seconds, limit, interrupts)
    return Ended(124 if failed_by == "timeout" else code, failed_by, seconds)


async def _attended(
    execution: Execution,
    watched: Execution,
    command: Command,
    console: Console,
    interrupts: Interrupts,
    limit: float | None,
) -> int:
    try:
        with interrupts.lent_to(execution):
            return await _within(limit, console.attend(watched, size=command.size))
    except TimeoutError:
        await execution.signal("KILL")
        return 137
    except asyncio.CancelledError:
        await execution.signal("KILL")
        raise


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
    """An execution whose output is also kept in files, redacted."""

    def __init__(self, execution: Execution, folder: Path, redactor: Redactor) -> None:
        self._execution = execution
        self._redacted = {1: RedactedStream(redactor), 2: RedactedStream(redactor)}
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
            self._files[output.stream].write(self._redacted[output.stream].feed(output.data))
            yield output

    def close(self) -> None:
        for stream, file in self._files.items():
            file.write(self._redacted[stream].rest())
            file.close()


def _new_file(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("wb")
