"""System calls by ctypes: one thin function per call; each raises OSError with the kernel's errno.

No well-kept library covers the new mount calls. Calls from number 424 on have the same number on every architecture;
for the older ones libc has a function.
"""

import ctypes
import os
from collections.abc import Sequence

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 0x1, 0x2, 0x4, 0x8, 0x20
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 0x1000, 0x4000, 0x40000, 0x80000
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 0x1, 0x2, 0x4, 0x8
MOUNT_ATTR_IDMAP = 0x00100000

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS = 0x01, 0x02, 0x04
RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x08, 0x10

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME = 1, 4, 8, 15
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 22, 24, 36
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF = 0x100, 0x200, 0x400, 0x800
IN_Q_OVERFLOW, IN_IGNORED = 0x4000, 0x8000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_ISDIR = 0x01000000, 0x02000000, 0x04000000, 0x40000000

_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _FSPICK = 428, 429, 430, 431, 432, 433
_OPENAT2, _MOUNT_SETATTR = 437, 442
_SET_FLAG, _SET_STRING, _SET_FD, _CMD_CREATE, _CMD_RECONFIGURE = 0, 1, 5, 6, 7
_OPEN_TREE_CLONE, _FD_CLOEXEC, _FSPICK_EMPTY_PATH = 1, 1, 8
_MOVE_FROM_EMPTY_PATH, _MOVE_TO_EMPTY_PATH = 0x4, 0x40
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)

PathLike = str | bytes | os.PathLike[str]


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class _OpenHow(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _checked(call: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def _libc_call(call: str, *arguments: object) -> int:
    return _checked(call, getattr(_libc, call)(*arguments))


def _system_call(call: str, number: int, *arguments: object) -> int:
    # syscall(2) is variadic: a bare Python int would travel as a 32-bit one.
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(call, _libc.syscall(ctypes.c_long(number), *wide))


def _path(path: PathLike) -> bytes:
    """ValueError for an embedded NUL, at which the kernel would stop reading."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path with a NUL byte")
    return name


def _sized(value: ctypes.Structure) -> tuple[object, int]:
    return ctypes.byref(value), ctypes.sizeof(value)


def unshare(flags: int) -> None:
    _libc_call("unshare", flags)


def setns(fd: int, flags: int = 0) -> None:
    """``fd``: of a namespace, or a pidfd with the CLONE_NEW* flags of what to join."""
    _libc_call("setns", fd, flags)


def mount(source: PathLike | None, target: PathLike, kind: str | None, flags: int = 0, data: str = "") -> None:
    origin = None if source is None else _path(source)
    name = None if kind is None else kind.encode()
    _libc_call("mount", origin, _path(target), name, ctypes.c_ulong(flags), data.encode() or None)


def umount2(target: PathLike, flags: int = 0) -> None:
    _libc_call("umount2", _path(target), flags)


def pivot_root(new_root: PathLike, put_old: PathLike) -> None:
    _libc_call("pivot_root", _path(new_root), _path(put_old))


def fsopen(kind: str) -> int:
    """The fd of a new file system's configuration."""
    return _system_call("fsopen", _FSOPEN, kind.encode(), _FD_CLOEXEC)


def fspick(mount_fd: int) -> int:
    """The configuration of a mounted file system, by its mount's fd."""
    return _system_call("fspick", _FSPICK, mount_fd, b"", _FD_CLOEXEC | _FSPICK_EMPTY_PATH)


def fsconfig_flag(fs: int, key: str) -> None:
    _system_call("fsconfig", _FSCONFIG, fs, _SET_FLAG, key.encode(), None, 0)


def fsconfig_string(fs: int, key: str, value: str) -> None:
    """``value``: at most 255 bytes, the kernel's limit."""
    _system_call("fsconfig", _FSCONFIG, fs, _SET_STRING, key.encode(), os.fsencode(value), 0)


def fsconfig_fd(fs: int, key: str, fd: int) -> None:
    _system_call("fsconfig", _FSCONFIG, fs, _SET_FD, key.encode(), None, fd)


def fsconfig_create(fs: int) -> None:
    _system_call("fsconfig", _FSCONFIG, fs, _CMD_CREATE, None, None, 0)


def fsconfig_reconfigure(fs: int) -> None:
    _system_call("fsconfig", _FSCONFIG, fs, _CMD_RECONFIGURE, None, None, 0)


def fsmount(fs: int, attributes: int = 0) -> int:
    """A detached mount's fd; ``attributes``: MOUNT_ATTR_*."""
    return _system_call("fsmount", _FSMOUNT, fs, _FD_CLOEXEC, attributes)


def open_tree(path: PathLike, *, dir_fd: int = AT_FDCWD, recursive: bool = False) -> int:
    """A detached copy of the mount at ``path`` (of ``dir_fd`` itself when ``path`` is empty)."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    return _system_call("open_tree", _OPEN_TREE, dir_fd, _path(path), flags)


def move_mount(mount_fd: int, path: PathLike, *, dir_fd: int = AT_FDCWD) -> None:
    """Attach a detached mount at ``path``, or onto ``dir_fd`` itself when ``path`` is empty."""
    target = _path(path)
    flags = _MOVE_FROM_EMPTY_PATH | (0 if target else _MOVE_TO_EMPTY_PATH)
    _system_call("move_mount", _MOVE_MOUNT, mount_fd, b"", dir_fd, target, flags)


def mount_setattr(
    mount_fd: int,
    *,
    path: PathLike = "",
    set_flags: int = 0,
    clear_flags: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
    recursive: bool = False,
) -> None:
    """Change MOUNT_ATTR_* of the mount ``mount_fd`` is on; ``userns_fd`` goes with MOUNT_ATTR_IDMAP."""
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    attributes = _MountAttr(set_flags, clear_flags, propagation, userns_fd)
    _system_call("mount_setattr", _MOUNT_SETATTR, mount_fd, _path(path), flags, *_sized(attributes))


def openat2(path: PathLike, flags: int, mode: int = 0, *, dir_fd: int = AT_FDCWD, resolve: int = 0) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    return _system_call("openat2", _OPENAT2, dir_fd, _path(path), *_sized(how))


def prctl(option: int, argument: int = 0, second: int = 0) -> int:
    longs = [ctypes.c_ulong(value) for value in (argument, second, 0, 0)]
    return _libc_call("prctl", option, *longs)


def set_name(name: str) -> None:
    """What ``ps`` shows as this thread's command, 15 bytes at most."""
    _libc_call("prctl", PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def capset(effective: int, permitted: int, inheritable: int = 0) -> None:
    """The calling thread's capabilities, as 64-bit masks."""
    words = [(effective >> s, permitted >> s, inheritable >> s) for s in (0, 32)]
    data = (_CapData * 2)(*(_CapData(*(part & 0xFFFFFFFF for part in word)) for word in words))
    _libc_call("capset", ctypes.byref(_CapHeader(_CAPABILITY_VERSION_3, 0)), data)


def drop_bounding(capability: int) -> None:
    """What is dropped here no program executed later can gain, setuid or not."""
    prctl(PR_CAPBSET_DROP, capability)


def load_seccomp(instructions: Sequence[bytes]) -> None:
    """A classic BPF program of 8-byte instructions; needs CAP_SYS_ADMIN or no-new-privileges."""
    program = _FilterProgram(len(instructions), b"".join(instructions))
    _libc_call("prctl", PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), 0, 0)


def inotify_init1(flags: int = os.O_CLOEXEC | os.O_NONBLOCK) -> int:
    return _libc_call("inotify_init1", flags)


def inotify_add_watch(fd: int, path: PathLike, mask: int) -> int:
    return _libc_call("inotify_add_watch", fd, _path(path), ctypes.c_uint32(mask))


def inotify_rm_watch(fd: int, watch: int) -> None:
    _libc_call("inotify_rm_watch", fd, watch)
