"""What a sprite, its root included, can see and reach of the machine and of other sprites: nothing of theirs."""

import os
import socket
import threading

import pytest


@pytest.fixture(scope="module")
def sprite(home, tmp_path_factory):
    from tests.conftest import Terminal, environment_of

    mesabox = Terminal(tmp_path_factory.mktemp("walls"), environment_of(home))
    mesabox("sprite", "up", "walls")
    yield lambda script, user="sprite": _inside(mesabox, script, user)
    mesabox("down", "walls")


def _inside(mesabox, script, user):
    words = ["sh", "-c", script] if user == "sprite" else ["sudo", "sh", "-c", script]
    done = mesabox("run", "walls", "-q", "--", *words, ok=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


_KNOCK = (
    "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3);"
    ' s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n"); sys.exit(0 if s.recv(9) else 1)'
)
USERS = pytest.mark.parametrize("user", ["sprite", "root"])


@USERS
def test_the_hosts_files_are_not_there(sprite, user, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text("the host's own")
    for path in (canary, "/root/.bashrc", os.path.expanduser("~/.ssh"), "/etc/ssh", __file__):
        code, said = sprite(f"cat '{path}' || ls '{path}'", user)
        assert code != 0 and "the host's own" not in said, (path, said)
    _, said = sprite("ls /home /mnt /media /srv /opt /work 2>/dev/null; cat /etc/shadow 2>/dev/null", user)
    assert "work" not in said.split()
    with open("/etc/shadow" if os.getuid() == 0 else "/etc/passwd") as file:
        hashes = [line.split(":")[1] for line in file if len(line.split(":")[1]) > 4]
    assert not any(one in said for one in hashes)


@USERS
def test_the_hosts_processes_and_environment_are_not_there(sprite, user):
    _, said = sprite("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; ls /proc", user)
    assert "mesabox.engine" not in said and "pytest" not in said and "MESABOX" not in said
    assert str(os.getpid()) not in said.split()


@USERS
def test_the_hosts_loopback_and_the_engine_are_not_reached(sprite, user, engine_env):
    port = int(engine_env["SPRITES_API_URL"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as ours:
        threading.Thread(target=lambda: ours.accept(), daemon=True).start()
        for target in (port, ours.getsockname()[1]):
            for address in ("127.0.0.1", "localhost", "10.0.2.2", "169.254.169.254", socket.gethostname()):
                code, said = sprite(f"python3 -c '{_KNOCK}' {address} {target}", user)
                assert code != 0, (address, target, said)


@USERS
def test_the_engines_token_is_nowhere(sprite, user, engine_env):
    token = engine_env["SPRITES_TOKEN"]
    _, said = sprite("env; cat /proc/*/environ /.sprite/run/* /etc/* /proc/self/mountinfo 2>/dev/null", user)
    assert token not in said and engine_env["MESA_API_KEY"] not in said


@USERS
def test_only_harmless_devices_and_no_way_to_make_others(sprite, user):
    _, said = sprite("find /dev -type b; find /dev -type c -printf '%f\\n'", user)
    names = {line for line in said.split() if not line.startswith(("/", "find:"))}
    assert names <= {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "fuse", "console"} | {
        str(number) for number in range(64)
    }, names
    code, _ = sprite("mknod /tmp/disk b 254 0 && head -c 512 /tmp/disk >/dev/null", user)
    assert code != 0


def test_root_cannot_undo_its_walls(sprite):
    for script in (
        "mount -t proc proc /mnt",
        "umount /proc/sys",
        "mount -o remount,rw /sys",
        "echo core > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "ip link set lo down",
        "dmesg",
        "nsenter -t 1 -m true",
        "chroot /proc/1/root ls /work",
        "unshare -Ur mount -t overlay none -o lowerdir=/,upperdir=/tmp/u,workdir=/tmp/w /mnt; false",
        "head -c 1 /dev/mem",
        'python3 -c "import ctypes;exit(0 if ctypes.CDLL(None).syscall(246,0,0,0,0)==0 else 1)"',
    ):
        code, said = sprite(script, "root")
        assert code != 0, (script, said)


def test_another_sprite_is_not_seen(sprite, mesabox):
    mesabox("sprite", "up", "neighbour")
    mesabox("run", "neighbour", "--", "sh", "-c", "echo mine > /tmp/secret; (sleep 987 &)")
    for user in ("sprite", "root"):
        _, said = sprite(
            "ps ax 2>/dev/null; cat /proc/*/cmdline 2>/dev/null; cat /tmp/secret; find / -xdev -name secret", user
        )
        assert "987" not in said and "mine" not in said
    mesabox("down", "neighbour")


def test_a_bad_token_opens_nothing(engine_env):
    import httpx

    base = engine_env["SPRITES_API_URL"]
    for path in (
        "/v1/sprites",
        "/v1/sprites/walls/fs/read?path=/etc/passwd",
        "/_engine/status",
        "/mesa/v1/whoami",
        "/x",
    ):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": engine_env["SPRITES_TOKEN"]}):
            assert httpx.get(base + path, headers=headers).status_code == 401, path
    right = {"Authorization": f"Bearer {engine_env['SPRITES_TOKEN']}"}
    assert httpx.get(base + "/v1/sprites", headers={**right, "Host": "evil.example"}).status_code == 403
    assert httpx.get(base + "/mesa/v1/whoami", headers=right).status_code == 401


def test_the_engines_files_are_private(home):
    for folder, names, files in os.walk(home / "mesabox"):
        if "base" in folder or "layers" in folder or "checkout" in folder:
            continue
        assert os.stat(folder).st_mode & 0o077 == 0 or "run" in folder or "cache" in folder, folder
        for name in files:
            if name.endswith((".json", ".log", ".db", ".toml", ".ndjson", "lock")):
                assert os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0, (folder, name)
        names[:] = [name for name in names if name not in ("base", "layers", "repos", "upper", "work", "files")]
