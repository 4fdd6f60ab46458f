"""Reading and writing non-blocking descriptors from the event loop."""

import asyncio
import os


async def ready(descriptor: int, *, write: bool = False) -> None:
    """Wait until ``descriptor`` can be read (or written)."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    add(descriptor, wake)
    try:
        await done
    finally:
        remove(descriptor)


def read_now(descriptor: int, size: int) -> bytes | None:
    """What is there, up to ``size`` bytes; None when nothing is yet, empty at the end.

    A terminal whose last user is gone (EIO) is at its end too.
    """
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return None
    except OSError:
        return b""


async def read_some(descriptor: int, size: int) -> bytes:
    """Up to ``size`` bytes, waiting for the first; empty at the end."""
    while (data := read_now(descriptor, size)) is None:
        await ready(descriptor)
    return data


async def write_all(descriptor: int, data: bytes) -> None:
    """BrokenPipeError (or another OSError) when nobody reads any more."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            await ready(descriptor, write=True)
