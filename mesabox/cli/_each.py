"""Several things named at once: each is tried, and what went wrong with one is told at the end."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mesabox.errors import ExitCode, MesaboxError
from mesabox.ui.result import Result


async def for_each(names: Sequence[str], act: Callable[[str], Awaitable[Any]], done: str, noun: str) -> Result:
    """done: what was done to them ("destroyed"), which is their name in the data too."""
    worked: list[str] = []
    failed: list[MesaboxError] = []
    for name in dict.fromkeys(names):
        try:
            await act(name)
            worked.append(name)
        except MesaboxError as error:
            failed.append(error)
    return Result(
        data={done: worked, "failed": [error.what for error in failed]},
        view=["".join(f"{done} {noun} {name}\n" for name in worked)],
        quiet=worked,
        notes=[f"also: {error.what}" for error in failed[1:]],
        exit_code=failed[0].exit_code if failed else ExitCode.OK,
        error=failed[0] if failed else None,
    )
