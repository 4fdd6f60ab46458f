"""A command in a sandbox, as the daemon holds it."""

import asyncio
import os
from contextlib import suppress

from mesabox.engine.sandbox.channel import close_all
from mesabox.engine.sandbox.link import Link
from mesabox.engine.sandbox.terminal import resize


class Process:
    """Its descriptors are non-blocking and its own. pid: inside the sandbox.

    With a terminal, ``terminal`` serves both ways and the three others are None; a command given descriptors of
    someone else's has none at all.
    """

    def __init__(self, link: Link, number: int, pid: int, ends: dict[str, int], exited: "asyncio.Future[int]") -> None:
        self._link, self._number, self._exited = link, number, exited
        for fd in ends.values():
            os.set_blocking(fd, False)
        self.pid = pid
        self.stdin = ends.get("stdin")
        self.stdout = ends.get("stdout")
        self.stderr = ends.get("stderr")
        self.terminal = ends.get("terminal")

    async def wait(self) -> int:
        """The exit status as 0..255, 128+n for a signal; 137 when the sandbox ended under it."""
        return await asyncio.shield(self._exited)

    def signal(self, number: int) -> None:
        """To the process group; with a terminal to the one in its foreground. A command that has ended is let be."""
        self._link.post("signal", process=self._number, number=number, group=self._foreground())

    def _foreground(self) -> int | None:
        if self.terminal is not None:
            with suppress(OSError):
                return os.tcgetpgrp(self.terminal) or None
        return None

    def resize(self, rows: int, cols: int) -> None:
        if self.terminal is not None:
            resize(self.terminal, rows, cols)

    def close_stdin(self) -> None:
        close_all([self.stdin])
        self.stdin = None

    def close(self) -> None:
        """Let go of the descriptors; the command itself is not ended by it (a terminal's gets SIGHUP)."""
        close_all([self.stdin, self.stdout, self.stderr, self.terminal])
        self.stdin = self.stdout = self.stderr = self.terminal = None
