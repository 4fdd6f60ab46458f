"""The outside world as one object: the three streams, what kind they are, and how the environment wants us to talk."""

import io
import os
import select
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from mesabox.config.environment import GithubFacts, TalkFacts, process_environment

_DEFAULT_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Sink:
    """One output stream. What is written is out when ``write`` returns: nothing is held back that could fail later."""

    raw: BinaryIO
    terminal: bool = False
    colour: bool = False
    width: int = _DEFAULT_WIDTH

    def write(self, data: str | bytes) -> None:
        """Text goes out as UTF-8; what could not be decoded on the way in goes out as it was."""
        rest = memoryview(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        while rest:
            written = self.raw.write(rest)
            if written is None:  # whoever shares it has made it non-blocking, and it is full
                select.select([], [self.raw], [])
            rest = rest[written or 0 :]
        self.raw.flush()

    def line(self, text: str) -> None:
        self.write(text + "\n")

    def talk(self, text: str) -> None:
        """A line of talk: where nobody can hear it any more, the work goes on."""
        with suppress(OSError):
            self.line(text)


@dataclass(frozen=True, slots=True)
class Streams:
    """stdout is data, stderr is talk. ``may_ask``: a prompt is allowed; ``animated``: stderr can redraw itself.

    ``github``: what GitHub Actions gave us, None elsewhere.
    """

    stdin: BinaryIO
    stdout: Sink
    stderr: Sink
    stdin_terminal: bool = False
    may_ask: bool = False
    animated: bool = False
    ci: bool = False
    remote_terminal: dict[str, str] = field(default_factory=dict)
    github: GithubFacts | None = None

    @classmethod
    def real(cls) -> "Streams":
        environ = process_environment()
        facts = TalkFacts.of(environ)
        stdin, stdout, stderr = _binary(sys.stdin, "rb"), _binary(sys.stdout, "wb"), _binary(sys.stderr, "wb")
        return cls(
            stdin=stdin,
            stdout=_sink(stdout, facts),
            stderr=_sink(stderr, facts),
            stdin_terminal=stdin.isatty(),
            may_ask=stdin.isatty() and stderr.isatty() and not facts.ci,
            animated=stderr.isatty() and not facts.ci and not facts.dumb,
            ci=facts.ci,
            remote_terminal={name: environ[name] for name in ("TERM", "COLORTERM", "LANG") if environ.get(name)},
            github=GithubFacts.of(environ),
        )

    @classmethod
    def fake(cls, stdin: bytes = b"", *, terminal: bool = False, width: int = _DEFAULT_WIDTH) -> "Streams":
        """Its twin for tests: memory instead of files. ``written`` gives back what went out."""

        def sink() -> Sink:
            return Sink(io.BytesIO(), terminal=terminal, colour=False, width=width)

        return cls(io.BytesIO(stdin), sink(), sink(), stdin_terminal=terminal, may_ask=terminal)

    def written(self) -> tuple[str, str]:
        """(stdout, stderr) of a fake."""
        return tuple(cast(io.BytesIO, sink.raw).getvalue().decode() for sink in (self.stdout, self.stderr))  # type: ignore[return-value]

    def size(self) -> tuple[int, int]:
        """(rows, columns) of the terminal; 24 by 80 where there is none, or one that does not know its own."""
        for stream in (self.stdout.raw, self.stdin, self.stderr.raw):
            with suppress(OSError):  # io.UnsupportedOperation of a fake is one too
                columns, rows = os.get_terminal_size(stream.fileno())
                return rows or 24, columns or _DEFAULT_WIDTH
        return 24, _DEFAULT_WIDTH

    def ask(self, question: str) -> bool:
        """Only where ``may_ask``. Anything but yes is no."""
        self.stderr.write(question)
        return self.stdin.readline().strip().lower() in (b"y", b"yes")

    def ask_secret(self, question: str) -> str:
        """Typed without being seen. Only where ``may_ask``."""
        import getpass

        with _dying_by_exception():
            return getpass.getpass(question)

    @property
    def has_input(self) -> bool:
        """Whether something may come on stdin: not from a terminal, nor from where nothing ever comes."""
        if self.stdin_terminal:
            return False
        try:
            about = os.fstat(self.stdin.fileno())
        except OSError:  # io.UnsupportedOperation of a fake is one too
            return True
        return not (stat.S_ISCHR(about.st_mode) and about.st_rdev == Path(os.devnull).stat().st_rdev)

    def unheard(self) -> "Streams":
        """For a process of its own: what it says goes nowhere; what is piped in still comes."""
        nowhere = Sink(_nowhere("wb"))
        return Streams(self.stdin if self.has_input else _nowhere("rb"), nowhere, nowhere, ci=True)

    def told(self, *, no_color: bool, no_input: bool) -> "Streams":
        """The same world after ``--no-color`` and ``--no-input``."""
        streams = replace(self, may_ask=self.may_ask and not no_input)
        if not no_color:
            return streams
        return replace(streams, stdout=replace(self.stdout, colour=False), stderr=replace(self.stderr, colour=False))


@contextmanager
def _dying_by_exception() -> Iterator[None]:
    """Inside, what would end the process on the spot unwinds first: the terminal is as before on that way out too."""

    def leave(number: int, _: object) -> None:
        raise _Ended(number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except _Ended as ended:
        signal.signal(ended.number, signal.SIG_DFL)
        signal.raise_signal(ended.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Ended(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _binary(stream: object, mode: str) -> BinaryIO:
    """A stream that the caller closed (``>&-``) is None in Python: nothing comes from it and nothing goes there.

    Output goes round Python's buffer: a write of another thread that is stuck would hold its lock until the end.
    """
    if stream is None:
        return _nowhere(mode)
    buffered = getattr(stream, "buffer", stream)
    return cast(BinaryIO, buffered if "r" in mode else getattr(buffered, "raw", buffered))


def _nowhere(mode: str) -> BinaryIO:
    return cast(BinaryIO, Path(os.devnull).open(mode, buffering=-1 if "r" in mode else 0))


def _sink(raw: BinaryIO, facts: TalkFacts) -> Sink:
    terminal = raw.isatty()
    colour = facts.force_color or (terminal and not facts.dumb)
    width = os.get_terminal_size(raw.fileno()).columns if terminal else 0
    return Sink(raw, terminal, colour and not facts.no_color, width or _DEFAULT_WIDTH)
