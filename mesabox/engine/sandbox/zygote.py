"""The process all sandboxes are forked from: small, clean, one thread; it forks on request and reaps."""

import gc
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from mesabox.engine.sandbox import census, cgroups, privileges, syscalls
from mesabox.engine.sandbox.channel import Channel, Message
from mesabox.engine.sandbox.ending import run_and_exit

_PATIENCE, _PAUSE = 5.0, 0.002

Build = Callable[[Channel, Message], NoReturn]


def fork_zygote(build: Build, keep: Sequence[int]) -> Channel:
    """The daemon's end of its channel. ``build`` runs in a new process for each request, and never returns.

    Of the daemon's descriptors only ``keep`` and stderr go along.
    """
    ours, theirs = Channel.pair()
    parent = os.getpid()
    if os.fork() == 0:
        ours.close()
        _close_inherited({theirs.sock.fileno(), *keep})
        _Zygote(theirs, build).run(parent)
    theirs.close()
    return ours


class _Zygote:
    def __init__(self, channel: Channel, build: Build) -> None:
        self._channel = channel
        self._build = build

    def run(self, parent: int) -> NoReturn:
        """Ends when the daemon does, however that ended, and takes every sandbox along."""
        try:
            self._settle(parent)
            while True:
                self._fork()
        except (EOFError, ConnectionError):
            self._end_all()
        finally:
            os._exit(0)

    def _settle(self, parent: int) -> None:
        os.setsid()
        self._detach_stdio()
        privileges.be_killed_first()
        privileges.hide()
        privileges.blank_command_line("mesabox-zygote")
        os.environ.clear()
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGTERM, self._leave)
        privileges.die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            raise EOFError
        signal.signal(signal.SIGCHLD, lambda *_: _reap())
        cgroups.sweep()
        gc.freeze()

    def _detach_stdio(self) -> None:
        """stdout is how the engine's starter learns that it is up; stderr stays, it is the log."""
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)

    def _leave(self, *_: object) -> None:
        raise EOFError

    def _fork(self) -> None:
        message, (fd, *_) = self._channel.receive()
        if os.fork() == 0:
            run_and_exit(lambda: self._become_builder(fd, message))
        os.close(fd)
        cgroups.sweep()  # while the builder builds

    def _become_builder(self, fd: int, message: Message) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._channel.close()
        privileges.die_with_parent()
        channel = Channel.from_fd(fd)
        os.close(fd)
        self._build(channel, message)

    def _end_all(self) -> None:
        """The spawners die, then what they leave: reaped here, which the host's own init does only now and then."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        proc = census.open_proc()
        deadline = time.monotonic() + _PATIENCE
        while (children := census.descendants(os.getpid(), proc)) and time.monotonic() < deadline:
            for pid in children:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            _reap()
            time.sleep(_PAUSE)
        cgroups.sweep()


def _close_inherited(keep: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            with suppress(OSError):  # the listing's own
                os.close(int(name))


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
