"""Starting one command: found on its PATH, with pipes or a terminal, in a session of its own."""

import errno
import os
import signal
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from mesabox.engine.sandbox.channel import Message, close_all
from mesabox.engine.sandbox.places import Places
from mesabox.engine.sandbox.terminal import open_terminal
from mesabox.engine.sandbox.values import CannotStart

_NULL = "/dev/null"
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127

Action = tuple[int, int, int] | tuple[int, int, str, int, int]


@dataclass(frozen=True, slots=True)
class Command:
    """terminal: rows and columns. stdin: a pipe, else nothing to read."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    terminal: tuple[int, int] | None
    stdin: bool

    @classmethod
    def from_message(cls, message: Message) -> "Command":
        terminal = message["tty"]
        size = (terminal[0], terminal[1]) if terminal else None
        return cls(tuple(message["argv"]), message["env"], message["cwd"], size, message["stdin"])


@dataclass(frozen=True, slots=True)
class Started:
    """ends: descriptors for the daemon: stdin (if wanted), stdout, stderr; or the terminal; or none."""

    pid: int
    ends: list[int]


def start(command: Command, stdio: Sequence[int], places: Places) -> Started:
    """``stdio``: three descriptors to use as they are, or none. CannotStart says why not."""
    _enter(command.cwd, places)
    try:
        program = find(command.argv[0], command.env.get("PATH", ""))
        if stdio:
            return Started(_execute(program, command, _duplicates(stdio)), [])
        if command.terminal:
            return _start_in_terminal(program, command, command.terminal)
        return _start_with_pipes(program, command)
    finally:
        os.chdir("/")


def find(name: str, path: str) -> str:
    """The file a shell would execute for ``name``."""
    folders = [""] if "/" in name else path.split(":")
    blocked = False
    for folder in folders:
        candidate = f"{folder or '.'}/{name}" if "/" not in name else name
        kind = _mode(candidate)
        if kind is not None and stat.S_ISREG(kind) and os.access(candidate, os.X_OK):
            return candidate
        blocked = blocked or (kind is not None and ("/" in name or stat.S_ISREG(kind)))
    if blocked:
        reason = "is a directory" if _is_folder(name) else "permission denied"
        raise CannotStart(_NOT_EXECUTABLE, f"{name}: {reason}")
    raise CannotStart(_NOT_FOUND, f"{name}: {'no such file or directory' if '/' in name else 'command not found'}")


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None


def _is_folder(path: str) -> bool:
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def _enter(folder: str, places: Places) -> None:
    # posix_spawn knows no folder of its own; this process has one thread, so its own folder will do.
    try:
        os.chdir(places.real(folder))
    except (OSError, ValueError) as error:
        missing = isinstance(error, OSError) and error.errno == errno.ENOENT
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else str(error)
        message = f"cannot change to directory {folder}: {reason}"
        raise CannotStart(_NOT_FOUND if missing else _NOT_EXECUTABLE, message) from error


def _duplicates(fds: Sequence[int]) -> list[tuple[int, int, int]]:
    return [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(fds)]


def _execute(
    program: str, command: Command, actions: Sequence[tuple[int, ...] | tuple[int, int, str, int, int]]
) -> int:
    every_signal = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    try:
        return os.posix_spawn(
            program,
            command.argv,
            command.env,
            file_actions=list(actions),
            setsid=True,
            setsigmask=[],
            setsigdef=every_signal,
        )
    except (OSError, ValueError) as error:
        raise _refused(command.argv[0], error) from error


def _refused(name: str, error: OSError | ValueError) -> CannotStart:
    if not isinstance(error, OSError):
        return CannotStart(_NOT_EXECUTABLE, f"{name}: {error}")
    missing = error.errno == errno.ENOENT  # the interpreter of a script, as the file itself is there
    return CannotStart(_NOT_FOUND if missing else _NOT_EXECUTABLE, f"{name}: {os.strerror(error.errno or 0).lower()}")


def _start_with_pipes(program: str, command: Command) -> Started:
    # Made here and not by the daemon: so their owner is the command's user, who may open /dev/stdout anew.
    given = os.pipe() if command.stdin else (os.open(_NULL, os.O_RDONLY | os.O_CLOEXEC), None)
    output, error = os.pipe(), os.pipe()
    theirs = (given[0], output[1], error[1])
    ours = [fd for fd in (given[1], output[0], error[0]) if fd is not None]
    try:
        pid = _execute(program, command, _duplicates(theirs))
    except CannotStart:
        close_all(ours)
        raise
    finally:
        close_all(theirs)
    return Started(pid, ours)


def _start_in_terminal(program: str, command: Command, size: tuple[int, int]) -> Started:
    master, slave = open_terminal(*size)
    try:
        # The session starts before the terminal is opened, which makes it the controlling one.
        opened = (os.POSIX_SPAWN_OPEN, 0, slave, os.O_RDWR, 0)
        pid = _execute(program, command, [opened, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)])
    except CannotStart:
        os.close(master)
        raise
    return Started(pid, [master])
