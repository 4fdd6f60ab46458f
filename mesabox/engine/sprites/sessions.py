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
_TOO_SLOW = 10.0
_QUIET_AFTER_EXIT = 0.1
_MOST_IN_A_PIPE = 1 << 20
_STDIN_BLOCK, _STDIN_BACKLOG = 64 * 1024, 16
_LAST_WORDS = 256

Piece = tuple[int, bytes]


@dataclass(eq=False, slots=True)
class Watcher:
    """One client's view of a session: pieces of output, then None when the session is over."""

    pieces: asyncio.Queue[Piece | None] = field(default_factory=lambda: asyncio.Queue(_WATCHER_BACKLOG))
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    fell_behind: bool = False

    async def put(self, piece: Piece | None, patience: float | None = None) -> None:
        """Wait for a slow client (that is the back-pressure on the command), but not for one that has left.

        With ``patience`` (seconds) one that reads nothing for so long is let go.
        """
        try:
            self.pieces.put_nowait(piece)
        except asyncio.QueueFull:
            if not await self._put_or_gone(piece, patience):
                self.fell_behind = True
                self.close()

    async def _put_or_gone(self, piece: Piece | None, patience: float | None) -> bool:
        put = asyncio.ensure_future(self.pieces.put(piece))
        gone = asyncio.ensure_future(self.gone.wait())
        done, _ = await asyncio.wait({put, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        put.cancel()
        gone.cancel()
        return bool(done)

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

    exit_code is None while it runs, and stays None when the sandbox went away under it (``lost``). ``exited`` comes
    with the command's own end, ``over`` when its output has been taken, too.
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
        self.exited = asyncio.Event()
        self.over = asyncio.Event()
        self._watchers: set[Watcher] = set()
        self._scrollback: deque[Piece] = deque()
        self._kept = 0
        self._stdin: asyncio.Queue[bytes | None] = asyncio.Queue(_STDIN_BACKLOG)
        self._until_quiet = 0.0
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
        """Waits for a command that reads slowly: what is kept for it is bounded in bytes."""
        for start in range(0, len(data), _STDIN_BLOCK):
            if self.over.is_set():
                break
            await self._stdin.put(data[start : start + _STDIN_BLOCK])

    async def close_stdin(self) -> None:
        if not self.over.is_set():
            await self._stdin.put(None)

    def resize(self, rows: int, cols: int) -> None:
        if self.tty and self.exit_code is None:
            self.process.resize(rows, cols)

    def signal(self, number: int) -> None:
        if not self.exited.is_set():
            self.process.signal(number)

    def lose(self) -> None:
        """The sandbox is gone: end without an exit code, unless that is known already."""
        if self.over.is_set():
            return
        self.lost, self.exit_code = True, None
        for task in self._tasks:  # one that has not begun yet begins first, so as to end in order
            asyncio.get_running_loop().call_soon(task.cancel)

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
            if not self.lost:
                self.exit_code = code
            self._until_quiet = asyncio.get_running_loop().time() + _QUIET_AFTER_EXIT
            self.exited.set()
            await asyncio.gather(*pumps)
        finally:
            self.exited.set()
            self.over.set()
            self._keep_alive()
            try:
                await self._put_away([*pumps, self._tasks[1]])
            finally:
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
        """Every byte the command wrote. A pipe that a daemon of it keeps open is left soon after the command's exit:
        when it is empty then, or more has come than can have been in it."""
        after_exit = 0
        while after_exit < _MOST_IN_A_PIPE and (data := await self._next(descriptor)):
            self.last_activity = time.time()
            after_exit += len(data) if self.exited.is_set() else 0
            self._keep((stream, data))
            await self._tell((stream, data))

    async def _next(self, descriptor: int) -> bytes:
        if (data := read_now(descriptor, MAX_PAYLOAD)) is not None:
            return data
        if self.exited.is_set():
            return await self._unless_quiet(read_some(descriptor, MAX_PAYLOAD))
        read = asyncio.ensure_future(read_some(descriptor, MAX_PAYLOAD))
        exited = asyncio.ensure_future(self.exited.wait())
        try:
            await asyncio.wait({read, exited}, return_when=asyncio.FIRST_COMPLETED)
            return read.result() if read.done() else await self._unless_quiet(read)
        finally:
            read.cancel()
            exited.cancel()
            await asyncio.wait({read})

    async def _unless_quiet(self, read: Awaitable[bytes]) -> bytes:
        left = self._until_quiet - asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(read, max(0.0, left))
        return b""

    async def _tell(self, piece: Piece | None) -> None:
        patience = _TOO_SLOW if len(self._watchers) > 1 else None  # one who reads nothing must not hold up the others
        for watcher in list(self._watchers):
            await watcher.put(piece, patience)

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
