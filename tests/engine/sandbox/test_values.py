"""The parts of the sandbox room that need no kernel: plans, ids, messages, filters, paths, sudo's words."""

import errno
import json
import os
import struct
from pathlib import Path

import pytest

from mesabox.engine.sandbox import blueprint, environment, identity, interpreter, privileges
from mesabox.engine.sandbox.base import Base
from mesabox.engine.sandbox.channel import Channel, Decoder, encode
from mesabox.engine.sandbox.inside import sudo
from mesabox.engine.sandbox.places import InFolder, Inside
from mesabox.engine.sandbox.values import Limits, SandboxSpec

SPEC = SandboxSpec("box", (Path("/s/two"), Path("/s/one")), Path("/s/upper"), Path("/s/door"), Limits(7, 9))


def test_a_spec_travels_whole():
    assert SandboxSpec.from_message(json.loads(json.dumps(SPEC.as_message()))) == SPEC


@pytest.mark.parametrize(("tier", "userxattr", "fresh_proc"), [("root", False, True), ("noproc", True, False)])
def test_the_plan_says_what_it_builds(tier, userxattr, fresh_proc):
    ground = blueprint.Ground(tier, identity.ids(tier))
    lines = blueprint.describe(SPEC, Base(Path("/c/b")), ground).splitlines()
    assert lines[0] == "overlay / lower=/s/two/root:/s/one/root:/c/b/root upper=/s/upper/root"
    assert "overlay /usr lower=/s/two/usr:/s/one/usr:/c/b/usr:/usr upper=/s/upper/usr" in lines
    assert "bind /s/door /.sprite/run ro" in lines
    assert ("proc /proc" in lines) is fresh_proc
    devices = [line.split("/dev/")[1] for line in lines if line.startswith("device ")]
    assert sorted(devices) == ["full", "null", "random", "tty", "urandom", "zero"]
    assert blueprint.root(SPEC, Base(Path("/c/b")), ground).userxattr is userxattr


def test_masks_come_after_what_they_cover():
    ground = blueprint.Ground("root", identity.ids("root"))
    lines = [step.describe() for step in (*blueprint.common(ground), *blueprint.inner(ground))]
    assert lines.index("mask /sys/firmware") > next(i for i, line in enumerate(lines) if line.startswith("sysfs /sys"))
    assert lines.index("mask /proc/kcore") > lines.index("proc /proc") > lines.index("device /dev/null")


def test_ids_are_those_of_the_daemon():
    root = identity.ids("root")
    assert (root.root_uid, root.sprite_uid) == (identity.SHIFT, identity.SHIFT + 1001)
    assert identity.ids("subids").sprite_uid == 1001
    assert identity.ids("single").sprite_uid == 0
    assert identity.ids("none").root_uid == os.getuid()
    assert identity.SUBORDINATE.text == "0 0 1\n1 1 65536\n"
    assert identity.SHIFTED.outside(70_000) == identity.SHIFT


@pytest.mark.parametrize(("tier", "uid"), [("root", "1001"), ("single", "0")])
def test_accounts_name_no_person_of_the_host(tier, uid):
    files = identity.account_files(tier)
    users = [line.split(":") for line in files["passwd"].splitlines()]
    assert users[0][:4] == ["sprite", "x", uid, uid]
    assert all(int(user[2]) < 1000 or int(user[2]) == 65534 for user in users[1:])
    assert "$" not in files["shadow"] and files["shadow"].startswith("sprite:*:")


def test_messages_survive_any_cut():
    stream = encode({"a": 1}) + encode({"b": "ü" * 100}, [5, 6]) + encode({})
    decoder, seen = Decoder(), []
    for index in range(len(stream)):
        fds = [5, 6] if index == len(encode({"a": 1})) else []
        seen += decoder.feed(stream[index : index + 1], fds)
    assert seen == [({"a": 1}, []), ({"b": "ü" * 100}, [5, 6]), ({}, [])]


def test_descriptors_travel_with_long_messages():
    left, right = Channel.pair()
    with open("/dev/null") as null:
        child = os.fork()
        if child == 0:
            left.send({"long": "x" * 1_000_000}, [null.fileno()])
            os._exit(0)
        message, (fd,) = right.receive()
    os.waitpid(child, 0)
    assert len(message["long"]) == 1_000_000
    assert os.fstat(fd).st_rdev == os.makedev(1, 3) and not os.get_inheritable(fd)
    os.close(fd)
    left.close()
    with pytest.raises(EOFError):
        right.receive()
    right.close()


def _decide(program, number, arch=0xC000003E, arguments=(0, 0, 0)):
    """What a filter answers to one call: the kernel's little machine, as far as it is used."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    place = value = 0
    while True:
        code, yes, no, operand = struct.unpack("HBBI", program[place])
        place += 1
        if code == 0x20:
            value = struct.unpack_from("<I", data, operand)[0]
        elif code == 0x54:
            value &= operand
        elif code == 0x06:
            return operand
        else:
            place += yes if (value == operand if code == 0x15 else value >= operand) else no


ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def test_dangerous_calls_are_refused():
    program = privileges.filter_program("x86_64", fake_root=False)
    assert _decide(program, 0) == ALLOW  # read
    assert _decide(program, 92) == ALLOW  # chown
    assert _decide(program, 321) == ERRNO | errno.EPERM  # bpf
    assert _decide(program, 425) == ERRNO | errno.ENOSYS  # io_uring_setup
    assert _decide(program, 0, arch=0x40000003) == ERRNO | errno.ENOSYS  # i386
    assert _decide(program, 0x40000000 | 321) == ERRNO | errno.ENOSYS  # x32


@pytest.mark.parametrize(
    ("kind", "answer"), [(0o020000, ERRNO), (0o060000, ERRNO), (0o010000, ALLOW), (0o100000, ALLOW)]
)
def test_with_one_id_chown_and_devices_are_pretended(kind, answer):
    program = privileges.filter_program("x86_64", fake_root=True)
    assert _decide(program, 92) == ERRNO
    assert _decide(program, 133, arguments=(0, kind | 0o644, 0)) == answer  # mknod
    assert _decide(program, 259, arguments=(0, 0, kind | 0o644)) == answer  # mknodat
    assert _decide(program, 2) == ALLOW


def test_paths_without_isolation_stay_in_the_folder():
    places = InFolder("/s/home")
    assert places.real("/home/sprite/a") == "/s/home/a"
    assert places.real("/home/sprite") == "/s/home"
    assert places.shown("/s/home/a") == "/home/sprite/a"
    assert places.real("/tmp/x") == "/tmp/x"
    for path in ("/etc/passwd", "/home/sprite/../../etc", "/home/spriteful", "/tmp/../root"):
        with pytest.raises(PermissionError):
            places.real(path)
    with pytest.raises(OSError, match="absolute"):
        Inside().real("relative")


def test_the_environment_has_the_tools_first():
    inside = environment.inside("sprite", terminal=True)
    assert inside["PATH"].startswith("/.sprite/bin:") and inside["TERM"] == "xterm-256color"
    assert "TERM" not in environment.inside("root", terminal=False)
    plain = environment.plain("/s/home", "/c/bin", "/s/door", terminal=False)
    assert plain["HOME"] == "/s/home" and plain["MESABOX_DOOR"] == "/s/door/door.sock"


def test_tools_start_on_the_interpreter_beside_them():
    header = interpreter.script_header()
    assert header.startswith("#!") and "/.sprite/python/bin/python3" in header and "-IS" in header
    compile(header + '"""Doc."""\nimport os\n', "tool", "exec")


@pytest.mark.parametrize(
    ("words", "user", "argv"),
    [
        (["id"], "root", ["id"]),
        (["-n", "--", "id", "-u"], "root", ["id", "-u"]),
        (["-nEH", "-u", "sprite", "A=b", "id"], "sprite", ["id"]),
        (["-usprite", "id"], "sprite", ["id"]),
        (["--user=sprite", "--preserve-env", "env", "X=1"], "sprite", ["env", "X=1"]),
        (["-i"], "root", ["/bin/sh", "-l"]),
        (["-s", "echo", "a b"], "root", ["/bin/sh", "-c", "echo 'a b'"]),
    ],
)
def test_sudo_reads_its_words(words, user, argv):
    request = sudo.Request(words)
    assert (request.user, request.command("/bin/sh")) == (user, argv)


def test_sudo_refuses_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as leaving:
        sudo.Request(["-Z", "id"])
    assert leaving.value.code == 1 and "unknown option" in capsys.readouterr().err
