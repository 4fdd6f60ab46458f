"""An execution whose output is also kept in the run's record, redacted."""

from collections.abc import AsyncIterator

from mesabox.clients.base import Execution, Output
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.redaction import RedactedStream

_NAMES = {1: "stdout", 2: "stderr"}


class Recorded:
    """offsets: bytes of stdout and stderr, as the command wrote them, that were on record before."""

    def __init__(self, execution: Execution, ledger: Ledger, offsets: tuple[int, int] = (0, 0)) -> None:
        self._execution = execution
        self._ledger = ledger
        self._redacted = {stream: RedactedStream(ledger.redactor) for stream in _NAMES}
        self._had = dict(zip(_NAMES, offsets, strict=True))
        for name in _NAMES.values():
            ledger.begin_output(name)
        self.write, self.close_stdin = execution.write, execution.close_stdin
        self.resize, self.signal = execution.resize, execution.signal

    @property
    def session_id(self) -> str | None:
        return self._execution.session_id

    @property
    def exit_code(self) -> int | None:
        return self._execution.exit_code

    async def __aenter__(self) -> Execution:
        return self

    async def __aexit__(self, *_: object) -> None:
        """What was held back, since it could have been the beginning of a secret, is not one."""
        for stream, redacted in self._redacted.items():
            if rest := redacted.rest():
                self._ledger.output(_NAMES[stream], rest, self._had[stream])

    async def __aiter__(self) -> AsyncIterator[Output]:
        async for output in self._execution:
            self._had[output.stream] += len(output.data)
            redacted = self._redacted[output.stream]
            kept = redacted.feed(output.data)
            if kept:
                self._ledger.output(_NAMES[output.stream], kept, self._had[output.stream] - redacted.held)
            yield output
