"""Stories of mounts that come and go in a living sandbox. Played by ``stage.py``."""

import asyncio
import os

MOUNT = "/home/sprite/.local/share/mesa/mnt/org/repo"


async def both_see_each_others_edits(stage):
    one, two = await stage.sandbox("one", upper="one"), await stage.sandbox("two", upper="two")
    fd = _overlay(stage)
    for sandbox in (one, two):
        await _place(stage, sandbox, fd)
    assert (await stage.run(one, "cat", f"{MOUNT}/given")).out == "words"
    assert (await stage.shell(one, f"echo mine > {MOUNT}/made; ls -ld {MOUNT}")).code == 0
    assert (await stage.run(two, "cat", f"{MOUNT}/made")).out == "mine\n"
    assert (stage.home / "edits/made").read_text() == "mine\n"
    await one.stop()
    assert (await stage.run(two, "cat", f"{MOUNT}/made")).out == "mine\n"
    await two.remove_mount(MOUNT)
    await two.remove_mount(MOUNT)
    assert (await stage.run(two, "ls", MOUNT)).out == ""
    await two.stop()


async def a_stale_mount_is_replaced(stage):
    sandbox = await stage.sandbox()
    for _ in range(2):
        fd = _overlay(stage)
        await _place(stage, sandbox, fd)
        os.close(fd)
    lines = await stage.shell(sandbox, "cat /proc/self/mounts")
    assert lines.out.count(MOUNT) == 1
    await sandbox.stop()


async def read_only_stays_so(stage):
    sandbox = await stage.sandbox()
    fd = _overlay(stage)
    await _place(stage, sandbox, fd, read_only=True)
    again = f"mount -o remount,rw {MOUNT}; umount {MOUNT}; umount -l {MOUNT}; unshare -Urm umount {MOUNT}"
    script = (
        f"echo x > {MOUNT}/x; {again}; unshare -Urm mount -o remount,bind,rw {MOUNT}; echo x > {MOUNT}/x; ls {MOUNT}"
    )
    done = await stage.shell(sandbox, script, user="root")
    assert done.out == "given\n", done
    assert done.err.count("Read-only file system") == 2, done
    await sandbox.stop()


async def writers_end_when_it_becomes_read_only(stage):
    sandbox = await stage.sandbox()
    await _place(stage, sandbox, _overlay(stage))
    writer = await sandbox.spawn(["sh", "-c", f"exec 3> {MOUNT}/open; echo on; exec sleep 60"], env={}, stdin=False)
    reader = await sandbox.spawn(["sh", "-c", f"exec 3< {MOUNT}/given; exec sleep 60"], env={}, stdin=False)
    await asyncio.sleep(0.3)
    await sandbox.make_read_only(MOUNT)
    assert await asyncio.wait_for(writer.wait(), 2) == 137
    assert (await stage.shell(sandbox, f"echo x > {MOUNT}/x")).code != 0
    assert (await stage.run(sandbox, "cat", f"{MOUNT}/given")).out == "words"
    assert await sandbox.processes() == 1
    reader.close()
    writer.close()
    await sandbox.stop()


def _overlay(stage):
    from mesabox.engine.sandbox.overlay import overlay

    ids = stage.host.ids
    folders = [stage.home / name for name in ("checkout", "edits", "work")]
    for folder in folders:
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, ids.sprite_uid, ids.sprite_gid)
    (folders[0] / "given").write_text("words")
    os.chown(folders[0] / "given", ids.sprite_uid, ids.sprite_gid)
    return overlay([folders[0]], folders[1], folders[2], userxattr=stage.host.userxattr)


async def _place(stage, sandbox, fd, read_only=False):
    from mesabox.engine.sandbox.overlay import clone

    copy = clone(fd, read_only=read_only)
    await sandbox.place_mount(copy, MOUNT, read_only=read_only)
    os.close(copy)


async def renaming_the_folders_above_keeps_nothing(stage):
    sandbox = await stage.sandbox()
    await _place(stage, sandbox, _overlay(stage))
    await stage.shell(sandbox, f"mv ~/.local ~/kept; mkdir -p {MOUNT}")
    kept = MOUNT.replace(".local", "kept")
    assert (await stage.shell(sandbox, f"echo x > {kept}/x")).code == 0
    await sandbox.make_read_only(MOUNT)
    assert (await stage.shell(sandbox, f"echo y > {kept}/y")).code != 0
    await sandbox.remove_mount(MOUNT)
    assert (await stage.run(sandbox, "ls", kept)).out == ""
    await sandbox.stop()
