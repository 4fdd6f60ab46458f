"""GitHub Actions: groups, masks, annotations, and the fence around what a sandbox prints.

The runner reads commands (``::name key=value::data`` at a line's start, ``##[name]data`` anywhere) from stdout and
stderr alike, so what others wrote must never pass as one.
"""

import array
import fcntl
import os
import re
import secrets
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mesabox.clients.base import Output
from mesabox.config.environment import environment_of_process
from mesabox.errors import MesaboxError
from mesabox.ui.progress import PlainProgress, seconds_text
from mesabox.ui.streams import Sink, Streams

_COMMAND = re.compile(r"(^|\r)(\s*)::", re.MULTILINE)
_CAUGHT_UP_SECONDS = 1.0


def command(name: str, data: str = "", **properties: str) -> str:
    """One workflow command; nothing in it can end it early or begin another."""
    said = ",".join(f"{key}={_encoded(value, ':,')}" for key, value in properties.items())
    return f"::{name}{' ' if said else ''}{said}::{_encoded(data)}"


def harmless(text: str) -> str:
    """A text of ours that quotes others, so that no line of it is a command."""
    return _COMMAND.sub(r"\1\2\\::", text).replace("##[", "##\\[")


def annotation(error: MesaboxError) -> str:
    rest = "\n".join(filter(None, (error.why, error.fix and f"fix: {error.fix}")))
    return command("error", rest or error.what, title=error.what)


def ended(name: str, exit_code: int) -> str:
    """The annotation of a command that failed by itself."""
    return command("error", f"it ended with exit code {int(exit_code)}", title=f"the command of mesabox {name} failed")


def masking(streams: Streams) -> Callable[[str], None] | None:
    """Has a secret masked in the log before it is used; None where what we say does not go into the log."""
    if streams.github is None or not _runner_reads(streams.stderr):
        return None

    def mask(secret: str) -> None:
        streams.stderr.talk(command("add-mask", secret))
        _caught_up([streams.stderr])

    return mask


class GithubProgress(PlainProgress):
    """A finished phase is a group: phases go on at the same time, groups cannot. The command's output is one, too."""

    def __init__(self, sink: Sink, every: float = 10.0) -> None:
        super().__init__(sink, every)
        self._grouped: set[str] = set()

    def phase_started(self, name: str) -> None:
        self._begin(name)

    def phase_done(self, name: str, seconds: float, detail: str = "") -> None:
        self._end(name)
        if name in self._grouped:
            return self._line(f"{name} done in {seconds_text(seconds)}")
        self._command("group", f"{name} ({seconds_text(seconds)})")
        if detail:
            self._line(detail)
        self._command("endgroup")

    def warning(self, text: str) -> None:
        self._command("warning", text, title="mesabox")

    @contextmanager
    def terminal_lent(self) -> Iterator[None]:
        under_way = self.under_way()
        self._grouped |= under_way
        self._command("group", ", ".join(sorted(under_way)) or "run")
        try:
            with super().terminal_lent():
                yield
        finally:
            self._command("endgroup")

    def _command(self, name: str, data: str = "", **properties: str) -> None:
        self._sink.talk(command(name, data, **properties))

    def _line(self, text: str) -> None:
        super()._line(harmless(text))


class Fence:
    """Between its beginning and its end the runner takes no commands. Elsewhere than in GitHub Actions it is nothing.

    stdout is spoken on only when it goes to the runner itself: in ``$(...)``, a pipe or a file it is all the command's.
    """

    def __init__(self, streams: Streams) -> None:
        found = () if streams.github is None else ((1, streams.stdout), (2, streams.stderr))
        self._sinks = {number: sink for number, sink in found if number == 2 or _runner_reads(sink)}
        self._all = [sink for _, sink in found]
        self._token = secrets.token_hex(16)
        self._ends_a_line = {1: True, 2: True}
        self._stays = False

    def begin(self) -> None:
        for sink in self._sinks.values():
            sink.talk(command("stop-commands", self._token))

    def watch(self, output: Output) -> None:
        """Wants to hear of all that is written."""
        self._ends_a_line[output.stream] = output.data.endswith(b"\n")

    def keep_up(self) -> None:
        """For output that may still come, nobody knows when: better no command of ours than one of a sandbox."""
        self._stays = True

    def end(self) -> None:
        if self._stays or not self._sinks or not _caught_up(self._all):
            return
        for number, sink in self._sinks.items():
            sink.talk(("" if self._ends_a_line[number] else "\n") + f"::{self._token}::")


@contextmanager
def guarded(streams: Streams) -> Iterator[Fence]:
    fence = Fence(streams)
    fence.begin()
    try:
        yield fence
    finally:
        fence.end()


def _encoded(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _runner_reads(sink: Sink) -> bool:
    """Whether it is the very stream of the step's own shell, the first of our ancestors that knows of the runner."""
    try:
        number = sink.raw.fileno()
        ours, theirs = os.fstat(number), Path(f"/proc/{_step_shell()}/fd/{number}").stat()
    except OSError:  # io.UnsupportedOperation of a fake is one too
        return True
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


def _step_shell() -> int:
    process = found = os.getpid()
    while process > 1:
        if b"GITHUB_ACTIONS=true" in environment_of_process(process):
            found = process
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def _caught_up(sinks: list[Sink]) -> bool:
    """The runner reads two pipes, and perhaps what a pipe of the user's passes on: a command on one must not overtake
    output on another. False when somebody lags.
    """
    until = time.monotonic() + _CAUGHT_UP_SECONDS
    while any(_unread(sink) for sink in sinks):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    time.sleep(0.05)
    return True


def _unread(sink: Sink) -> int:
    waiting = array.array("i", [0])
    with suppress(OSError):  # neither a pipe nor a terminal
        fcntl.ioctl(sink.raw.fileno(), termios.FIONREAD, waiting)
    return waiting[0]
