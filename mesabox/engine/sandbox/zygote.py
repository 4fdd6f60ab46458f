"""The process all sandboxes are forked from: small, clean, one thread; it forks on request and reaps."""

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from mesabox.engine.sandbox import census, cgroups, privileges, syscalls
from mesabox.engine.sandbox.channel import Channel, Message, close_all
from mesabox.engine.sandbox.ending import run_and_exit

_PATIENCE, _PAUSE = 5.0, 0.002
_MOMENT = 0.03

Build = Callable[[Channel], NoReturn]


def fork_zygote(build: Build, keep: Sequence[int]) -> Channel:
    """The daemon's end of its channel. ``build`` is run in a new process for each sandbox, and never returns.

    One such process is always kept ready: it waits on the channel it is given for what to build. Of the daemon's
    descriptors only ``keep`` and stderr go along.
    """
    ours, theirs = Channel.pair()
    parent = os.getpid()
    if os.fork() == 0:
        ours.close()
        _close_inherited({theirs.sock.fileno(), *keep})
        run_and_exit(lambda: _Zygote(theirs, build).run(parent))
    theirs.close()
    return ours


class _Zygote:
    def __init__(self, channel: Channel, build: Build) -> None:
        self._channel = channel
        self._build = build
        self._spare: Channel | None = None

    def run(self, parent: int) -> None:
        """Ends when the daemon does, however that ended, and takes every sandbox along."""
        try:
            self._settle(parent)
            while True:
                self._await_request()
                self._hand_over(*self._channel.receive())
        finally:
            self._end_all()

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

    def _await_request(self) -> None:
        """A new spare is made when nothing is asked for a moment, so as not to slow down the one being built."""
        if self._spare is None and not select.select([self._channel.sock], [], [], _MOMENT)[0]:
            with suppress(BlockingIOError):  # too many processes: tried again when one is needed
                self._spare = self._fork()
            cgroups.sweep()

    def _hand_over(self, message: Message, fds: Sequence[int]) -> None:
        """An order that no process can be made for is dropped: its channel ends, and the daemon sees that."""
        try:
            builder, self._spare = self._spare or self._fork(), None
            try:
                builder.send(message, fds)
            except ConnectionError:  # the spare has died: killed for memory, perhaps
                builder.close()
                builder = self._fork()
                builder.send(message, fds)
            builder.close()
        except BlockingIOError as error:
            print(f"zygote: {error}", file=sys.stderr, flush=True)
        finally:
            close_all(fds)

    def _fork(self) -> Channel:
        ours, theirs = Channel.pair()
        try:
            if os.fork() == 0:
                run_and_exit(lambda: self._become_builder(ours, theirs))
        except BlockingIOError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _become_builder(self, zygotes_end: Channel, orders: Channel) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._channel.close()
        zygotes_end.close()
        privileges.die_with_parent()
        self._build(orders)

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
