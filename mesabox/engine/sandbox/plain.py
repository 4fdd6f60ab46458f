"""No isolation: the same spawner in a folder, for throw-away machines whose kernel allows nothing better."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from mesabox.engine.sandbox import census, privileges, syscalls
from mesabox.engine.sandbox.channel import Channel, close_all
from mesabox.engine.sandbox.ending import run_and_exit
from mesabox.engine.sandbox.places import InFolder
from mesabox.engine.sandbox.spawner import Spawner
from mesabox.engine.sandbox.values import SandboxSpec

_PATIENCE, _PAUSE = 2.0, 0.005


def home(spec: SandboxSpec) -> Path:
    return spec.upper / "home/sprite"


def build(orders: Channel) -> NoReturn:
    """Waits for the order ``{"spec"}`` with the daemon's channel and serves it until the daemon lets go.

    Then all that descends from here ends, daemonised or not.
    """
    run_and_exit(lambda: _serve(orders))


def _serve(orders: Channel) -> None:
    message, (fd,) = orders.receive()
    spec, channel = SandboxSpec.from_message(message["spec"]), Channel.adopt(fd)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    privileges.hide()
    home(spec).mkdir(mode=0o700, parents=True, exist_ok=True)
    myself = os.pidfd_open(os.getpid())
    channel.send({"ready": True}, [myself])
    close_all([myself])
    proc = census.open_proc()
    Spawner(channel, InFolder(str(home(spec))), proc).serve(at_end=lambda: _end_descendants(proc))


def _end_descendants(proc: int) -> None:
    """Orphans come to us, the subreaper: so it is repeated until there is nobody left."""
    deadline = time.monotonic() + _PATIENCE
    while (pids := census.descendants(os.getpid(), proc)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        time.sleep(_PAUSE)
