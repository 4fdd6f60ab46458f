"""What the work tells of its progress: a small protocol it owns; drawing lives in ui."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Reporter(Protocol):
    """Names of phases are short words a person knows ("repo", "sprite", "mount"); times are seconds."""

    def phase_started(self, name: str) -> None: ...
    def phase_done(self, name: str, seconds: float, detail: str = "") -> None: ...
    def phase_failed(self, name: str, seconds: float, reason: str = "") -> None: ...
    def note(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...
    def terminal_lent(self) -> AbstractContextManager[None]:
        """Nothing is drawn inside: the terminal belongs to a command's own output."""
        ...


class SilentReporter:
    """The default: says nothing."""

    def phase_started(self, name: str) -> None:
        pass

    def phase_done(self, name: str, seconds: float, detail: str = "") -> None:
        pass

    def phase_failed(self, name: str, seconds: float, reason: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        pass

    def terminal_lent(self) -> AbstractContextManager[None]:
        return nullcontext()
