"""A short script in a sprite, asked until its whole answer is here: services lose output, and exits (wire/sprites §7).

The script's output begins with a line of ours, and ends with one that tells its exit code, so that a lost exit frame,
one that comes too early or a wrong one is no matter; an answer without both is none.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from mesabox.clients.base import Completed, Execution, SandboxHost
from mesabox.errors import Failed, MesaboxError, OutcomeUnknown, TryLater
from mesabox.wire.execution import ExecRequest

_AND_SAY = 'printf "%s\\n" "$0"; {}"$@"; printf "%s%s\\n" "$0" "$?"'
_WITH_ITS_END = "head -c {} | "
"""So many bytes of stdin and no more, since the word that it has ended may be lost."""
_PAUSES = (0.0, 0.0, 0.1, 0.3, 1.0, 2.0)
_AFTER_ANSWER = 1.0
AFTER_EXIT = 0.5
"""Seconds for what is missing when the exit is told; a service that has no more closes."""
BEGINS_WITHIN = 15.0
"""Seconds after the connection is open; a sprite that has to wake does so before."""
_NO_INPUT = 64
"""The exit code of a script whose stdin did not arrive."""


Input = bytes | Callable[[], AsyncIterator[bytes]]
"""The whole, or what makes its pieces, anew for each try."""


async def ask(
    sandboxes: SandboxHost, sprite: str, argv: Sequence[str], *, stdin: Input = b"", timeout: float = 60.0
) -> Completed:
    """For what may be done twice. timeout: seconds for all tries together.

    Failed when that is over, or what the last try failed with; OutcomeUnknown when no try was answered whole.
    """
    failures: list[MesaboxError] = []
    try:
        async with asyncio.timeout(timeout):
            return await _until_answered(sandboxes, sprite, argv, stdin, failures)
    except TimeoutError:
        if failures and isinstance(failures[-1], TryLater):
            raise failures[-1] from None
        why = f"it was still running in sprite {sprite!r} after {timeout:g} s"
        raise Failed(f"{argv[0]!r} took too long", why=why, code="timeout", retryable=True) from None


async def _until_answered(
    sandboxes: SandboxHost, sprite: str, argv: Sequence[str], stdin: Input, failures: list[MesaboxError]
) -> Completed:
    """A service that asks for a longer pause than the ones here has been waited for already, or asks for too much."""
    for attempt, pause in enumerate(_PAUSES, 1):
        await asyncio.sleep(pause)
        last = attempt == len(_PAUSES)
        try:
            done = await _once(sandboxes, sprite, argv, stdin)
        except (OutcomeUnknown, TryLater) as failure:
            failures.append(failure)
            if last or (isinstance(failure, TryLater) and (failure.after or 0) > _PAUSES[-1]):
                raise
        else:
            if done.exit_code != _NO_INPUT:
                return done
            if last:
                raise OutcomeUnknown(f"what is sent to sprite {sprite!r} does not arrive there")
    raise AssertionError("the last attempt returns or raises")


async def _once(sandboxes: SandboxHost, sprite: str, argv: Sequence[str], stdin: Input) -> Completed:
    mark = f"mesabox:{secrets.token_hex(8)}:"
    fed = _WITH_ITS_END.format(len(stdin)) if stdin and isinstance(stdin, bytes) else ""
    request = ExecRequest(("sh", "-c", _AND_SAY.format(fed), mark, *argv), stdin=bool(stdin))
    collected = {1: bytearray(), 2: bytearray()}

    def tail() -> float:
        return 0.0 if _is_whole(collected[1], mark.encode()) else AFTER_EXIT

    async with sandboxes.execute(sprite, request, tail=tail) as execution, _fed(execution, stdin):
        await _collect(execution, collected, mark.encode())
    _, *answer, code = bytes(collected[1]).split(mark.encode())
    if len(answer) != 1 or not code.endswith(b"\n"):
        raise OutcomeUnknown(f"the answer of {argv[0]!r} in sprite {sprite!r} did not arrive whole")
    return Completed(int(code), answer[0].removeprefix(b"\n"), bytes(collected[2]))


async def _collect(execution: Execution, collected: dict[int, bytearray], mark: bytes) -> None:
    """To the end; once the answer is here that is waited for only a moment, and no matter how it comes."""
    outputs = aiter(execution)
    stdout = collected[1]
    begun = False
    try:
        while not (begun and _is_whole(stdout, mark)):
            async with asyncio.timeout(None if begun else BEGINS_WITHIN):
                output = await anext(outputs)
            collected[output.stream] += output.data
            begun = begun or mark in stdout
    except TimeoutError:
        raise OutcomeUnknown("the connection was opened, and then nothing was told") from None
    except StopAsyncIteration:
        return
    with suppress(TimeoutError, OutcomeUnknown, TryLater):
        async with asyncio.timeout(_AFTER_ANSWER):
            async for output in outputs:
                collected[output.stream] += output.data


def _is_whole(stdout: bytearray, mark: bytes) -> bool:
    return stdout.endswith(b"\n") and stdout.count(mark) > 1


@asynccontextmanager
async def _fed(execution: Execution, stdin: Input) -> AsyncIterator[None]:
    """Its stdin is written while its output is read. What fails in the making of it is what failed."""
    feeding = asyncio.create_task(_feed(execution, stdin)) if stdin else None
    try:
        yield
    finally:
        if feeding is not None:
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding


async def _feed(execution: Execution, stdin: Input) -> None:
    if isinstance(stdin, bytes):
        await execution.write(stdin)
    else:
        try:
            async for piece in stdin():
                await execution.write(piece)
        except MesaboxError:
            await execution.signal("KILL")
            await execution.close_stdin()
            raise
    await execution.close_stdin()
