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
from mesabox.engine.sandbox.channel import Channel, close_all
from mesabox.engine.sandbox.ending import run_and_exit
from mesabox.engine.sandbox.places import Inside
from mesabox.engine.sandbox.spawner import Spawner
from mesabox.engine.sandbox.values import SandboxSpec, Tier

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


def build(channel: Channel, spec: SandboxSpec, ground: blueprint.Ground) -> NoReturn:
    """Tells the daemon ``{"map": pid}``, waits for the map, then ``{"ready": true}`` with the sandbox's descriptors:
    pidfds of process 1 and of both spawners, the other spawner's channel, the network namespace."""
    run_and_exit(lambda: _build(channel, spec, ground))


def _build(channel: Channel, spec: SandboxSpec, ground: blueprint.Ground) -> None:
    try:
        _Builder(channel, spec, ground).build()
    except ConnectionError:
        raise
    except OSError as error:
        channel.send({"failed": error.strerror, "errno": error.errno})
        raise


class _Builder:
    def __init__(self, channel: Channel, spec: SandboxSpec, ground: blueprint.Ground) -> None:
        self.channel = channel
        self.spec = spec
        self.ground = ground
        self.drawn = blueprint.draw(spec, ground)
        self.proc = census.open_proc()

    def build(self) -> NoReturn:
        if self.spec.limits.memory is not None and "memory" not in cgroups.join(self.spec.limits):
            privileges.limit_memory(self.spec.limits.memory)
        privileges.show()  # its /proc/PID/uid_map is the daemon's to write
        syscalls.unshare(_OUTER)
        network = self._namespace("net")
        others_end, sprite = self._fork_sprite_spawner()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        first = self._fork_init()
        self._file_systems(first)
        _bring_loopback_up()
        socket.sethostname(self.spec.name)
        self._user_namespace(first, sprite)
        pids = (first.pid, os.getpid(), sprite.pid)
        ends = [*(os.pidfd_open(pid) for pid in pids), others_end.sock.detach(), network]
        self.channel.send({"ready": True}, ends)
        close_all(ends)
        confine(self.ground.tier, self.spec)
        Spawner(self.channel, Inside(), self.proc, first.channel).serve(until=first.pid)

    def _file_systems(self, first: Child) -> None:
        """A fresh /proc is allowed only while the old one is in sight: so process 1 prepares before the pivot, too."""
        root, *prepared = plan.prepare((self.drawn.root, *self.drawn.outer))
        assert root is not None
        _expect_ok(first.channel)
        _pivot(root, self.ground.base.folder)
        plan.place(self.drawn.outer, prepared)
        first.channel.send({})

    def _namespace(self, name: str) -> int:
        """Through the host's /proc, held open from before the pivot."""
        return os.open(f"self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.proc)

    def _fork_sprite_spawner(self) -> tuple[Channel, Child]:
        """Forked before the PID namespace, so as to be outside of it, too. Also its channel's end for the daemon."""
        others_end, channel = Channel.pair()
        ours, theirs = Channel.pair()
        pid = os.fork()
        if pid == 0:
            _close([ours, others_end, self.channel])
            run_and_exit(lambda: _sprite_spawner(channel, theirs, self.ground.tier, self.spec))
        _close([channel, theirs])
        return others_end, Child(pid, ours)

    def _fork_init(self) -> Child:
        ours, theirs = Channel.pair()
        pid = os.fork()
        if pid == 0:
            _close([ours, self.channel])
            init.run(theirs, self.drawn.inner)
        _close([theirs])
        return Child(pid, ours)

    def _user_namespace(self, first: Child, sprite: Child) -> None:
        """Made here, mapped by the daemon; then a mount namespace that belongs to it; the others join both.

        Nobody waits for them to have joined: what they are asked meanwhile waits in their channels.
        """
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        self.channel.send({"map": os.getpid()})
        self.channel.receive()
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        privileges.die_with_parent()
        _expect_ok(first.channel)  # /proc is mounted: the copy that is made now has it
        syscalls.unshare(syscalls.CLONE_NEWNS)
        namespaces = [self._namespace(name) for name in ("pid_for_children", "user", "mnt")]
        first.channel.send({}, namespaces)
        sprite.channel.send({}, namespaces)
        sprite.channel.close()
        close_all(namespaces)


def _sprite_spawner(channel: Channel, parent: Channel, tier: Tier, spec: SandboxSpec) -> None:
    privileges.hide()
    privileges.die_with_parent()
    _, namespaces = parent.receive()
    parent.close()
    init.join(namespaces)
    confine(tier, spec, uid=identity.sprite_uid(tier))
    Spawner(channel, Inside()).serve()


def confine(tier: Tier, spec: SandboxSpec, uid: int = 0) -> None:
    """What holds for this spawner's commands for good."""
    single = identity.sprite_uid(tier) == 0
    if single:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    privileges.bound_capabilities()
    privileges.limit_processes(spec.limits.pids)
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
