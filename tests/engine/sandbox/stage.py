"""Plays one story in a process of its own, because entering namespaces is for good: ``stage.py FILE STORY TIER HOME``.

A story is ``async def story(stage)``; it fails by raising. The tier is as asked, not as the machine would choose, and
its base is built once.
"""

import asyncio
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from mesabox.engine.sandbox import trial
from mesabox.engine.sandbox.launch import SandboxHost
from mesabox.engine.sandbox.values import Limits

SUDO = Path(__file__).parents[3] / "mesabox/engine/sandbox/inside/sudo.py"


@dataclass
class Finished:
    code: int
    out: str
    err: str


@dataclass
class Stage:
    """What a story works with."""

    host: SandboxHost
    home: Path

    async def sandbox(self, name="box", layers=(), upper="upper", limits=None):
        from mesabox.engine.sandbox.host import SandboxSpec

        door = self.home / "door"
        door.mkdir(exist_ok=True)
        return await self.host.create(SandboxSpec(name, layers, self.home / upper, door, limits or Limits()))

    async def run(self, sandbox, *argv, env=None, data=None, **options):
        """To the end, with its output."""
        process = await sandbox.spawn(argv, env=env or {}, stdin=data is not None, **options)
        try:
            jobs = [_read(process.stdout), _read(process.stderr)]
            if data is not None:
                jobs.append(_write(process, data))
            out, err, *_ = await asyncio.gather(*jobs)
            return Finished(await process.wait(), out.decode(errors="replace"), err.decode(errors="replace"))
        finally:
            process.close()

    async def shell(self, sandbox, script, **options):
        return await self.run(sandbox, "sh", "-c", script, **options)


async def ready(fd, writing=False):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(fd, lambda: future.done() or future.set_result(None))
    try:
        await future
    finally:
        remove(fd)


async def _read(fd):
    data = b""
    while True:
        await ready(fd)
        try:
            piece = os.read(fd, 65536)
        except OSError:
            return data
        if not piece:
            return data
        data += piece


async def _write(process, data):
    rest = memoryview(data)
    while rest:
        await ready(process.stdin, writing=True)
        rest = rest[os.write(process.stdin, rest) :]
    process.close_stdin()


def main(file, story, tier, home):
    spec = importlib.util.spec_from_file_location("played", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if tier not in ("auto", "none"):
        trial.best_tier = lambda cache: tier
    host = SandboxHost.launch("none" if tier == "none" else "auto", Path(home).parent / "cache", {"sudo": SUDO})
    asyncio.run(getattr(module, story)(Stage(host, Path(home))))


if __name__ == "__main__":
    main(*sys.argv[1:])
