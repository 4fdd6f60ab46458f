"""A terminal of its own for the real command: what it shows, what is typed, and whether it is as it was before."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

CTRL_C = b"\x03"
_LIMIT = 60.0


class Screen:
    """The command leads a session on it, as one does that a terminal's window was opened for."""

    def __init__(self, mesabox, *words, rows=30, cols=100, env=None):
        self.master, self.slave = pty.openpty()
        self.resize(rows, cols)
        self._before = termios.tcgetattr(self.slave)
        self.shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mesabox", *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            cwd=mesabox.cwd,
            env={**mesabox.environment, "TERM": "xterm-256color", **(env or {})},
            preexec_fn=_lead,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)

    def until(self, words, start=0):
        """Reads until ``words`` are shown, after the first ``start`` bytes."""
        deadline = time.monotonic() + _LIMIT
        while words not in self.shown[start:]:
            assert time.monotonic() < deadline, (words, self.shown[-2000:])
            assert self._read(0.1) or self.process.poll() is None, (words, self.process.returncode, self.shown[-2000:])
        return self

    def type(self, keys):
        """Its echo, or an answer, counts from here on."""
        os.write(self.master, keys)
        return len(self.shown)

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def ended(self):
        """The exit code, once all that it showed is read."""
        deadline = time.monotonic() + _LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown[-2000:]
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.returncode

    def hang_up(self):
        """The window is closed."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    @property
    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    @property
    def as_before(self):
        """Its modes, and a cursor that can be seen."""
        return termios.tcgetattr(self.slave) == self._before and self.shown.count(b"\x1b[?25l") <= self.shown.count(
            b"\x1b[?25h"
        )

    def _read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        piece = os.read(self.master, 65536) if ready else b""
        self.shown += piece
        return piece


def _lead():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
