"""A short script in a sprite, asked until its whole answer is here: services lose output, and exits (wire/sprites §7).

The script's output ends with a line of ours that tells its exit code, so that a lost exit frame, one that comes too
early or a wrong one is no matter; an answer without it is none.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress

from mesabox.clients.base import Completed, Execution, SandboxHost
from mesabox.errors import Failed, MesaboxError, OutcomeUnknown, TryLater
from mesabox.wire.execution import ExecRequest

_AND_SAY = '"$@"; printf "%s%s\\n" "$0" "$?"'
_PAUSES = (0.0, 0.0, 0.1, 0.3, 1.0, 2.0)
_AFTER_ANSWER = 1.0
NO_INPUT = 64
"""The exit code of a script whose stdin did not arrive."""


async def ask(
    sandboxes: SandboxHost, sprite: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0
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
    sandboxes: SandboxHost, sprite: str, argv: Sequence[str], stdin: bytes, failures: list[MesaboxError]
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
            if done.exit_code != NO_INPUT or last:
                return done
    raise AssertionError("the last attempt returns or raises")


async def _once(sandboxes: SandboxHost, sprite: str, argv: Sequence[str], stdin: bytes) -> Completed:
    mark = f"mesabox:{secrets.token_hex(8)}:"
    request = ExecRequest(("sh", "-c", _AND_SAY, mark, *argv), stdin=bool(stdin))
    collected = {1: bytearray(), 2: bytearray()}
    async with sandboxes.execute(sprite, request) as execution:
        feeding = asyncio.create_task(_feed(execution, stdin)) if stdin else None
        try:
            await _collect(execution, collected, mark.encode())
        finally:
            if feeding is not None:
                feeding.cancel()
    answer, said, code = bytes(collected[1]).rpartition(mark.encode())
    if not said or not code.endswith(b"\n"):
        raise OutcomeUnknown(f"the answer of {argv[0]!r} in sprite {sprite!r} did not arrive whole")
    return Completed(int(code), answer, bytes(collected[2]))


async def _collect(execution: Execution, collected: dict[int, bytearray], mark: bytes) -> None:
    """To the end; once the answer is here that is waited for only a moment, and no matter how it comes."""
    outputs = aiter(execution)
    try:
        while not _is_whole(collected[1], mark):
            output = await anext(outputs)
            collected[output.stream] += output.data
    except StopAsyncIteration:
        return
    with suppress(TimeoutError, OutcomeUnknown, TryLater):
        async with asyncio.timeout(_AFTER_ANSWER):
            async for output in outputs:
                collected[output.stream] += output.data


def _is_whole(stdout: bytearray, mark: bytes) -> bool:
    return stdout.endswith(b"\n") and mark in stdout


async def _feed(execution: Execution, stdin: bytes) -> None:
    await execution.write(stdin)
    await execution.close_stdin()
