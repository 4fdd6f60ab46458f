"""A command in a sprite that outlives its connection, seen as one execution however often that breaks.

``inside/job.sh`` runs it: it keeps the output in files and counts the input that arrived, so that a new connection goes
on at the very byte. Nothing here depends on what the service remembers of a session.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mesabox.clients.base import Execution, Output, SandboxHost
from mesabox.errors import Failed, MesaboxError, OutcomeUnknown, TryLater
from mesabox.flow import scripts
from mesabox.flow.running.asking import AFTER_EXIT, BEGINS_WITHIN, ask
from mesabox.flow.running.input import Input
from mesabox.flow.running.marks import Marks
from mesabox.wire.durations import plain_seconds
from mesabox.wire.execution import ExecRequest

STDOUT, STDERR = 1, 2
_PAUSES = (0.0,) * 8 + (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0)
"""Seconds before each try to take up a lost connection; from the first again whenever one brought anything."""
_PATIENCE = 120.0
"""Seconds in which no connection brought anything, after which there is no further try: each may have been slow."""
_LINGER_MARGIN = 30.0
_SHORT = 20.0
_GOOD_SECONDS = 5.0
_LOST = "its sprite was stopped or restarted meanwhile, or what is kept of it there was removed"
_NO_PLACE = 78
_SELF = 'exec sh "${XDG_STATE_HOME:-$HOME/.local/state}/mesabox/$0" "$@"'


@cache
def script() -> bytes:
    """What runs in the sprite."""
    return (Path(__file__).parent / "inside" / "job.sh").read_bytes()


@cache
def script_name() -> str:
    """Of its file in the sprite; another version is another file."""
    return f"job-{hashlib.sha256(script()).hexdigest()[:12]}.sh"


def words(verb: str, place: str, *arguments: str) -> tuple[str, ...]:
    """The argv that calls the script, which the sprite has."""
    return ("sh", "-c", _SELF, script_name(), verb, place, *arguments)


async def install(sandboxes: SandboxHost, sprite: str) -> None:
    """The script, into the sprite; ``steps.prepare_mesa`` brings it along."""
    done = await ask(sandboxes, sprite, scripts.sh(scripts.TAKE_SCRIPT, script_name()), stdin=script(), timeout=_SHORT)
    if done.exit_code != 0:
        raise _no_place(sprite, done.stderr)


async def forget(sandboxes: SandboxHost, sprite: str, place: str) -> None:
    """What the sprite keeps of a job that ended. Best effort: it is in the sprite's own folder."""
    with suppress(MesaboxError):
        await ask(sandboxes, sprite, words("forget", place), timeout=_SHORT)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """place: its name in the sprite, no one else's. folder: where it starts, None for the home. limit: seconds."""

    place: str
    argv: tuple[str, ...]
    folder: str | None = None
    limit: float | None = None
    stdin: bool = False

    def limits(self) -> tuple[str, str]:
        """As the script takes them: LIMIT and DIR."""
        return "none" if self.limit is None else plain_seconds(self.limit), self.folder or ""

    @property
    def linger(self) -> float:
        """The service's own limit for a command without a client, behind ours; 0 is for ever."""
        return 0.0 if self.limit is None else self.limit + _LINGER_MARGIN


@dataclass(frozen=True, slots=True)
class End:
    """out and err: bytes in all. how: ``exited``, ``timeout``, or ``torn`` when not all of its output could be kept."""

    exit_code: int
    out: int
    err: int
    how: str

    @classmethod
    def told(cls, fields: Sequence[str]) -> "End":
        """OutcomeUnknown when the words are not as the script says them: its files are the command's to spoil."""
        try:
            code, out, err, how = fields
            return cls(int(code), int(out), int(err), how)
        except ValueError:
            why = "what the sprite keeps of it was written over"
            raise _Lost("how the command ended cannot be learned", why=why) from None


class Job:
    """An Execution. started: whether it is known to have begun; offsets: bytes of each stream that were had already.

    tell: hears of each connection that was taken up again.
    """

    def __init__(
        self,
        sandboxes: SandboxHost,
        sprite: str,
        spec: JobSpec,
        *,
        started: bool = False,
        offsets: tuple[int, int] = (0, 0),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.exit_code: int | None = None
        self.end: End | None = None
        self._sandboxes, self._sprite, self._spec, self._tell = sandboxes, sprite, spec, tell
        self._started = started
        self._had = {STDOUT: offsets[0], STDERR: offsets[1]}
        self._input = Input() if spec.stdin else None
        self._connection: _Connection | None = None
        self._fruitless, self._fruitless_since = 0, 0.0

    @property
    def session_id(self) -> str | None:
        return self._connection.execution.session_id if self._connection else None

    async def __aenter__(self) -> "Job":
        """Raises only what no further try would mend."""
        await self._connect_patiently(None)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._disconnect()

    def __aiter__(self) -> AsyncIterator[Output]:
        return self._outputs()

    async def write(self, data: bytes) -> None:
        if self._input is not None:
            await self._input.put(data)

    async def close_stdin(self) -> None:
        if self._input is not None:
            await self._input.end()

    async def resize(self, rows: int, cols: int) -> None:
        """It has no terminal."""

    async def signal(self, name: str) -> None:
        """To its process group, whether or not there is a connection at the moment."""
        await send_signal(self._sandboxes, self._sprite, self._spec.place, name)

    async def _outputs(self) -> AsyncIterator[Output]:
        while self.exit_code is None:
            assert self._connection is not None
            lost: MesaboxError | None = None
            try:
                async for output in self._of(self._connection):
                    self._had[output.stream] += len(output.data)
                    self._fruitless = 0
                    yield output
                    if self._complete():
                        break
            except MesaboxError as failure:
                lost = failure
            if self._complete():
                assert self.end is not None
                if self.end.how == "torn":
                    raise _no_place(self._sprite, b"its disk was full, and some of what the command printed is lost")
                self.exit_code = self.end.exit_code
            else:
                await self._take_up_again(self._connection, lost)

    async def _of(self, connection: "_Connection") -> AsyncIterator[Output]:
        """What one connection brings of the command's own output. Before ``begun`` nothing on stderr is: a shell may
        have complained; stdout that overtook it waits.
        """
        async for output in self._heard(connection):
            if output.stream == STDOUT and connection.begun:
                yield output
            elif output.stream == STDOUT:
                connection.early.append(output)
            else:
                for piece in connection.marks.feed(output.data):
                    if isinstance(piece, list):
                        self._told(connection, piece)
                    elif connection.begun:
                        yield Output(STDERR, piece)
                    else:
                        connection.complaint += piece
            while connection.begun and connection.early:
                yield connection.early.pop(0)
            if self._complete():
                return

    async def _heard(self, connection: "_Connection") -> AsyncIterator[Output]:
        """All that it brings. One that says nothing of the command, as if it had not begun, is as good as lost."""
        outputs = aiter(connection.execution)
        with suppress(StopAsyncIteration):
            while True:
                try:
                    async with asyncio.timeout(None if connection.begun else BEGINS_WITHIN):
                        output = await anext(outputs)
                except TimeoutError:
                    why = "a connection to it was opened, and then nothing was told"
                    raise OutcomeUnknown("the command's end could not be learned", why=why) from None
                yield output

    def _told(self, connection: "_Connection", words: Sequence[str]) -> None:
        kind, *fields = words or [""]
        if kind == "begun":
            connection.begun = self._started = True
        elif kind == "fed" and self._input is not None:
            self._input.arrived(fields[0])
        elif kind == "end":
            self.end = End.told(fields)
        elif kind == "lost":
            raise _Lost("the command ended without a word", why=_LOST)
        elif kind == "absent" and self._started:
            raise _Lost("the command is not known in its sprite", why="it was restored or made anew meanwhile")

    def _complete(self) -> bool:
        """Some services lose output, or the exit (wire/sprites §7): what the sprite counted decides."""
        end = self.end
        return end is not None and self._had[STDOUT] >= end.out and self._had[STDERR] >= end.err

    def _tail(self) -> float:
        return 0.0 if self._complete() else AFTER_EXIT

    async def _take_up_again(self, connection: "_Connection", lost: MesaboxError | None) -> None:
        await self._disconnect()
        if lost is not None and (isinstance(lost, _Lost) or not isinstance(lost, TryLater | OutcomeUnknown)):
            raise lost
        if connection.execution.exit_code == _NO_PLACE:
            raise _no_place(self._sprite, connection.complaint)
        if connection.worked():
            self._fruitless = 0
        await self._connect_patiently(lost)
        if connection.begun:
            self._tell("the connection to the command was lost, and has been taken up again")

    async def _connect_patiently(self, lost: MesaboxError | None) -> None:
        if self._fruitless == 0:
            self._fruitless_since = time.monotonic()
        while self._fruitless < len(_PAUSES):
            asked = (lost.after or 0.0) if isinstance(lost, TryLater) else 0.0
            pause = max(_PAUSES[self._fruitless], asked)
            if time.monotonic() + pause > self._fruitless_since + _PATIENCE:
                break
            await asyncio.sleep(pause)
            self._fruitless += 1
            try:
                return await self._connect()
            except (TryLater, OutcomeUnknown) as failure:
                lost = failure
        why = "every connection to it ended before its end was told"
        raise lost or OutcomeUnknown("the command's end could not be learned", why=why)

    async def _connect(self) -> None:
        if not self._started and self._fruitless > 1:  # it did not begin: perhaps the script is not there
            await install(self._sandboxes, self._sprite)
        mark = f"mesabox:{secrets.token_hex(8)}:"
        execution = self._sandboxes.execute(self._sprite, self._request(mark), tail=self._tail)
        self.end = None
        await execution.__aenter__()
        self._connection = _Connection(execution, Marks(mark.encode()))
        if self._input is not None:
            self._input.connected(execution)

    def _request(self, mark: str) -> ExecRequest:
        """The words that start it may arrive twice: only the first do."""
        spec, takes_input = self._spec, self._input is not None and not self._input.over
        had = (str(self._had[STDOUT]), str(self._had[STDERR]), "yes" if takes_input else "no")
        if self._started:
            return ExecRequest(words("follow", spec.place, mark, *had), stdin=takes_input)
        argv = words("start", spec.place, mark, *had, *spec.limits(), *spec.argv)
        return ExecRequest(argv, stdin=takes_input, linger=spec.linger)

    async def _disconnect(self) -> None:
        if self._input is not None:
            await self._input.disconnected()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(MesaboxError):
                await connection.execution.__aexit__(None, None, None)


@dataclass(slots=True)
class _Connection:
    """begun: it speaks of the command. complaint: what a shell said instead. early: stdout before that is known."""

    execution: Execution
    marks: Marks
    begun: bool = False
    complaint: bytes = b""
    early: list[Output] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def worked(self) -> bool:
        """Long enough that the next one is worth trying at once."""
        return self.begun and time.monotonic() - self.since > _GOOD_SECONDS


def _no_place(sprite: str, complaint: bytes) -> MesaboxError:
    why = complaint.decode(errors="replace").strip()[-200:]
    return Failed(f"a command cannot be kept in sprite '{sprite}'", why=why, fix="free space in it", code="no_place")


class _Lost(OutcomeUnknown):
    """No connection will tell any more."""


async def send_signal(sandboxes: SandboxHost, sprite: str, place: str, name: str) -> None:
    """``TERM``, ``INT``, ...: again when it is not known whether it arrived."""
    await ask(sandboxes, sprite, words("signal", place, name), timeout=_SHORT)
