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

from mesabox.engine.sandbox import blueprint, identity, init, plan, privileges, syscalls
from mesabox.engine.sandbox.channel import Channel, close_all
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
    try:
        _Builder(channel, spec, ground).build()
    except OSError as error:
        channel.send({"failed": str(error.strerror), "errno": error.errno})
    except EOFError:
        pass  # the daemon or process 1 is gone, and we with it
    finally:
        os._exit(1)


class _Builder:
    def __init__(self, channel: Channel, spec: SandboxSpec, ground: blueprint.Ground) -> None:
        self.channel = channel
        self.spec = spec
        self.ground = ground
        self.drawn = blueprint.draw(spec, ground)

    def build(self) -> NoReturn:
        _be_killed_first()
        syscalls.unshare(_OUTER)
        network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._file_systems()
        _bring_loopback_up()
        socket.sethostname(self.spec.name)
        others_end, sprite = self._fork_sprite_spawner()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        first = self._fork_init()
        self._user_namespace(first, sprite)
        pids = (first.pid, os.getpid(), sprite.pid)
        ends = [*(os.pidfd_open(pid) for pid in pids), others_end.sock.detach(), network]
        self.channel.send({"ready": True}, ends)
        close_all(ends)
        confine(self.ground.tier, self.spec)
        Spawner(self.channel, Inside(), first.channel).serve(until=first.pid)

    def _file_systems(self) -> None:
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        root = self.drawn.root.prepare()
        prepared = plan.prepare(self.drawn.outer)
        _pivot(root, self.ground.base.folder)
        plan.place(self.drawn.outer, prepared)

    def _fork_sprite_spawner(self) -> tuple[Channel, Child]:
        """Forked before the PID namespace, so as to be outside of it, too. Also its channel's end for the daemon."""
        others_end, channel = Channel.pair()
        ours, theirs = Channel.pair()
        pid = os.fork()
        if pid == 0:
            _close([ours, others_end, self.channel])
            _sprite_spawner(channel, theirs, self.ground.tier, self.spec)
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
        myself = os.pidfd_open(os.getpid())
        pid_namespace = os.pidfd_open(first.pid)
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        self.channel.send({"map": os.getpid()})
        self.channel.receive()
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        privileges.die_with_parent()
        _expect_ok(first.channel)  # /proc is mounted: the copy that is made now has it
        syscalls.unshare(syscalls.CLONE_NEWNS)
        first.channel.send({}, [myself])
        sprite.channel.send({}, [myself, pid_namespace])
        sprite.channel.close()
        close_all([myself, pid_namespace])


def _sprite_spawner(channel: Channel, parent: Channel, tier: Tier, spec: SandboxSpec) -> NoReturn:
    try:
        privileges.die_with_parent()
        _, (builder, pid_namespace) = parent.receive()
        parent.close()
        syscalls.setns(pid_namespace, syscalls.CLONE_NEWPID)
        syscalls.setns(builder, syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
        close_all([builder, pid_namespace])
        confine(tier, spec, uid=identity.sprite_uid(tier))
        Spawner(channel, Inside()).serve()
    finally:
        os._exit(1)


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


def _be_killed_first() -> None:
    """When memory runs out, the kernel should take a sprite's processes before the user's own."""
    Path("/proc/self/oom_score_adj").write_text("500")
