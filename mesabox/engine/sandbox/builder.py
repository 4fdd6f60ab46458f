"""Builds one sandbox and stays as its root spawner. The order of the steps is the hard part: user namespace last.

After it pivot_root fails (its mounts are locked); before it, masks and the network namespace belong to the outer
namespace, so that root inside cannot take them away.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mesabox.engine.sandbox import blueprint, census, cgroups, identity, init, plan, privileges, syscalls
from mesabox.engine.sandbox.base import Base
from mesabox.engine.sandbox.channel import Channel, close_all
from mesabox.engine.sandbox.ending import run_and_exit
from mesabox.engine.sandbox.places import Inside
from mesabox.engine.sandbox.spawner import Spawner
from mesabox.engine.sandbox.values import Limits, SandboxSpec, Tier

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_OUTER = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWCGROUP
)


@dataclass(frozen=True, slots=True)
class Child:
    pid: int
    channel: Channel


def build(orders: Channel, ground: blueprint.Ground) -> NoReturn:
    """Prepares what every sandbox has, waits for the order ``{"spec", "base"}`` with the daemon's channel, builds.

    On that channel it tells ``{"map": pid}``, waits for the map, then tells ``{"ready": true}`` with the sandbox's
    descriptors: pidfds of process 1 and of both spawners, the other spawner's channel, the network namespace.
    """
    run_and_exit(lambda: _build(orders, ground))


def _build(orders: Channel, ground: blueprint.Ground) -> None:
    made = _prepare(orders, ground)
    message, (fd,) = orders.receive()
    channel = Channel.adopt(fd)
    try:
        if isinstance(made, OSError):
            raise made
        made.build(channel, SandboxSpec.from_message(message["spec"]), Base(Path(message["base"])))
    except ConnectionError:  # the daemon or process 1 is gone
        raise
    except OSError as error:
        channel.send({"failed": error.strerror, "errno": error.errno})
        raise


def _prepare(orders: Channel, ground: blueprint.Ground) -> "_Builder | OSError":
    """What went wrong is told when somebody asks for the sandbox."""
    try:
        return _Builder(orders, ground)
    except OSError as error:
        return error


class _Builder:
    """Made before it is known for which sprite: namespaces, both children, and what all sandboxes have in common."""

    def __init__(self, orders: Channel, ground: blueprint.Ground) -> None:
        self._orders = orders
        self._ground = ground
        self._proc = census.open_proc()
        privileges.show()  # its /proc/PID/uid_map is the daemon's to write
        syscalls.unshare(_OUTER)
        self._network = self._namespace("net")
        self._others_end, self._sprite = self._fork_sprite_spawner()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        self._first = self._fork_init()
        self._common = blueprint.common(ground)
        self._prepared = plan.prepare(self._common)
        _bring_loopback_up()

    def build(self, channel: Channel, spec: SandboxSpec, base: Base) -> NoReturn:
        self._limit(spec.limits)
        self._file_systems(spec, base)
        socket.sethostname(spec.name)
        self._user_namespace(channel, spec.limits)
        pids = (self._first.pid, os.getpid(), self._sprite.pid)
        ends = [*(os.pidfd_open(pid) for pid in pids), self._others_end.sock.detach(), self._network]
        channel.send({"ready": True}, ends)
        close_all(ends)
        confine(self._ground.tier, spec.limits.pids)
        Spawner(channel, Inside(), self._proc, self._first.channel).serve(until=self._first.pid)

    def _limit(self, limits: Limits) -> None:
        if limits.memory is not None:
            pids = (os.getpid(), self._first.pid, self._sprite.pid)
            if "memory" not in cgroups.join(limits, pids):
                for pid in pids:
                    privileges.limit_memory(pid, limits.memory)

    def _file_systems(self, spec: SandboxSpec, base: Base) -> None:
        """A fresh /proc is allowed only while the old one is in sight: so process 1 prepares before the pivot, too."""
        own = blueprint.own(spec, base, self._ground)
        root, *prepared = plan.prepare((blueprint.root(spec, base, self._ground), *own))
        assert root is not None
        _expect_ok(self._first.channel)
        _pivot(root, base.folder)
        plan.place(self._common, self._prepared)
        plan.place(own, prepared)
        self._first.channel.send({})

    def _namespace(self, name: str) -> int:
        """Through the host's /proc, held open from before the pivot."""
        return os.open(f"self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)

    def _fork_sprite_spawner(self) -> tuple[Channel, Child]:
        """Forked before the PID namespace, so as to be outside of it, too. Also its channel's end for the daemon."""
        others_end, channel = Channel.pair()
        ours, theirs = Channel.pair()
        builder = os.getpid()
        pid = os.fork()
        if pid == 0:
            _close([ours, others_end, self._orders])
            run_and_exit(lambda: _sprite_spawner(channel, theirs, self._ground.tier, builder))
        _close([channel, theirs])
        return others_end, Child(pid, ours)

    def _fork_init(self) -> Child:
        ours, theirs = Channel.pair()
        pid = os.fork()
        if pid == 0:
            _close([ours, self._orders])
            init.run(theirs, blueprint.inner(self._ground))
        _close([theirs])
        return Child(pid, ours)

    def _user_namespace(self, channel: Channel, limits: Limits) -> None:
        """Made here, mapped by the daemon; then a mount namespace that belongs to it; the others join both.

        Nobody waits for them to have joined: what they are asked meanwhile waits in their channels.
        """
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        channel.send({"map": os.getpid()})
        channel.receive()
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        privileges.die_with_parent()
        _expect_ok(self._first.channel)  # /proc is mounted: the copy that is made now has it
        syscalls.unshare(syscalls.CLONE_NEWNS)
        namespaces = [self._namespace(name) for name in ("pid_for_children", "user", "mnt")]
        self._first.channel.send({}, namespaces)
        self._sprite.channel.send({"pids": limits.pids}, namespaces)
        self._sprite.channel.close()
        close_all(namespaces)


def _sprite_spawner(channel: Channel, parent: Channel, tier: Tier, builder: int) -> None:
    privileges.hide()
    privileges.die_with_parent()
    message, namespaces = parent.receive()
    parent.close()
    init.join(namespaces)
    confine(tier, message["pids"], uid=identity.sprite_uid(tier))
    if os.getppid() != builder:  # a change of ids takes the parent's end for news of it away, for as long as this took
        raise EOFError
    Spawner(channel, Inside()).serve()


def confine(tier: Tier, pids: int | None, uid: int = 0) -> None:
    """What holds for this spawner's commands for good."""
    single = identity.sprite_uid(tier) == 0
    if single:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    privileges.bound_capabilities()
    privileges.limit_processes(pids)
    privileges.leave_no_core()
    privileges.filter_calls(fake_root=single)
    if uid:
        privileges.become(uid, uid)
    privileges.die_with_parent()
    privileges.hide()
    os.umask(0o022)


def _expect_ok(child: Channel) -> None:
    answer, _ = child.receive()
    if not answer["ok"]:
        raise OSError(answer["errno"], answer["error"])


def _close(channels: Sequence[Channel]) -> None:
    for channel in channels:
        channel.close()


def _pivot(root: int, place: Path) -> None:
    syscalls.move_mount(root, place)
    os.close(root)
    os.chdir(place)
    syscalls.pivot_root(".", ".")
    syscalls.umount2(".", syscalls.MNT_DETACH)
    os.chdir("/")


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
