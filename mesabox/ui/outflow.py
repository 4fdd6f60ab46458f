"""A command's output on its way out: in order, in full, and without stopping all else when the reader is slow."""

import asyncio
import threading
from collections import deque

from mesabox.ui.streams import Sink

_FULL = 1024 * 1024


class Outflow:
    """One thread writes for all streams, so that what arrived in an order leaves in it.

    A write that blocks (``| less``, Ctrl-S) blocks that thread alone: signals, pings and stdin go on. ``put`` waits
    when a mebibyte is under way; it raises what the reader's end raised, once it takes no more.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[tuple[Sink, bytes]] = deque()
        self._under_way = 0
        self._ready = threading.Condition()
        self._moved = asyncio.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._write_all, name="output", daemon=True)
        self._thread.start()

    async def put(self, sink: Sink, data: bytes) -> None:
        await self._until(below=_FULL)
        with self._ready:
            self._pieces.append((sink, data))
            self._under_way += len(data)
            self._ready.notify_all()

    async def drained(self) -> None:
        """Returns when every byte is out."""
        await self._until(below=1)

    def stopped(self, within: float) -> bool:
        """For ways out that wait for nobody: what is not out ``within`` seconds is dropped. False when a write is
        stuck even then, and may still happen.
        """
        with self._ready:
            self._ready.wait_for(lambda: self._under_way == 0 or self._failure, within)
            self._under_way -= sum(len(data) for _, data in self._pieces)
            self._pieces.clear()
            return self._under_way == 0 or self._failure is not None

    async def _until(self, *, below: int) -> None:
        while self._under_way >= below and self._failure is None:
            self._moved.clear()
            if self._under_way >= below and self._failure is None:
                await self._moved.wait()
        if self._failure is not None:
            raise self._failure

    def _write_all(self) -> None:
        while True:
            with self._ready:
                while not self._pieces:
                    self._ready.wait()
                sink, data = self._pieces.popleft()
            try:
                sink.write(data)
            except OSError as failure:
                self._failure = failure
            with self._ready:
                self._under_way -= len(data)
                self._ready.notify_all()
            if not self._tell() or self._failure:
                return

    def _tell(self) -> bool:
        """False when the loop is over: whoever waited is gone."""
        try:
            self._loop.call_soon_threadsafe(self._moved.set)
        except RuntimeError:
            return False
        return True
