"""The generated root around the host's /usr: what programs need, without anything of the host's own."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from mesabox.engine.sandbox import identity
from mesabox.engine.sandbox.values import Tier

# Taken from the host's /etc where everyone may read it: what makes programs under /usr work, nothing that says who or
# where this machine is, and no settings that may hold a password.
_ETC = (
    "X11", "adduser.conf", "alternatives", "apt/keyrings", "apt/preferences.d", "apt/sources.list",
    "apt/sources.list.d", "apt/trusted.gpg.d", "bash.bashrc", "bash_completion.d", "bindresvport.blacklist",
    "ca-certificates", "ca-certificates.conf", "crypto-policies", "dbus-1",
    "debconf.conf", "debian_version", "deluser.conf", "dpkg", "emacs", "ethertypes", "fonts", "gai.conf",
    "gprofng.rc", "groff", "gss", "host.conf", "inputrc", "issue", "issue.net", "java-11-openjdk",
    "java-17-openjdk", "java-21-openjdk", "java-25-openjdk", "kernel", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "libaudit.conf", "locale.alias", "locale.conf", "locale.gen", "localtime", "login.defs",
    "lsb-release", "magic", "magic.mime", "mailcap", "manpath.config", "maven", "mime.types", "nanorc", "netconfig",
    "networks", "os-release", "pam.conf", "pam.d", "perl", "pki/ca-trust",
    "pki/rpm-gpg", "pki/tls/certs", "profile", "protocols", "python3",
    "redhat-release", "rpc", "security",
    "selinux", "services", "sgml", "shells", "skel", "ssl/certs", "ssl/openssl.cnf", "terminfo",
    "timezone", "tmpfiles.d", "ucf.conf", "vim", "xattr.conf", "xdg", "xml", "zsh",
)  # fmt: skip
_VAR = (
    "cache/debconf", "lib/dpkg", "lib/emacsen-common", "lib/pam", "lib/python", "lib/sgml-base", "lib/ucf",
    "lib/xml-core", "lib/apt/extended_states", "lib/systemd/deb-systemd-helper-enabled",
)  # fmt: skip
_FOLDERS = (
    "boot", "dev", "etc", "etc/apt/apt.conf.d", "etc/sudoers.d", "home", "media", "mnt", "opt", "proc", "run", "srv",
    "sys", "usr", "var/backups", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/lib/misc",
    "var/local", "var/log/apt", "var/opt", "var/spool", ".sprite",
)  # fmt: skip
_CREDENTIALS = re.compile(rb"://[^/\s]*@")
_LOCAL_DEPTH = 5
_LOCAL_FOLDERS = 500

_APT_HINT = """\
DPkg::Pre-Invoke { "echo 'note: /usr is that of the machine, and an engine of an ordinary user cannot change it: \
packages that put files there fail. They work in an engine of root; pip and npm work here, below HOME.' >&2"; };
"""

_SUDOERS = """\
Defaults env_reset
Defaults secure_path="/.sprite/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
"""


def has_own_sudo(tier: Tier) -> bool:
    """The host's setuid sudo works where root's files keep their owner inside."""
    return tier == "root" and Path("/usr/bin/sudo").exists()


class Skeleton:
    """Makes ``root`` and what lies over the host's /usr. Ids are written as the daemon sees them."""

    def __init__(self, root: Path, usr: Path, tier: Tier) -> None:
        self._root, self._usr, self.tier = root, usr, tier
        self.outside = identity.mapping(tier).outside

    def build(self) -> None:
        for part in (self._root, self._usr):
            self._folder(part)
        self._folders()
        self._etc()
        for name in _VAR:
            self._copy(f"var/{name}")
        self._local()

    def _folder(self, path: Path, mode: int = 0o755, *, uid: int = 0, gid: int = 0) -> None:
        for missing in [*reversed([p for p in path.parents if not p.exists()]), path]:
            missing.mkdir(exist_ok=True)
            self._own(missing, 0o755, 0, 0)
        self._own(path, mode, uid, gid)

    def _own(self, path: Path, mode: int | None, uid: int, gid: int) -> None:
        os.chown(path, self.outside(uid), self.outside(gid), follow_symlinks=False)
        if mode is not None:
            path.chmod(mode)

    def _write(self, name: str, text: str, mode: int = 0o644, *, uid: int = 0, gid: int = 0) -> None:
        path = self._root / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        self._own(path, mode, uid, gid)

    def _link(self, name: str, points_to: str) -> None:
        path = self._root / name
        path.symlink_to(points_to)
        self._own(path, None, 0, 0)

    def _copy(self, name: str) -> None:
        copy = _Copy(self.outside)
        source = Path("/", name)
        if os.path.lexists(source):
            target = self._root / name
            self._folder(target.parent)
            copy.entry(source, target)

    def _folders(self) -> None:
        root = self._root
        for name in _FOLDERS:
            self._folder(root / name)
        for name in ("tmp", "var/tmp"):
            self._folder(root / name, 0o1777)
        self._folder(root / "root", 0o700)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if Path("/", name).is_symlink():
                self._link(name, f"usr/{name}")
        self._link("var/run", "/run")
        self._link("var/lock", "/run/lock")

    def _etc(self) -> None:
        for name in _ETC:
            self._copy(f"etc/{name}")
        self._forget_credentials()
        for name, text in identity.account_files(self.tier).items():
            private = "shadow" in name
            self._write(f"etc/{name}", text, 0o640 if private else 0o644)
        self._settings()
        uid = identity.sprite_uid(self.tier)
        # `sed -i /etc/fuse.conf` as sprite, without sudo, is part of preparing a real sprite; sticky keeps the rest.
        self._own(self._root / "etc", 0o1775, 0, uid)
        self._write("etc/fuse.conf", "#user_allow_other\n", uid=uid, gid=uid)
        self._folder(self._root / "home/sprite", uid=uid, gid=uid)
        for source in sorted(Path("/etc/skel").glob(".*")):
            if source.is_file():
                self._write(f"home/sprite/{source.name}", source.read_text(errors="replace"), uid=uid, gid=uid)

    def _forget_credentials(self) -> None:
        """A package source whose URL carries a password is the host's own affair."""
        apt = self._root / "etc/apt"
        for source in (apt / "sources.list", *apt.glob("sources.list.d/*")):
            if source.is_file() and _CREDENTIALS.search(source.read_bytes()):
                source.unlink()

    def _settings(self) -> None:
        self._write("etc/hosts", "127.0.0.1 localhost\n")
        self._write("etc/hostname", "sprite\n")
        self._write("etc/resolv.conf", "nameserver 127.0.0.1\n")
        self._write("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
        self._write("etc/machine-id", "")
        self._write("etc/sudoers.d/sprite", "sprite ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        if has_own_sudo(self.tier):  # absent otherwise, so that installing sudo inside asks no question about it
            self._write("etc/sudoers", _SUDOERS, 0o440)
        if identity.sprite_uid(self.tier) == 0:
            self._write("etc/apt/apt.conf.d/99single-id", 'APT::Sandbox::User "root";\n')
        if self.tier != "root":
            self._write("etc/apt/apt.conf.d/99usr-of-the-host", _APT_HINT)
        self._link("etc/mtab", "/proc/mounts")

    def _local(self) -> None:
        """Folders of /usr/local that belong to the sandbox's root, so that new files can be put there at every tier."""
        for relative in _folders_below("local", _LOCAL_DEPTH, _LOCAL_FOLDERS):
            self._folder(self._usr / relative)
        # Asked by Debian's packages before they start a daemon: there is no service manager here.
        policy = self._usr / "sbin/policy-rc.d"
        self._folder(policy.parent)
        policy.write_text("#!/bin/sh\nexit 101\n")
        self._own(policy, 0o755, 0, 0)


class _Copy:
    """Copies what everyone may read, with owners and modes; the rest is left out."""

    def __init__(self, outside: Callable[[int], int]) -> None:
        self.outside = outside

    def entry(self, source: Path, target: Path) -> None:
        found = source.lstat()
        if stat.S_ISLNK(found.st_mode):
            target.symlink_to(source.readlink())
        elif stat.S_ISDIR(found.st_mode) and found.st_mode & 0o005 == 0o005:
            self._folder(source, target)
        elif stat.S_ISREG(found.st_mode) and found.st_mode & 0o004:
            shutil.copyfile(source, target)
        else:
            return
        os.chown(target, self.outside(found.st_uid), self.outside(found.st_gid), follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            target.chmod(stat.S_IMODE(found.st_mode))

    def _folder(self, source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        with suppress(PermissionError):
            for child in source.iterdir():
                self.entry(child, target / child.name)


def _folders_below(name: str, depth: int, at_most: int) -> Iterable[str]:
    """Folders under /usr, breadth first, as paths relative to it."""
    level, count = [name], 0
    for _ in range(depth):
        below: list[str] = []
        for relative in level:
            yield relative
            count += 1
            if count >= at_most:
                return
            with suppress(OSError), os.scandir(f"/usr/{relative}") as entries:
                below += [f"{relative}/{entry.name}" for entry in entries if entry.is_dir(follow_symlinks=False)]
        level = below
