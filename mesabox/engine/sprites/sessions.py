"""Commands that run in a sprite, and the clients that watch them."""

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from mesabox.engine.sandbox.host import Process
from mesabox.engine.sprites.descriptors import read_now, read_some, write_all
from mesabox.wire.execution import ExecRequest
from mesabox.wire.frames import MAX_PAYLOAD, Stream

SCROLLBACK = 256 * 1024
"""Bytes of output kept for those who attach later."""
_WATCHER_BACKLOG = 64
_QUIET_AFTER_EXIT = 0.1
_STDIN_BACKLOG = 256
_LAST_WORDS = 256

Piece = tuple[int, bytes]


@dataclass(eq=False, slots=True)
class Watcher:
    """One client's view of a session: pieces of output, then None when the session is over."""

    pieces: asyncio.Queue[Piece | None] = field(default_factory=lambda: asyncio.Queue(_WATCHER_BACKLOG))
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, piece: Piece | None) -> None:
        """Wait for a slow client (that is the back-pressure on the command), but not for one that has left."""
        try:
            self.pieces.put_nowait(piece)
        except asyncio.QueueFull:
            await self._put_or_gone(piece)

    async def _put_or_gone(self, piece: Piece | None) -> None:
        put = asyncio.ensure_future(self.pieces.put(piece))
        gone = asyncio.ensure_future(self.gone.wait())
        await asyncio.wait({put, gone}, return_when=asyncio.FIRST_COMPLETED)
        put.cancel()
        gone.cancel()

    def close(self) -> None:
        """The client has left: whoever iterates is let go."""
        self.gone.set()
        while not self.pieces.empty():
            self.pieces.get_nowait()
        self.pieces.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        while (piece := await self.pieces.get()) is not None:
            yield piece


class Session:
    """A running command: its output goes to every watcher and to the scrollback; its end is ``exit_code``.

    exit_code is None while it runs, and stays None when the sandbox went away under it (``lost``).
    """

    def __init__(self, request: ExecRequest, argv: tuple[str, ...], workdir: str, process: Process) -> None:
        self.id = str(process.pid)
        self.argv = argv
        self.workdir = workdir
        self.tty = request.tty
        self.linger = request.linger if request.linger is not None else (0.0 if request.tty else 10.0)
        self.created = time.time()
        self.last_activity = self.created
        self.process = process
        self.exit_code: int | None = None
        self.lost = False
        self.over = asyncio.Event()
        self._watchers: set[Watcher] = set()
        self._scrollback: deque[Piece] = deque()
        self._kept = 0
        self._stdin: asyncio.Queue[bytes | None] = asyncio.Queue(_STDIN_BACKLOG)
        self._exited = asyncio.Event()
        self._end_of_linger: asyncio.TimerHandle | None = None
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._feed())]

    def watch(self, *, scrollback: bool) -> Watcher:
        """Join: with ``scrollback`` what was kept comes first. Nothing is missed in between."""
        watcher = Watcher(asyncio.Queue(_WATCHER_BACKLOG + len(self._scrollback) + 1))
        if scrollback:
            for piece in self._scrollback:
                watcher.pieces.put_nowait(piece)
        if self.over.is_set():
            watcher.pieces.put_nowait(None)
        self._watchers.add(watcher)
        self._keep_alive()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """The last one who leaves starts the linger clock (``max_run_after_disconnect``; 0 is for ever)."""
        watcher.close()
        self._watchers.discard(watcher)
        if not self._watchers and self.linger and not self.over.is_set():
            self._end_of_linger = asyncio.get_running_loop().call_later(self.linger, self._end)

    async def write(self, data: bytes) -> None:
        if not self.over.is_set():
            await self._stdin.put(data)

    async def close_stdin(self) -> None:
        if not self.over.is_set():
            await self._stdin.put(None)

    def resize(self, rows: int, cols: int) -> None:
        if self.tty and self.exit_code is None:
            self.process.resize(rows, cols)

    def signal(self, number: int) -> None:
        if not self._exited.is_set():
            self.process.signal(number)

    def lose(self) -> None:
        """The sandbox is gone: end without an exit code."""
        self.lost = True
        for task in self._tasks:
            task.cancel()

    def _end(self) -> None:
        self.signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(5.0, self.signal, signal.SIGKILL)

    def _keep_alive(self) -> None:
        if self._end_of_linger:
            self._end_of_linger.cancel()
            self._end_of_linger = None

    async def _run(self) -> None:
        pumps = [asyncio.create_task(self._pump(stream, fd)) for stream, fd in self._outputs()]
        try:
            code = await self.process.wait()
            self._exited.set()
            await asyncio.gather(*pumps)
            self.exit_code = None if self.lost else code
        finally:
            self.over.set()
            self._keep_alive()
            await self._put_away([*pumps, self._tasks[1]])
            await self._tell(None)

    async def _put_away(self, tasks: "list[asyncio.Task[None]]") -> None:
        """Nobody may still wait on a descriptor when it is closed: its number is soon another's."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.process.close()
        while not self._stdin.empty():
            self._stdin.get_nowait()

    def _outputs(self) -> list[tuple[int, int]]:
        if self.process.terminal is not None:
            return [(Stream.STDOUT, self.process.terminal)]
        pairs = ((Stream.STDOUT, self.process.stdout), (Stream.STDERR, self.process.stderr))
        return [(int(stream), fd) for stream, fd in pairs if fd is not None]

    async def _pump(self, stream: int, descriptor: int) -> None:
        """Every byte up to the end of the pipe; after the command's exit a pipe that a daemon keeps open is left
        as soon as it is quiet."""
        while data := await self._next(descriptor):
            self.last_activity = time.time()
            self._keep((stream, data))
            await self._tell((stream, data))

    async def _next(self, descriptor: int) -> bytes:
        if (data := read_now(descriptor, MAX_PAYLOAD)) is not None:
            return data
        if self._exited.is_set():
            return await _unless_quiet(read_some(descriptor, MAX_PAYLOAD))
        read = asyncio.ensure_future(read_some(descriptor, MAX_PAYLOAD))
        exited = asyncio.ensure_future(self._exited.wait())
        try:
            await asyncio.wait({read, exited}, return_when=asyncio.FIRST_COMPLETED)
            return read.result() if read.done() else await _unless_quiet(read)
        finally:
            read.cancel()
            exited.cancel()
            await asyncio.wait({read})

    async def _tell(self, piece: Piece | None) -> None:
        for watcher in list(self._watchers):
            await watcher.put(piece)

    def _keep(self, piece: Piece) -> None:
        self._scrollback.append(piece)
        self._kept += len(piece[1])
        while self._kept > SCROLLBACK:
            self._kept -= len(self._scrollback.popleft()[1])

    async def _feed(self) -> None:
        target = self.process.terminal if self.tty else self.process.stdin
        while target is not None and (data := await self._stdin.get()) is not None:
            try:
                await write_all(target, data)
            except OSError:
                break
        if not self.tty:
            self.process.close_stdin()
        while True:
            await self._stdin.get()


async def _unless_quiet(read: Awaitable[bytes]) -> bytes:
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(read, _QUIET_AFTER_EXIT)
    return b""


class Sessions:
    """The sessions of one sprite: those that run, and the last words of those that ended."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.running: dict[str, Session] = {}
        self._ended: dict[str, int] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._on_change = on_change

    def add(self, session: Session) -> None:
        self.running[session.id] = session
        self._ended.pop(session.id, None)
        task = asyncio.create_task(self._until_over(session))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def ended(self, session_id: str) -> int | None:
        """The exit code of a session that ended not long ago."""
        return self._ended.get(session_id)

    def lose_all(self) -> None:
        for session in list(self.running.values()):
            session.lose()

    async def _until_over(self, session: Session) -> None:
        await session.over.wait()
        if self.running.get(session.id) is session:
            del self.running[session.id]
        if session.exit_code is not None:
            self._ended[session.id] = session.exit_code
        while len(self._ended) > _LAST_WORDS:
            del self._ended[next(iter(self._ended))]
        self._on_change()
