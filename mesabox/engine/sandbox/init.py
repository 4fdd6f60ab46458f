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

_EVERYONE = -1
_SIGNALS = {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}


def run(channel: Channel, steps: Sequence[plan.Step]) -> NoReturn:
    """Never returns; ends when the builder does, and with it every process inside."""
    try:
        privileges.die_with_parent()
        plan.place(steps, plan.prepare(steps))
        privileges.blank_command_line("init")
        channel.send({"ok": True})
        _join(channel)
        _serve(channel)
    except EOFError:
        pass
    except OSError as error:
        channel.send({"ok": False, "errno": error.errno, "error": str(error.strerror)})
    finally:
        os._exit(1)


def _join(channel: Channel) -> None:
    _, (builder,) = channel.receive()
    syscalls.setns(builder, syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    close_all([builder])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    privileges.keep_only(privileges.CAP_KILL)
    privileges.die_with_parent()
    privileges.hide()
    os.setsid()


def _serve(channel: Channel) -> None:
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
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
        os.kill(_EVERYONE, _SIGNALS[message["op"]])
    channel.send({"ok": True})


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
