"""Stories of what a sprite tries and must not get. Played by ``stage.py``."""

import asyncio
import os
import socket
import subprocess
import sys
import time


async def the_host_cannot_be_seen(stage):
    secret = stage.home / "secret"
    secret.write_text("host's own words")
    sandbox = await stage.sandbox()
    for user in ("sprite", "root"):
        seen = await stage.shell(sandbox, "ls -A /root /home /srv /opt /mnt; cat /etc/shadow", user=user)
        assert "ssh" not in seen.out and "$" not in seen.out, seen
        assert set(seen.out.split("/home:")[1].split("\n\n")[0].split()) == {"sprite"}, seen
        assert (await stage.shell(sandbox, f"cat {secret}; ls {stage.home}", user=user)).out == ""
        names = await stage.shell(sandbox, "cut -d: -f1,3 /etc/passwd", user=user)
        people = [line for line in names.out.split() if 1000 <= int(line.split(":")[1]) < 65534]
        assert people in ([], ["sprite:1001"])
    await sandbox.stop()


async def nothing_of_the_engine_is_visible(stage):
    os.environ["MESABOX_TEST_SECRET"] = "of-the-daemon"
    sandbox = await stage.sandbox()
    script = "cat /proc/*/environ /proc/*/cmdline /proc/1/maps /proc/1/mem 2>/dev/null; ls /proc/1/fd /proc/1/root 2>&1"
    for user in ("sprite", "root"):
        done = await stage.shell(sandbox, script, user=user)
        assert "of-the-daemon" not in done.out and str(stage.home) not in done.out, done
        mounts = await stage.shell(sandbox, "cat /proc/self/mounts /proc/self/mountinfo", user=user)
        assert str(stage.home / "upper") not in mounts.out
        fds = await stage.shell(sandbox, "ls /proc/self/fd", user=user)
        assert fds.out.split() in (["0", "1", "2", "3"], []), fds  # 3 is the listing's own
    await sandbox.stop()


async def root_inside_is_bounded(stage):
    sandbox = await stage.sandbox()
    attempts = [
        "mount -t tmpfs none /mnt",
        "umount /proc/sys",
        "umount -l /dev",
        "mount -o remount,rw /sys",
        "echo x > /proc/sys/kernel/hostname",
        "echo c > /proc/sysrq-trigger",
        "hostname other",
        "ip link set lo down",
        "ip route add 1.2.3.4/32 dev lo",
        "dmesg",
        "kill -9 1 && ! kill -0 1",
        "chroot / mount -t proc none /mnt",
        "cat /proc/kcore | head -c1 | grep .",
        "date -s 2001-01-01",
    ]
    for attempt in attempts:
        assert (await stage.shell(sandbox, f"{attempt} >/dev/null 2>&1", user="root")).code != 0, attempt
    disk = "mknod /root/disk b 254 0 && head -c1 /root/disk | grep -q ."
    assert (await stage.shell(sandbox, f"{disk} 2>/dev/null", user="root")).code != 0
    program = (
        "import ctypes; l=ctypes.CDLL(None,use_errno=True); print([l.syscall(n,0,0,0,0,0) for n in (321,250,298)])"
    )
    if os.uname().machine == "x86_64":
        done = await stage.run(sandbox, "python3", "-c", program, user="root")
        assert done.out == "[-1, -1, -1]\n", done
    await sandbox.stop()


async def devices_are_the_harmless_ones(stage):
    sandbox = await stage.sandbox()
    done = await stage.shell(sandbox, "find /dev -type c -o -type b | sort", user="root")
    usual = {f"/dev/{name}" for name in ("full", "fuse", "null", "random", "tty", "urandom", "zero", "pts/ptmx")}
    assert set(done.out.split()) <= usual, done
    await sandbox.stop()


async def loopback_is_its_own(stage):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        sandbox = await stage.sandbox()
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        done = await stage.run(sandbox, "python3", "-c", program)
        assert "refused" in done.err, done
        inside = await sandbox.network_socket(socket.AF_INET, socket.SOCK_STREAM)
        inside.bind(("127.0.0.1", port))
        inside.listen()
        assert (await stage.run(sandbox, "python3", "-c", program)).code == 0
        inside.close()
        await sandbox.stop()


async def sprites_do_not_meet(stage):
    one, two = await stage.sandbox("one", upper="one"), await stage.sandbox("two", upper="two")
    sleeper = await one.spawn(["sleep", "64"], env={}, stdin=False)
    seen = await stage.shell(two, "cat /proc/*/cmdline | tr '\\0' ' '; ls /tmp /home", user="root")
    assert "sleep 64" not in seen.out
    await stage.shell(two, "kill -9 -1", user="root")
    assert await one.processes() == 1
    sleeper.close()
    await one.stop()
    await two.stop()


async def a_killed_engine_leaves_nothing(stage):
    """A second engine, killed with SIGKILL while its sandbox works: no process and no mount is left."""
    script = f"""if True:
        import asyncio, sys
        sys.path.insert(0, {str(os.path.dirname(__file__))!r})
        import stage
        from mesabox.engine.sandbox import trial
        trial.best_tier = lambda cache: {"root" if stage.host.tier == "root" else "single"!r}
        async def main():
            from pathlib import Path
            made = stage.Stage(host, Path({str(stage.home)!r}))
            sandbox = await made.sandbox(upper="killed")
            await sandbox.spawn(["sh", "-c", "setsid sleep 65 & exec sleep 65"], env={{}}, stdin=False)
            await asyncio.sleep(0.2)
            print("up", flush=True)
            await asyncio.sleep(60)
        from pathlib import Path
        host = stage.SandboxHost.launch("auto", Path({str(stage.home / "cache")!r}), {{}})
        asyncio.run(main())
    """
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert await asyncio.to_thread(engine.stdout.readline) == "up\n"
    assert _running("sleep\x0065")
    engine.kill()
    engine.wait()
    deadline = time.monotonic() + 3
    while _running("sleep\x0065") and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not _running("sleep\x0065")
    with open("/proc/self/mountinfo") as mounts:
        assert "/killed" not in mounts.read()


def _running(words):
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as line:
                found += [pid] if words in line.read() else []
        except OSError:
            continue
    return found
