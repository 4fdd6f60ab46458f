"""The live list of steps on a terminal: waits before its first frame, leaves a line for each finished step."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from mesabox.ui.progress import seconds_text
from mesabox.ui.render import printable
from mesabox.ui.streams import Sink

_FIRST_FRAME_AFTER = 0.15
_FRAMES_PER_SECOND = 10


class _SinkFile:
    """What rich writes to: a text file over our sink."""

    encoding = "utf-8"

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, text: str) -> int:
        with suppress(OSError):  # a terminal that hung up: the work goes on
            self._sink.write(text)
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return self._sink.terminal


class LiveProgress:
    """Finished phases scroll away as lines above; those under way are redrawn below with their time."""

    def __init__(self, sink: Sink) -> None:
        self._console = Console(
            file=_SinkFile(sink),  # type: ignore[arg-type]
            force_terminal=True,
            no_color=not sink.colour,
            highlight=False,
            soft_wrap=True,
        )
        self._spinner = Spinner("dots")
        self._begun: dict[str, float] = {}
        self._live: Live | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    def phase_started(self, name: str) -> None:
        with self._lock:
            self._begun[name] = time.monotonic()
            self._draw_soon()

    def phase_done(self, name: str, seconds: float, detail: str = "") -> None:
        self._finished(name, Text("✓ ", "green"), seconds, detail)

    def phase_failed(self, name: str, seconds: float, reason: str = "") -> None:
        self._finished(name, Text("✗ ", "red"), seconds, reason)

    def note(self, text: str) -> None:
        self._print(Text(printable(text)))

    def warning(self, text: str) -> None:
        self._print(Text.assemble(("warning: ", "yellow"), printable(text)))

    @contextmanager
    def terminal_lent(self) -> Iterator[None]:
        with self._lock:
            under_way, self._begun = self._begun, {}
            self._clear()
        try:
            yield
        finally:
            with self._lock:
                self._begun.update(under_way)
                self._draw_soon()

    def close(self) -> None:
        with self._lock:
            self._begun.clear()
            self._clear()

    def _finished(self, name: str, mark: Text, seconds: float, detail: str) -> None:
        with self._lock:
            self._begun.pop(name, None)
            self._print(
                Text.assemble(mark, f"{name:<10}", (f" {seconds_text(seconds):>8}", "dim"), f"  {printable(detail)}")
            )
            if not self._begun:
                self._clear()

    def _print(self, text: Text) -> None:
        self._console.print(text)

    def _draw_soon(self) -> None:
        if self._begun and self._live is None and self._timer is None:
            self._timer = threading.Timer(_FIRST_FRAME_AFTER, self._draw)
            self._timer.daemon = True
            self._timer.start()

    def _draw(self) -> None:
        with self._lock:
            self._timer = None
            if self._begun and self._live is None:
                self._live = Live(
                    console=self._console,
                    get_renderable=self._under_way,
                    refresh_per_second=_FRAMES_PER_SECOND,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _under_way(self) -> Group:
        now = time.monotonic()
        frame = self._spinner.render(now)
        lines = [Text.assemble(str(frame), f" {name:<10} {now - since:>6.1f} s") for name, since in self._begun.items()]
        return Group(*lines)
