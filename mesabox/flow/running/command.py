"""The command in the mount: started with its limit, its output passed on and kept, its end told apart."""

import asyncio
import posixpath
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from mesabox.clients.base import Execution, Secret
from mesabox.errors import MesaboxError
from mesabox.flow import scripts
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.recording import Recorded
from mesabox.flow.record.runs import read_run
from mesabox.flow.running.job import Job, JobSpec, words
from mesabox.flow.running.secrets import delivered, loading, new_file, remove
from mesabox.flow.running.terminal import TerminalSession
from mesabox.flow.services import Services
from mesabox.wire.durations import plain_seconds
from mesabox.wire.execution import ExecRequest

FailedBy = Literal["command", "timeout", "signal", "service", "mesabox"]
_KILL_AFTER = 2
_KILL_SECONDS = 1.5
_MARGIN = 10.0
_TAIL = 0.05
"""Only such a command's output would be lost for good: a job knows how much there is, and asks again."""


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
        return ExecRequest(argv=self.words(), dir=self._start(), tty=tty, rows=rows, cols=cols, stdin=self.stdin or tty)

    def job(self, place: str) -> JobSpec:
        """The same, to outlive its connection. place: its name in the sprite."""
        argv = self._in_mount(self._with_environment())
        return JobSpec(place, argv, self._start(), self.timeout, self.stdin)

    def on_terminal(self, place: str) -> ExecRequest:
        """The same on the terminal that is lent, its end kept in the sprite."""
        spec = self.job(place)
        return replace(self.request(), argv=words("tty", place, *spec.limits(), *spec.argv), dir=None)

    def words(self) -> tuple[str, ...]:
        """The command in its wrappers: the mount outside, the limit within, the secrets next to the command."""
        return self._in_mount(self._limited(self._with_environment()))

    def _with_environment(self) -> tuple[str, ...]:
        """By env(1), next to the command: HOME or PATH are its own matter and not that of the wrappers; and of what a
        service makes of variables that are asked of it the documents disagree (wire/sprites §3.1).
        """
        argv = self.argv or ("bash", "-l")
        if self.secrets:
            argv = loading(self.secrets_file, argv)
        if not self.env:
            return argv
        if "=" in argv[0]:  # which env would take for a variable
            argv = ("sh", "-c", 'exec "$0" "$@"', *argv)
        return ("env", *(f"{name}={value}" for name, value in self.env.items()), *argv)

    def _in_mount(self, argv: tuple[str, ...]) -> tuple[str, ...]:
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
        whole = int(self.timeout)
        return ("sh", "-c", scripts.LIMITED, "mesabox", plain_seconds(self.timeout - whole), str(whole), *argv)

    def _start(self) -> str | None:
        if self.workdir is None or self.mount is not None:
            return self.folder
        return posixpath.join(self.folder or "/", self.workdir)


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    failed_by: FailedBy | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that the command is part of: its record, and the command's name in the sprite, where it outlives us.

    resumed: it was begun by a process that is gone, and takes_input, if it waits for the end of one; may_begin: in case
    it never came to that; tell: hears of connections that were taken up again.
    """

    ledger: Ledger
    place: str
    resumed: bool = False
    takes_input: bool = False
    may_begin: bool = True
    tell: Callable[[str], None] = lambda _: None

    def offsets(self) -> tuple[int, int]:
        """Bytes of stdout and stderr, as the command wrote them, that are on record already."""
        if not self.resumed:
            return 0, 0
        run = read_run(self.ledger.folder)
        return run.recorded("stdout")[1], run.recorded("stderr")[1]


async def run_command(
    services: Services,
    sprite: str,
    command: Command,
    *,
    console: Console,
    interrupts: Interrupts,
    kept: Kept | None = None,
    limit: float | None = None,
) -> Ended:
    """limit: the seconds the command has inside the sprite.

    OutcomeUnknown when the connection ends before the exit code is told and cannot be taken up again.
    """
    offsets = kept.offsets() if kept else (0, 0)
    execution = _execution(services, sprite, command, kept, offsets)
    secrets = command.secrets if kept is None or kept.may_begin else {}
    async with delivered(services.sandboxes, sprite, command.secrets_file, secrets):
        started = time.monotonic()
        async with execution:
            if kept and kept.takes_input and not command.stdin:  # whoever gave it is gone
                await execution.close_stdin()
            recording = nullcontext(execution) if kept is None else Recorded(execution, kept.ledger, offsets)
            async with recording as watched:
                code = await _attended(execution, watched, command, console, interrupts, limit)
        seconds = time.monotonic() - started
    if secrets and (code != 0 or (kept and kept.resumed)):  # perhaps it never came to read them
        await remove(services.sandboxes, sprite, command.secrets_file)
    late = _is_late(execution, code, seconds, limit)
    failed_by = _failed_by(code, late, interrupts)
    return Ended(124 if failed_by == "timeout" else code, failed_by, seconds)


def _execution(
    services: Services, sprite: str, command: Command, kept: Kept | None, offsets: tuple[int, int]
) -> Execution:
    """A command on a terminal is the service's own session: nothing of what it draws is kept in the sprite."""
    sandboxes = services.sandboxes
    if command.size is not None:
        request, place = (command.request(), None) if kept is None else (command.on_terminal(kept.place), kept.place)
        return TerminalSession(sandboxes, sprite, request, place=place, tell=kept.tell if kept else _unheard)
    if kept is None:
        return sandboxes.execute(sprite, command.request(), tail=lambda: _TAIL)
    spec = replace(command, stdin=command.stdin or kept.takes_input).job(kept.place)
    return Job(sandboxes, sprite, spec, started=not kept.may_begin, offsets=offsets, tell=kept.tell)


def _unheard(_: str) -> None:
    """Nobody is told."""


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
        await _kill(execution)
        return 137
    except asyncio.CancelledError:
        await _kill(execution)
        raise


async def _kill(execution: Execution) -> None:
    """Not for long: where it cannot be told, the teardown or its own limit ends it."""
    with suppress(MesaboxError, TimeoutError):
        async with asyncio.timeout(_KILL_SECONDS):
            await execution.signal("KILL")


async def _within(limit: float | None, work: Awaitable[int]) -> int:
    """The sprite ends the command at its limit; we stop waiting only when it did not."""
    return await asyncio.wait_for(work, None if limit is None else limit + _KILL_AFTER + _MARGIN)


def _is_late(execution: Execution, code: int, seconds: float, limit: float | None) -> bool:
    """A job's end says whether its limit ended it; of others the time and the code do."""
    if isinstance(execution, Job) and execution.end is not None:
        return execution.end.how == "timeout"
    return limit is not None and seconds >= limit and code in (124, 137, 143)


def _failed_by(code: int, late: bool, interrupts: Interrupts) -> FailedBy | None:
    if interrupts.received:
        return "signal"
    if late:
        return "timeout"
    if code == 0:
        return None
    return "signal" if code > 128 else "command"
