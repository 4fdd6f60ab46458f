"""What the processes of a sandbox may not do: capabilities, system calls, ids, and dying with their parent."""

import ctypes
import os
import platform
import resource
import signal
import stat
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from mesabox.engine.sandbox import syscalls

CAP_KILL = 5
_DROPPED = {
    "NET_ADMIN": 12,
    "SYS_MODULE": 16,
    "SYS_RAWIO": 17,
    "SYS_ADMIN": 21,
    "SYS_BOOT": 22,
    "SYS_TIME": 25,
    "MKNOD": 27,
    "SYSLOG": 34,
    "PERFMON": 38,
    "BPF": 39,
}

# Calls that reach far into the kernel and that no ordinary program needs. Numbers: the kernel's syscall tables.
_DENIED = {
    "x86_64": {
        "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "add_key": 248, "request_key": 249, "keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "open_by_handle_at": 304, "swapon": 167, "swapoff": 168, "reboot": 169, "acct": 163, "quotactl": 179,
        "iopl": 172, "ioperm": 173, "lookup_dcookie": 212, "io_uring_setup": 425,
    },
    "aarch64": {
        "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "add_key": 217, "request_key": 218, "keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "open_by_handle_at": 265, "swapon": 224, "swapoff": 225, "reboot": 142, "acct": 89, "quotactl": 60,
        "lookup_dcookie": 18, "io_uring_setup": 425,
    },
}  # fmt: skip
# chown*, set*id, setgroups, capset: with one id only, answered with success (Charliecloud's fake root), so that package
# installers go through. mknod* likewise, but only for devices; with the place of its mode among the arguments.
_PRETENDED = {
    "x86_64": (92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119, 122, 123, 126),
    "aarch64": (54, 55, 143, 144, 145, 146, 147, 149, 151, 152, 159, 91),
}
_MKNOD = {"x86_64": ((133, 1), (259, 2)), "aarch64": ((33, 2),)}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_X32_BIT = 0x40000000
_EPERM, _ENOSYS = 1, 38


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _answer(numbers: Iterable[int], errno: int) -> list[bytes]:
    """For each call: if it is this one, return ``errno`` (0 is success)."""
    pairs = [(_instruction(_JUMP_EQUAL, n, 0, 1), _instruction(_RETURN, _ERRNO | errno)) for n in numbers]
    return [instruction for pair in pairs for instruction in pair]


def _pretend_devices(number: int, argument: int) -> list[bytes]:
    """mknod of a device is answered with success; of a FIFO, socket or file it is done."""
    return [
        _instruction(_JUMP_EQUAL, number, 0, 6),
        _instruction(_LOAD, 16 + 8 * argument),  # seccomp_data.args, the low half
        _instruction(_AND, 0xF000),  # S_IFMT
        _instruction(_JUMP_EQUAL, stat.S_IFCHR, 1, 0),
        _instruction(_JUMP_EQUAL, stat.S_IFBLK, 0, 1),
        _instruction(_RETURN, _ERRNO),
        _instruction(_RETURN, _ALLOW),
    ]


def _fake_root(machine: str) -> list[bytes]:
    devices = [_pretend_devices(number, argument) for number, argument in _MKNOD[machine]]
    return [*_answer(_PRETENDED[machine], 0), *(instruction for block in devices for instruction in block)]


@cache
def filter_program(machine: str, *, fake_root: bool) -> tuple[bytes, ...]:
    """The BPF program. A foreign or x32 call gets ENOSYS, so that no second table of numbers opens a way round."""
    denied = dict(_DENIED[machine])
    absent = [denied.pop("io_uring_setup")]
    return (
        _instruction(_LOAD, 4),  # seccomp_data.arch
        _instruction(_JUMP_EQUAL, _ARCHITECTURE[machine], 1, 0),
        _instruction(_RETURN, _ERRNO | _ENOSYS),
        _instruction(_LOAD, 0),  # seccomp_data.nr
        _instruction(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1),
        _instruction(_RETURN, _ERRNO | _ENOSYS),
        *_answer(denied.values(), _EPERM),
        *_answer(absent, _ENOSYS),
        *(_fake_root(machine) if fake_root else []),
        _instruction(_RETURN, _ALLOW),
    )


def prepare_filter(*, fake_root: bool) -> None:
    """Before a fork: what the children then find ready."""
    if platform.machine() in _DENIED:
        filter_program(platform.machine(), fake_root=fake_root)


def filter_calls(*, fake_root: bool) -> None:
    """Load the filter for this process and all it starts. A machine without a table goes without."""
    machine = platform.machine()
    if machine in _DENIED:
        syscalls.load_seccomp(filter_program(machine, fake_root=fake_root))


def bound_capabilities() -> None:
    """No program executed from here on can have these, whoever runs it; what this process holds itself stays."""
    for capability in _DROPPED.values():
        with suppress(OSError):  # a kernel that does not know it cannot grant it
            syscalls.drop_bounding(capability)
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)


def keep_only(*capabilities: int) -> None:
    mask = sum(1 << capability for capability in capabilities)
    syscalls.capset(mask, mask)


def become(uid: int, gid: int, groups: Sequence[int] = ()) -> None:
    """Take these ids for good and keep CAP_KILL alone, to signal what a command made of itself with sudo."""
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    if uid != 0:
        syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    os.setresuid(uid, uid, uid)
    if uid != 0:
        keep_only(CAP_KILL)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Asked for again after every change of ids, which clears it."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, number)


def hide() -> None:
    """No core dump, no ptrace, no /proc/PID/environ for anyone but real root."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def show() -> None:
    """Take ``hide`` back: /proc/PID belongs to the process' user again."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)


def be_killed_first() -> None:
    """When memory runs out, the kernel should take a sprite's processes before the user's own. Before ``hide``."""
    Path("/proc/self/oom_score_adj").write_text("500")


def limit_processes(count: int | None) -> None:
    """Processes of this user in this user namespace."""
    if count is not None:
        _limit(0, resource.RLIMIT_NPROC, count)


def leave_no_core() -> None:
    """1 and not 0, which the kernel heeds even where cores are piped to a program of the host's."""
    _limit(0, resource.RLIMIT_CORE, 1)


def limit_memory(pid: int, size: int) -> None:
    """Bytes for each process ``pid`` starts: the second best, where there is no control group for all of them."""
    _limit(pid, resource.RLIMIT_DATA, size)


def _limit(pid: int, kind: int, value: int) -> None:
    _, hard = resource.prlimit(pid, kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.prlimit(pid, kind, (allowed, allowed))


def blank_command_line(name: str) -> None:
    """Overwrite argv and environ in this process' memory: ``ps`` inside shows ``name`` instead of the host's paths."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end: proc(5) fields 48 and 49
    environment_start, environment_end = int(fields[47]), int(fields[48])
    ctypes.memset(start, 0, end - start)
    ctypes.memset(environment_start, 0, environment_end - environment_start)
    ctypes.memmove(start, name.encode()[: end - start - 1], min(len(name), end - start - 1))
    syscalls.set_name(name)
