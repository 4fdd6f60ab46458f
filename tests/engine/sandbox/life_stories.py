"""Stories of a sandbox's life: commands, signals, terminals, files, the end. Played by ``stage.py``."""

import asyncio
import contextlib
import errno
import os
import signal
import time

from stage import ready


async def commands_and_exit_codes(stage):
    sandbox = await stage.sandbox()
    done = await stage.shell(sandbox, "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    assert (await stage.shell(sandbox, "kill -TERM $$")).code == 143
    process = await sandbox.spawn(["sh", "-c", "echo $$; read x"], env={})
    await ready(process.stdout)
    assert os.read(process.stdout, 100).decode() == f"{process.pid}\n"
    process.close()
    assert (await stage.run(sandbox, "pwd", cwd="/tmp")).out == "/tmp\n"
    assert (await stage.run(sandbox, "printenv", "WORD", env={"WORD": "x"})).out == "x\n"
    long = "a" * 100_000
    assert (await stage.run(sandbox, "echo", long)).out == long + "\n"
    answers = await asyncio.gather(*(stage.run(sandbox, "echo", str(n)) for n in range(50)))
    assert [answer.out for answer in answers] == [f"{n}\n" for n in range(50)]
    await sandbox.stop()


async def cannot_start(stage):
    from mesabox.engine.sandbox.host import CannotStart

    sandbox = await stage.sandbox()
    for argv, cwd, code in (
        (["no-such-program"], None, 127),
        (["/no/such"], None, 127),
        (["/tmp"], None, 126),
        (["true"], "/tmp/absent", 127),
        (["/etc/passwd"], None, 126),
    ):
        try:
            await sandbox.spawn(argv, env={}, cwd=cwd)
        except CannotStart as error:
            assert error.exit_code == code, (argv, error)
        else:
            raise AssertionError(argv)
    await sandbox.stop()


async def stdin_reaches_the_command_whole(stage):
    sandbox = await stage.sandbox()
    data = os.urandom(3_000_000).hex().encode()
    done = await stage.run(sandbox, "cat", data=data)
    assert done.out.encode() == data
    assert (await stage.run(sandbox, "cat")).out == ""
    await sandbox.stop()


async def signals_reach_the_group(stage):
    sandbox = await stage.sandbox()
    process = await sandbox.spawn(["sh", "-c", "sleep 60 & wait"], env={}, stdin=False)
    process.signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 143
    process.close()
    await sandbox.stop()


async def a_terminal(stage):
    sandbox = await stage.sandbox()
    process = await sandbox.spawn(["sh", "-c", "stty size; read x; stty size; tty </dev/tty"], env={}, tty=(30, 90))
    assert process.terminal is not None and process.stdout is None
    out = await until_seen(process.terminal, "30 90")
    process.resize(40, 100)
    os.write(process.terminal, b"\n")
    assert await process.wait() == 0
    out += await until_seen(process.terminal, "/dev/")
    assert "40 100" in out
    process.close()
    sleeper = await sandbox.spawn(["cat"], env={}, tty=(24, 80))
    os.write(sleeper.terminal, b"on\n")
    await until_seen(sleeper.terminal, "on\r\non")
    os.write(sleeper.terminal, b"\x03")
    assert await asyncio.wait_for(sleeper.wait(), 5) == 130
    sleeper.close()
    await sandbox.stop()


async def until_seen(terminal, word):
    out, deadline = "", time.monotonic() + 5
    while word not in out and time.monotonic() < deadline:
        try:
            out += os.read(terminal, 4096).decode()
        except BlockingIOError:
            await asyncio.sleep(0.01)
        except OSError:
            break
    assert word in out, out
    return out


async def files(stage):
    sandbox = await stage.sandbox()

    async def op(name, **arguments):
        return await sandbox.file_op(name, user="sprite", **arguments)

    home = "/home/sprite"
    await op("mkdirs", path=f"{home}/a/b")
    fd = await sandbox.open_file(f"{home}/a/f", os.O_WRONLY | os.O_CREAT, 0o640, user="sprite")
    os.write(fd, b"words")
    os.close(fd)
    (entry,) = await op("list", path=f"{home}/a/f")
    assert (entry["type"], entry["size"], entry["mode"], entry["isDir"]) == ("file", 5, "0640", False)
    assert [e["name"] for e in await op("list", path=f"{home}/a")] == ["b", "f"]
    copied = await op("copy", source=f"{home}/a", dest=f"{home}/c", recursive=True)
    assert copied["totalBytes"] == 5 and {"source": f"{home}/a/f", "dest": f"{home}/c/f"} in copied["copied"]
    assert await op("chmod", path=f"{home}/c/f", mode=0o600) == [{"path": f"{home}/c/f", "mode": "0600"}]
    await op("rename", source=f"{home}/c/f", dest=f"{home}/c/g")
    assert await op("delete", path=f"{home}/c", recursive=True) == [f"{home}/c"]
    for number, name, arguments in (
        (errno.ENOENT, "list", {"path": f"{home}/absent"}),
        (errno.ENOTEMPTY, "delete", {"path": f"{home}/a"}),
        (errno.EISDIR, "copy", {"source": f"{home}/a", "dest": f"{home}/z"}),
    ):
        try:
            await op(name, **arguments)
        except OSError as error:
            assert error.errno == number, (name, error)
        else:
            raise AssertionError(name)
    await sandbox.stop()


async def special_files_do_not_hang(stage):
    sandbox = await stage.sandbox()
    await stage.shell(sandbox, "mkfifo ~/fifo; ln -s loop ~/loop; mkdir -p ~/deep/$(printf 'd/%.0s' $(seq 500))")
    for path in ("fifo", "loop"):
        for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT):
            try:
                await asyncio.wait_for(sandbox.open_file(f"/home/sprite/{path}", flags, user="sprite"), 2)
            except OSError:
                continue
            raise AssertionError(path)
    try:
        await asyncio.wait_for(sandbox.file_op("copy", user="sprite", source="/home/sprite/fifo", dest="/tmp/x"), 2)
    except OSError as error:
        assert error.errno == errno.EINVAL
    assert len(await sandbox.file_op("list", user="sprite", path="/home/sprite/deep", recursive=True)) == 500
    assert (await stage.run(sandbox, "true")).code == 0
    await sandbox.stop()


async def daemons_count_and_die(stage):
    sandbox = await stage.sandbox()
    assert await sandbox.processes() == 0
    done = await stage.shell(sandbox, "setsid sleep 61 >/dev/null 2>&1 & echo started")
    assert done.out == "started\n"
    assert await sandbox.processes() == 1
    await sandbox.stop()
    assert sandbox.died.done()
    assert not _alive("sleep\x0061")


def _alive(words):
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as line:
                found += [pid] if words in line.read() else []
        except OSError:
            continue
    return found


async def a_cancelled_spawn_leaves_nothing(stage):
    sandbox = await stage.sandbox()
    for _ in range(5):
        starting = asyncio.create_task(sandbox.spawn(["sleep", "62"], env={}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            (await starting).close()
    await asyncio.sleep(0.3)
    assert await sandbox.processes() == 0
    await sandbox.stop()


async def identity_and_home(stage):
    sandbox = await stage.sandbox("lively-name")
    script = "whoami; pwd; echo $HOME; hostname; touch ~/x /tmp/x /usr/local/x 2>&1 && echo written"
    done = await stage.shell(sandbox, script, user="sprite")
    expected = ["sprite", "/home/sprite", "/home/sprite", "lively-name"]
    assert done.out.splitlines()[:4] == expected, done
    done = await stage.shell(sandbox, "id -u; touch /usr/local/y /etc/y /opt/y /var/y && echo written", user="root")
    assert done.out.splitlines() == ["0", "written"], done
    assert (await stage.shell(sandbox, "echo $PATH")).out.startswith("/.sprite/bin:")
    if stage.host.tier != "noproc":
        assert (await stage.shell(sandbox, "echo x > /dev/stdout")).out == "x\n"
    await sandbox.stop()


async def disk_is_kept(stage):
    for text in ("one", "two"):
        sandbox = await stage.sandbox()
        await stage.shell(sandbox, f"echo {text} >> ~/kept; echo {text} >> /etc/kept", user="root", cwd="/home/sprite")
        seen = await stage.shell(sandbox, "cat /root/kept /etc/kept")
        await sandbox.stop()
    sandbox = await stage.sandbox()
    seen = await stage.shell(sandbox, "cat ~/kept /etc/kept", user="root")
    assert seen.out.split() == ["one", "two"] * 2, seen
    await sandbox.stop()


async def layers_lie_under_the_upper(stage):
    sandbox = await stage.sandbox(upper="first")
    await stage.shell(sandbox, "echo old > ~/f; mkdir ~/d; echo x > ~/d/x")
    await sandbox.stop()
    sandbox = await stage.sandbox(layers=(stage.home / "first",), upper="second")
    await stage.shell(sandbox, "echo new >> ~/f; rm -r ~/d; mkdir ~/d")
    assert (await stage.shell(sandbox, "cat ~/f; ls ~/d")).out == "old\nnew\n"
    await sandbox.stop()
    sandbox = await stage.sandbox(layers=(stage.home / "first",), upper="third")
    assert (await stage.shell(sandbox, "cat ~/f ~/d/x")).out == "old\nx\n"
    await sandbox.stop()


async def frozen_processes_stand_still(stage):
    sandbox = await stage.sandbox()
    script = "i=0; while :; do i=$((i+1)); echo $i > ~/i; sleep 0.01; done"
    process = await sandbox.spawn(["sh", "-c", script], env={}, stdin=False)
    root = stage.home / "upper" / ("" if stage.host.tier == "none" else "root")

    async def moves():
        await asyncio.sleep(0.1)
        seen = (root / "home/sprite/i").stat().st_mtime_ns
        await asyncio.sleep(0.2)
        return (root / "home/sprite/i").stat().st_mtime_ns != seen

    assert await moves()
    await sandbox.freeze()
    assert not await moves()
    await sandbox.thaw()
    assert await moves()
    process.close()
    await sandbox.stop()


async def death_is_noticed(stage):
    from mesabox.engine.sandbox.host import SandboxGone

    sandbox = await stage.sandbox()
    process = await sandbox.spawn(["sleep", "60"], env={}, stdin=False)
    await stage.shell(sandbox, "kill -9 1; kill -TERM 1; kill -9 -1", user="root")
    assert not sandbox.died.done() and await process.wait() == 137
    signal.pidfd_send_signal(sandbox._first, signal.SIGKILL)
    await asyncio.wait_for(sandbox.died, 3)
    try:
        await sandbox.spawn(["true"], env={})
    except SandboxGone:
        pass
    else:
        raise AssertionError("spawned in a dead sandbox")
    process.close()


async def the_zygote_takes_all_along(stage):
    sandbox = await stage.sandbox()
    process = await sandbox.spawn(["sleep", "63"], env={}, stdin=False)
    await stage.host.close()
    await asyncio.wait_for(sandbox.died, 5)
    assert await process.wait() == 137
    process.close()
    assert not _alive("sleep\x0063")


async def processes_are_bounded(stage):
    from mesabox.engine.sandbox.host import Limits

    sandbox = await stage.sandbox(limits=Limits(pids=40))
    script = """if True:
        import os, time
        try:
            for count in range(200):
                os.fork() or (os.close(1), os.close(2), time.sleep(60))
        except OSError:
            print(count)
    """
    done = await stage.run(sandbox, "/.sprite/python/bin/python3", "-IS", "-c", script)
    assert int(done.out) < 60, done
    await sandbox.stop()


async def preparing_fuse_needs_no_sudo(stage):
    sandbox = await stage.sandbox()
    script = (
        "sed -i 's/^#user_allow_other/user_allow_other/' /etc/fuse.conf && chmod 666 /dev/fuse && cat /etc/fuse.conf"
    )
    done = await stage.shell(sandbox, script)
    assert (done.code, done.out) == (0, "user_allow_other\n"), done
    await sandbox.stop()


async def sudo_runs_as_root(stage):
    import json
    import socket

    from mesabox.engine.sandbox.channel import receive_some

    sandbox = await stage.sandbox()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(stage.home / "door/door.sock"))
        os.chmod(stage.home / "door/door.sock", 0o666)
        door.listen()
        door.setblocking(False)
        running = asyncio.create_task(
            stage.shell(sandbox, "echo words | sudo -n A=b sh -c 'id -u; echo $A; cat; exit 5'")
        )
        if (await stage.shell(sandbox, "id -u")).out != "0\n":
            visitor, _ = await asyncio.get_running_loop().sock_accept(door)
            await asyncio.sleep(0.1)
            data, fds = receive_some(visitor)
            asked = json.loads(data)
            process = await sandbox.spawn(
                asked["argv"], env=asked["env"], cwd=asked["cwd"], user="root", fds=tuple(fds)
            )
            for fd in fds:
                os.close(fd)
            answer = {"ok": True, "exit_code": await process.wait()}
            visitor.sendall(json.dumps(answer).encode() + b"\n")
            visitor.close()
        done = await running
    assert (done.code, done.out) == (5, "0\nb\nwords\n"), done
    await sandbox.stop()


async def memory_is_bounded(stage):
    from mesabox.engine.sandbox.host import Limits

    sandbox = await stage.sandbox(limits=Limits(memory=256 << 20))
    program = "import sys; a = bytearray(1 << 20); print('small'); b = bytearray(400 << 20); print('big')"
    done = await stage.run(sandbox, "python3", "-c", program)
    assert done.code != 0 and "big" not in done.out, done
    await sandbox.stop()


async def odd_requests_are_refused_and_nothing_else(stage):
    from mesabox.engine.sandbox.host import CannotStart

    sandbox = await stage.sandbox()
    for path in ("/tmp/a\0b", "/tmp/\ud800", "relative"):
        for asking in (
            sandbox.open_file(path, os.O_RDONLY, user="sprite"),
            sandbox.file_op("stat", user="sprite", path=path),
        ):
            with contextlib.suppress(OSError):
                await asking
                raise AssertionError(path)
    for argv, env in (([], {}), (["a\0b"], {}), (["true"], {"a=b": "c"}), (["true"], {"a": "b\0"})):
        with contextlib.suppress(CannotStart):
            (await sandbox.spawn(argv, env=env)).close()
            raise AssertionError((argv, env))
    assert (await stage.run(sandbox, "true")).code == 0
    await sandbox.stop()


async def a_cancelled_create_leaves_nothing(stage):
    await (await stage.sandbox()).stop()
    before = sorted(os.listdir("/proc/self/fd"))
    for delay in (0, 0.001, 0.005):
        creating = asyncio.create_task(stage.sandbox(upper=f"u{delay}"))
        await asyncio.sleep(delay)
        creating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await creating).stop()
    deadline = time.monotonic() + 5
    while sorted(os.listdir("/proc/self/fd")) != before and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert sorted(os.listdir("/proc/self/fd")) == before


async def one_that_ends_while_it_is_born_ends_whole(stage):
    """The second spawner still joins when the first has gone: held there, it must not be forgotten."""
    for _ in range(20):
        sandbox = await stage.sandbox()
        spawner = sandbox._alive[-1]
        signal.pidfd_send_signal(spawner, signal.SIGSTOP)
        sandbox.kill()
        await ready(sandbox._alive[1])
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(spawner, signal.SIGCONT)
        await asyncio.wait_for(asyncio.shield(sandbox.died), 10)
