"""Lines on their way to those who read them, beside the work: a reader that stalls holds up nothing else."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence

from mesabox.ui.streams import Sink

_FULL = 1024 * 1024


class Lines:
    """One thread writes each line to every sink. One that takes no more is left out; ``broken`` is what happened."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.broken: OSError | None = None
        self._sinks = list(sinks)
        self._waiting: deque[str] = deque()
        self._under_way = 0
        self.begin()

    def begin(self) -> None:
        """Again in a process that was forked off: threads do not come along, and what they held stays held."""
        self._moved = threading.Condition()
        threading.Thread(target=self._write_all, name="lines", daemon=True).start()

    def put(self, line: str) -> None:
        with self._moved:
            self._waiting.append(line)
            self._under_way += len(line)
            self._moved.notify_all()

    async def room(self) -> None:
        """Waits while a mebibyte is under way: for those who have more to say than anybody may read."""
        while self._under_way >= _FULL:  # noqa: ASYNC110 - it is a thread that makes room
            await asyncio.sleep(0.01)

    def written(self, within: float | None = None) -> bool:
        """Whether every line is out, waited for so many seconds at most; with None as long as it takes."""
        with self._moved:
            return self._moved.wait_for(lambda: self._under_way == 0, within)

    def _write_all(self) -> None:
        while True:
            with self._moved:
                while not self._waiting:
                    self._moved.wait()
                line = self._waiting.popleft()
            for sink in tuple(self._sinks):
                try:
                    sink.line(line)
                except OSError as failure:
                    self.broken = failure
                    self._sinks.remove(sink)
            with self._moved:
                self._under_way -= len(line)
                self._moved.notify_all()
