"""Stories of overlays. Played by ``stage.py``."""

import os

from mesabox.engine.sandbox import overlay as overlays
from mesabox.engine.sandbox import syscalls


async def both_ways_make_the_same(stage):
    folders = {name: stage.home / name for name in ("one", "two", "upper", "work", "at")}
    for folder in folders.values():
        folder.mkdir()
    (folders["one"] / "f").write_text("one")
    (folders["two"] / "f").write_text("two")
    (folders["two"] / "g").write_text("two")
    by_fsconfig = overlays._by_fsconfig
    for way in (by_fsconfig, _refused):
        overlays._by_fsconfig = way
        fd = overlays.overlay(
            [folders["one"], folders["two"]], folders["upper"], folders["work"], userxattr=stage.host.userxattr
        )
        copy = overlays.clone(fd, read_only=True)
        for mount, writable in ((fd, True), (copy, False)):
            syscalls.move_mount(mount, folders["at"])
            assert [(folders["at"] / name).read_text() for name in "fg"] == ["one", "two"]
            try:
                (folders["at"] / "new").write_text("new")
            except OSError:
                assert not writable
            else:
                assert writable and (folders["upper"] / "new").exists()
            syscalls.umount2(folders["at"], syscalls.MNT_DETACH)
            os.close(mount)


def _refused(options, flags):
    raise OSError(22, "an older kernel")


async def an_upper_on_an_overlay_is_refused_in_words(stage):
    for name in ("low", "up", "work", "at"):
        (stage.home / name).mkdir()
    fd = overlays.overlay([stage.home / "low"], stage.home / "up", stage.home / "work", userxattr=stage.host.userxattr)
    syscalls.move_mount(fd, stage.home / "at")
    for name in ("u", "w"):
        (stage.home / "at" / name).mkdir()
    try:
        at = stage.home / "at"
        overlays.overlay([stage.home / "low"], at / "u", at / "w", userxattr=stage.host.userxattr)
    except OSError as error:
        assert "not supported as upperdir" in (error.strerror or "") or error.errno == 22
    else:
        raise AssertionError("an overlay on an overlay")
    os.close(fd)
