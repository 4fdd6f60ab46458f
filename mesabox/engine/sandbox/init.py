"""Process 1 of a sandbox: mounts /proc, joins the user namespace, then reaps orphans and freezes on demand."""

import os
import select
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from mesabox.engine.sandbox import plan, privileges, syscalls
from mesabox.engine.sandbox.channel import Channel, close_all
from mesabox.engine.sandbox.ending import run_and_exit

_EVERYONE = -1
SIGNALS = {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}


def run(channel: Channel, steps: Sequence[plan.Step]) -> NoReturn:
    """Never returns; ends when the builder does, and with it every process inside."""
    run_and_exit(lambda: _live(channel, steps))


def _live(channel: Channel, steps: Sequence[plan.Step]) -> None:
    privileges.hide()
    privileges.die_with_parent()
    privileges.blank_command_line("init")
    try:
        prepared = plan.prepare(steps)
        channel.send({"ok": True})
        channel.receive()
        plan.place(steps, prepared)
        channel.send({"ok": True})
    except OSError as error:
        channel.send({"ok": False, "errno": error.errno, "error": error.strerror})
        raise
    _become_init(channel)
    _serve(channel)


def join(namespaces: Sequence[int]) -> None:
    """The builder's: PID (for children), user, mount. The user's after the PID's, which takes the rights away."""
    for fd in namespaces:
        syscalls.setns(fd)
    close_all(namespaces)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _become_init(channel: Channel) -> None:
    _, namespaces = channel.receive()
    join(namespaces)
    privileges.keep_only(privileges.CAP_KILL)
    privileges.die_with_parent()
    privileges.hide()  # a change of ids may have undone it
    os.setsid()


def _serve(channel: Channel) -> NoReturn:
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    _reap()  # who ended before the handler was there gave no sign
    while True:
        ready, _, _ = select.select([channel.sock, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _reap()
        if channel.sock in ready:
            _obey(channel)


def _obey(channel: Channel) -> None:
    message, _ = channel.receive()
    with suppress(ProcessLookupError):  # nobody else is here
        os.kill(_EVERYONE, SIGNALS[message["op"]])
    channel.send({"ok": True})


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
