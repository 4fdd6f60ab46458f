"""Progress for a person: a live list on a terminal, plain lines elsewhere, nothing when quiet or for a machine."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from mesabox.flow.redaction import Redactor
from mesabox.flow.reporter import Reporter, SilentReporter
from mesabox.ui.render import printable
from mesabox.ui.result import Manner
from mesabox.ui.streams import Sink, Streams


class Progress(Reporter, Protocol):
    """A reporter that holds something (a thread, the cursor) and gives it back on every way out."""

    def close(self) -> None: ...


class SilentProgress(SilentReporter):
    """For ``-q`` and ``--json``."""

    def close(self) -> None:
        pass


class SharedProgress:
    """Tells all of its listeners, without what ``redactor`` knows."""

    def __init__(self, listeners: Sequence[Progress], redactor: Redactor) -> None:
        self._listeners = listeners
        self._redactor = redactor

    def phase_started(self, name: str) -> None:
        for listener in self._listeners:
            listener.phase_started(name)

    def phase_done(self, name: str, seconds: float, detail: str = "") -> None:
        for listener in self._listeners:
            listener.phase_done(name, seconds, self._redactor.text(detail))

    def phase_failed(self, name: str, seconds: float, reason: str = "") -> None:
        for listener in self._listeners:
            listener.phase_failed(name, seconds, self._redactor.text(reason))

    def note(self, text: str) -> None:
        for listener in self._listeners:
            listener.note(self._redactor.text(text))

    def warning(self, text: str) -> None:
        for listener in self._listeners:
            listener.warning(self._redactor.text(text))

    @contextmanager
    def terminal_lent(self) -> Iterator[None]:
        with ExitStack() as lent:
            for listener in self._listeners:
                lent.enter_context(listener.terminal_lent())
            yield

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()


def progress_for(streams: Streams, manner: Manner) -> Progress:
    if manner.silent:
        return SilentProgress()
    if streams.github is not None:
        from mesabox.ui.github import GithubProgress

        return GithubProgress(streams.stderr)
    if streams.animated:
        from mesabox.ui.live import LiveProgress

        return LiveProgress(streams.stderr)
    return PlainProgress(streams.stderr)


class PlainProgress:
    """One line when a phase starts and ends, and one each ``every`` seconds in a long one."""

    def __init__(self, sink: Sink, every: float = 10.0) -> None:
        self._sink = sink
        self._every = every
        self._begun: dict[str, float] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._ticker: threading.Thread | None = None

    def phase_started(self, name: str) -> None:
        self._begin(name)
        self._line(f"{name} ...")

    def phase_done(self, name: str, seconds: float, detail: str = "") -> None:
        self._end(name)
        self._line(f"{name} done in {seconds_text(seconds)}{f': {detail}' if detail else ''}")

    def phase_failed(self, name: str, seconds: float, reason: str = "") -> None:
        self._end(name)
        self._line(f"{name} failed after {seconds_text(seconds)}{f': {reason}' if reason else ''}")

    def note(self, text: str) -> None:
        self._line(text)

    def warning(self, text: str) -> None:
        self._line(f"warning: {text}")

    @contextmanager
    def terminal_lent(self) -> Iterator[None]:
        """stderr is the command's own: a phase that is under way is not spoken of meanwhile."""
        with self._lock:
            under_way, self._begun = self._begun, {}
        try:
            yield
        finally:
            with self._lock:
                self._begun.update(under_way)

    def close(self) -> None:
        self._closed.set()

    def under_way(self) -> set[str]:
        with self._lock:
            return set(self._begun)

    def _begin(self, name: str) -> None:
        with self._lock:
            self._begun[name] = time.monotonic()
        self._tick_in_background()

    def _end(self, name: str) -> None:
        with self._lock:
            self._begun.pop(name, None)

    def _line(self, text: str) -> None:
        self._sink.talk(printable(text))

    def _tick_in_background(self) -> None:
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._ticker.start()

    def _tick(self) -> None:
        while not self._closed.wait(self._every):
            with self._lock:
                begun = dict(self._begun)
            for name, since in begun.items():
                if (seconds := time.monotonic() - since) >= self._every:
                    self._line(f"{name} still going after {seconds_text(seconds)}")


def seconds_text(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
