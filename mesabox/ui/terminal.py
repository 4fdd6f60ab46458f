"""A running command and this terminal: bytes both ways, raw mode, the window's size; or pipes; or a buffer."""

import asyncio
import contextlib
import io
import os
import signal
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, BinaryIO

from mesabox.clients.base import Execution, Output
from mesabox.errors import Failed, MesaboxError, OutcomeUnknown
from mesabox.ui.capture import as_text
from mesabox.ui.events import EventLog, EventOutput
from mesabox.ui.github import guarded
from mesabox.ui.keys import CtrlC
from mesabox.ui.outflow import Outflow
from mesabox.ui.streams import Streams

_CHUNK = 64 * 1024
_MOST_CAPTURED = 1024 * 1024
_STOP_SECONDS = 0.5
"""For output that is still on its way when a run is torn down."""


class Console:
    """captured: the output is kept for one JSON object instead of passed on, up to a mebibyte of each stream.

    events: is told of the output as well. stuck: is called for a Ctrl-C on a lent terminal that follows one which had
    no answer: keys are the command's own, and this is the way out of one that does not listen. takes_input: False for
    one who only watches.
    """

    stuck: Callable[[], None] | None = None
    takes_input = True

    def __init__(self, streams: Streams, *, captured: bool = False, events: EventLog | None = None) -> None:
        self._streams = streams
        self._events = events
        self._captured: dict[int, bytearray] | None = {1: bytearray(), 2: bytearray()} if captured else None
        self._lengths = {1: 0, 2: 0}
        self._before: list[Any] | None = None
        self._ctrl_c = CtrlC()

    async def attend(self, execution: Execution, *, size: tuple[int, int] | None) -> int:
        """The exit code, once every byte of output is written. size: of the terminal that is lent, None without one."""
        lent = contextlib.nullcontext() if size is None else self._lent_terminal(execution)
        with lent:
            async with self._input(execution, size):
                await self._take(execution)
        if execution.exit_code is None:
            raise OutcomeUnknown("the end of the command was not told")
        return execution.exit_code

    def captured(self) -> dict[str, Any]:
        """For the JSON: text, or base64 where it is not UTF-8; says so where it was cut."""
        if self._captured is None:
            return {}
        fields: dict[str, Any] = {}
        for stream, name in ((1, "stdout"), (2, "stderr")):
            kept = bytes(self._captured[stream])
            fields |= as_text(name, kept, cut=self._lengths[stream] > len(kept))
        return fields

    async def _take(self, execution: Execution) -> None:
        """Every output to all who want it. One that nobody can take any more ends the command."""
        try:
            await (self._pass_on(execution) if self._captured is None else self._capture(execution))
        except OSError as failure:
            with contextlib.suppress(MesaboxError):
                await execution.signal("TERM")
            if isinstance(failure, BrokenPipeError):
                raise
            what, why = "the command's output cannot be written", failure.strerror or str(failure)
            raise Failed(what, why=why, code="output_unwritable") from None

    async def _pass_on(self, execution: Execution) -> None:
        outflow = Outflow()
        sinks = {1: self._streams.stdout, 2: self._streams.stderr}
        with guarded(self._streams) as fence:
            try:
                async for output in self._told(execution):
                    fence.watch(output)
                    self._ctrl_c.came(output.data)
                    await outflow.put(sinks[output.stream], output.data)
                await outflow.drained()
            except BaseException:
                if not outflow.stopped(_STOP_SECONDS):
                    fence.keep_up()
                raise

    async def _capture(self, execution: Execution) -> None:
        assert self._captured is not None
        async for output in self._told(execution):
            kept = self._captured[output.stream]
            kept += output.data[: _MOST_CAPTURED - len(kept)]
            self._lengths[output.stream] += len(output.data)

    async def _told(self, execution: Execution) -> AsyncIterator[Output]:
        """The same; a reader of events that is slow stops neither signals nor pings, nor a teardown."""
        if self._events is None:
            async for output in execution:
                yield output
            return
        told = EventOutput(self._events)
        async for output in execution:
            await self._events.room()
            told.put(output)
            yield output
        told.finish()

    @contextlib.asynccontextmanager
    async def _input(self, execution: Execution, size: tuple[int, int] | None) -> AsyncIterator[None]:
        """stdin goes along while the command runs; a terminal that was not lent to it stays ours."""
        if size is None and (self._streams.stdin_terminal or not self.takes_input):
            yield
            return
        feeding = asyncio.create_task(self._feed(execution))
        try:
            yield
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding

    async def _feed(self, execution: Execution) -> None:
        """Reads on only when what was read is taken: back-pressure from the sprite to whoever pipes into us."""
        while data := await _read(self._streams.stdin):
            if self._before is not None and self._ctrl_c.typed(data) and self.stuck is not None:
                self.stuck()
            await execution.write(data)
        await execution.close_stdin()

    @contextlib.contextmanager
    def _lent_terminal(self, execution: Execution) -> Iterator[None]:
        """Keys go to the command as they are typed, Ctrl-C too; the terminal is as before on every way out."""
        loop, resizing = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def follow() -> None:
            task = loop.create_task(execution.resize(*self._streams.size()))
            resizing.add(task)
            task.add_done_callback(resizing.discard)

        self._make_raw()
        loop.add_signal_handler(signal.SIGWINCH, follow)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)
            self.give_back()

    def give_back(self) -> None:
        """The terminal as it was before. For ways out that unwind nothing, too: it can be called at any time."""
        before, self._before = self._before, None
        if before is not None:
            with contextlib.suppress(termios.error):  # it hung up
                termios.tcsetattr(self._streams.stdin.fileno(), termios.TCSADRAIN, before)

    def _make_raw(self) -> None:
        if self._streams.stdin_terminal:
            descriptor = self._streams.stdin.fileno()
            self._before = termios.tcgetattr(descriptor)
            tty.setraw(descriptor, termios.TCSADRAIN)


async def _read(stdin: BinaryIO) -> bytes:
    """What is there, at least one byte; nothing at the end. The descriptor stays blocking: the shell shares it."""
    try:
        descriptor = stdin.fileno()
    except io.UnsupportedOperation:
        return stdin.read(_CHUNK)
    await _readable(descriptor)
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:  # EIO: the terminal hung up
        return b""


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:  # epoll takes no regular files; those never keep one waiting
        await asyncio.sleep(0)
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
