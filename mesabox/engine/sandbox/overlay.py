"""Overlay file systems as detached mounts: made here, put in place by whoever holds the descriptor."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mesabox.engine.sandbox import syscalls

Layer = Path | int
"""A folder, by path or by an open descriptor of it."""


def overlay(lowers: Sequence[Layer], upper: Layer | None, work: Layer | None, *, userxattr: bool) -> int:
    """The fd of a detached overlay mount: ``lowers`` top first (two at least if there is no ``upper``, and then
    it is read-only).

    ``work`` is an empty folder on the upper's file system. ``userxattr`` is needed in a user namespace: without it a
    folder that was removed and made again fails with EIO. The folders must be reachable in the caller's mount
    namespace. OSError carries the kernel's own words where it gives any; EINVAL mostly means that the upper's file
    system cannot be one (overlayfs itself, NFS).
    """
    with ExitStack() as opened:
        options = [("lowerdir", opened.enter_context(_named(layer))) for layer in lowers]
        if upper is not None and work is not None:
            options.append(("upperdir", opened.enter_context(_named(upper))))
            options.append(("workdir", opened.enter_context(_named(work))))
        flags = ["userxattr"] if userxattr else []
        options.append(("index", "off"))  # with it on, an upper cannot be used again until its last use is synced
        if not userxattr:  # which turns both off by itself: an upper is read as plain files
            options += [("redirect_dir", "off"), ("metacopy", "off")]
        try:
            return _by_fsconfig(options, flags)
        except OSError as error:
            with suppress(OSError):
                return _by_mount(options, flags)
            raise error


def clone(mount_fd: int, *, read_only: bool) -> int:
    """Another detached mount of the same file system, so that one overlay can be given to several sandboxes."""
    copy = syscalls.open_tree("", dir_fd=mount_fd)
    try:
        if read_only:
            syscalls.mount_setattr(copy, set_flags=syscalls.MOUNT_ATTR_RDONLY)
    except OSError:
        os.close(copy)
        raise
    return copy


@contextmanager
def _named(layer: Layer) -> Iterator[str]:
    """A short name without a comma or colon, which is also all that /proc/mounts will show of the host's path."""
    fd = layer if isinstance(layer, int) else os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        if not isinstance(layer, int):
            os.close(fd)


def _by_fsconfig(options: Sequence[tuple[str, str]], flags: Sequence[str]) -> int:
    """Linux 6.8 and later, which know ``lowerdir+``."""
    fs = syscalls.fsopen("overlay")
    try:
        syscalls.fsconfig_string(fs, "source", "overlay")
        for key, value in options:
            syscalls.fsconfig_string(fs, "lowerdir+" if key == "lowerdir" else key, value)
        for flag in flags:
            syscalls.fsconfig_flag(fs, flag)
        syscalls.fsconfig_create(fs)
        return syscalls.fsmount(fs)
    except OSError as error:
        raise OSError(error.errno, _kernel_words(fs) or error.strerror) from error
    finally:
        os.close(fs)


def _by_mount(options: Sequence[tuple[str, str]], flags: Sequence[str]) -> int:
    """Older kernels: mounted on a folder of its own, copied as a detached mount, and taken away again."""
    lowers = ":".join(value for key, value in options if key == "lowerdir")
    rest = [f"{key}={value}" for key, value in options if key != "lowerdir"]
    with tempfile.TemporaryDirectory(prefix="overlay-") as place:
        syscalls.mount("overlay", place, "overlay", 0, ",".join([f"lowerdir={lowers}", *rest, *flags]))
        try:
            return syscalls.open_tree(place)
        finally:
            syscalls.umount2(place, syscalls.MNT_DETACH)


def _kernel_words(fs: int) -> str:
    """The lines the kernel left in a configuration's log, such as ``overlay: upper fs is not supported``."""
    lines = []
    with suppress(OSError):
        while line := os.read(fs, 4096):
            lines.append(line.decode(errors="replace").strip().removeprefix("e "))
    return "; ".join(lines)
