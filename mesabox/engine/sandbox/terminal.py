"""Pseudo-terminals of a sandbox's own devpts."""

import fcntl
import os
import struct
import termios

_TIOCGPTN, _TIOCSPTLCK = 0x80045430, 0x40045431


def open_terminal(rows: int, cols: int) -> tuple[int, str]:
    """The master's fd, and the path of the slave, which belongs to the calling process' user."""
    master = _open_multiplexer()
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    (number,) = struct.unpack("I", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))
    resize(master, rows, cols)
    return master, f"/dev/pts/{number}"


def _open_multiplexer() -> int:
    flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open("/dev/pts/ptmx", flags)
    except PermissionError:  # the host's, where nothing isolates
        return os.open("/dev/ptmx", flags)


def resize(terminal: int, rows: int, cols: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
