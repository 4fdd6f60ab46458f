"""A sandbox's door for commands: outside its PID namespace, inside all others; starts what the daemon asks for.

Each message has an ``id``; the answer carries the same. ``{"exited": id, "status": n}`` tells of a command's end.
"""

import errno
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from mesabox.engine.sandbox import census, commands, files, mounting
from mesabox.engine.sandbox.channel import Channel, Message, close_all
from mesabox.engine.sandbox.init import SIGNALS
from mesabox.engine.sandbox.places import Places
from mesabox.engine.sandbox.values import CannotStart

Answer = tuple[Mapping[str, Any], list[int]]
Handler = Callable[[Message, list[int]], Answer]


class Spawner:
    """Serves one channel until the daemon lets go of it."""

    def __init__(self, channel: Channel, places: Places, proc: int = -1, init: Channel | None = None) -> None:
        """``proc``: the host's /proc, to count who descends from here; ``init``: to process 1."""
        self._channel = channel
        self._places = places
        self._proc = proc
        self._mounts = mounting.Mounts(proc)
        self._init = init
        self._running: dict[int, int] = {}
        self._handlers: dict[str, Handler] = {
            "spawn": self._spawn,
            "signal": self._signal,
            "open": self._open,
            "file": self._file,
            "place": self._place,
            "remove": self._remove,
            "read_only": self._read_only,
            "link": self._link,
            "unlink": self._unlink,
            "processes": self._processes,
            "init": self._tell_init,
        }

    def serve(self, *, until: int | None = None, at_end: Callable[[], None] | None = None) -> NoReturn:
        """``until``: the pid of process 1, whose end is ours. ``at_end`` is called when the daemon has let go."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        with suppress(EOFError, BrokenPipeError, ConnectionResetError):
            self._reap(until)  # who ended before the handler was there gave no sign
            while True:
                self._turn(woken, until)
        if at_end is not None:
            at_end()
        os._exit(0)

    def _turn(self, woken: socket.socket, until: int | None) -> None:
        ready, _, _ = select.select([self._channel.sock, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            self._reap(until)
        if self._channel.sock in ready:
            self._answer_one()
            while self._channel.waiting:
                self._answer_one()

    def _answer_one(self) -> None:
        message, fds = self._channel.receive()
        try:
            answer, given = self._handlers[message["op"]](message, fds)
        except CannotStart as error:
            answer, given = {"cannot_start": [error.exit_code, error.message]}, []
        except OSError as error:
            answer, given = {"errno": error.errno, "text": error.strerror, "path": error.filename}, []
        except (ValueError, TypeError, LookupError) as error:  # such as a path with a NUL byte: nobody else's loss
            answer, given = {"errno": errno.EINVAL, "text": str(error), "path": None}, []
        finally:
            close_all(fds)
        self._channel.send({"id": message["id"], **answer}, given)
        close_all(given)

    def _reap(self, until: int | None) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == until:
                    raise EOFError
                self._tell_exit(pid, status)

    def _tell_exit(self, pid: int, status: int) -> None:
        for request, running in self._running.items():
            if running == pid:
                del self._running[request]
                self._channel.send({"exited": request, "status": exit_code(status)})
                return

    def _spawn(self, message: Message, fds: list[int]) -> Answer:
        command = commands.Command.from_message(message)
        started = commands.start(command, fds, self._places)
        self._running[message["id"]] = started.pid
        return {"pid": started.pid}, started.ends

    def _signal(self, message: Message, fds: list[int]) -> Answer:
        pid = self._running.get(message["process"])
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(message.get("group") or pid, message["number"])
        return {}, []

    def _open(self, message: Message, fds: list[int]) -> Answer:
        return {}, [files.open_file(self._places.real(message["path"]), message["flags"], message["mode"])]

    def _file(self, message: Message, fds: list[int]) -> Answer:
        """In a child, which answers by itself: whatever a sprite prepared, it hangs or starves only that child."""
        (answer_fd,) = fds
        pid = os.fork()
        if pid == 0:
            files.answer(answer_fd, message, self._places)
        return {"pid": pid}, []

    def _place(self, message: Message, fds: list[int]) -> Answer:
        self._mounts.place(fds[0], message["path"], read_only=message["read_only"], uid=message["uid"])
        return {}, []

    def _remove(self, message: Message, fds: list[int]) -> Answer:
        self._mounts.remove(message["path"])
        return {}, []

    def _read_only(self, message: Message, fds: list[int]) -> Answer:
        self._mounts.make_read_only(message["path"])
        return {}, []

    def _link(self, message: Message, fds: list[int]) -> Answer:
        mounting.link(message["target"], self._places.real(message["path"]))
        return {}, []

    def _unlink(self, message: Message, fds: list[int]) -> Answer:
        mounting.unlink(self._places.real(message["path"]))
        return {}, []

    def _processes(self, message: Message, fds: list[int]) -> Answer:
        ours = 2 if self._init else 0  # process 1 and the other spawner
        return {"count": len(census.descendants(os.getpid(), self._proc)) - ours}, []

    def _tell_init(self, message: Message, fds: list[int]) -> Answer:
        """Freeze or thaw everyone: by process 1, or one by one where there is none."""
        if self._init is None:
            for pid in census.descendants(os.getpid(), self._proc):
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGNALS[message["what"]])
        else:
            self._init.send({"op": message["what"]})
            self._init.receive()
        return {}, []


def exit_code(status: int) -> int:
    """A wait status as a shell says it: 128+n for a signal."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
