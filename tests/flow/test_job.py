"""A command that outlives its connections: nothing missing, nothing twice, either way; in each shell there is."""

import asyncio
import itertools
import random
import shutil
import subprocess

import pytest

from mesabox.clients.base import no_tail
from mesabox.errors import Failed, NotFound, OutcomeUnknown, TryLater
from mesabox.flow.running import job
from mesabox.flow.running.command import Command
from mesabox.flow.running.job import Job, JobSpec, install
from mesabox.flow.running.marks import Marks
from tests.flow.here import Here, MuteAtFirst


@pytest.fixture
async def here(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    here = Here(home)
    await install(here, "s")
    here.ran.clear()
    yield here
    subprocess.run(["pkill", "-KILL", "-f", f"{home}/.local"], env={"PATH": "/usr/bin:/bin"})


async def collected(job, stdin=()):
    got = {1: b"", 2: b""}
    async with job:
        feeding = asyncio.create_task(feed(job, stdin))
        async for output in job:
            got[output.stream] += output.data
        feeding.cancel()
    return job.exit_code, got[1], got[2]


async def feed(job, pieces):
    for piece in pieces:
        await job.write(piece)
    await job.close_stdin()


def spec(*argv, **more):
    return JobSpec("a-job", argv, **more)


SMALL_AND_LARGE = """i=0; while [ $i -lt 300 ]; do echo line $i; echo err $i >&2; i=$((i+1)); done
head -c 100000 /dev/zero | tr '\\0' x; exit 3"""
EXPECTED = (
    3,
    b"".join(b"line %d\n" % i for i in range(300)) + b"x" * 100_000,
    b"".join(b"err %d\n" % i for i in range(300)),
)


async def test_its_streams_and_its_code_are_its_own(here, shells):
    assert await collected(Job(here, "s", spec("sh", "-c", SMALL_AND_LARGE))) == EXPECTED


@pytest.mark.parametrize("seed", range(4))
async def test_cut_at_any_byte_nothing_is_missing_and_nothing_twice(here, shells, seed):
    chance = random.Random(seed)
    here.budgets = (chance.choice([chance.randint(0, 200), chance.randint(0, 20_000)]) for _ in range(60))
    told = []
    assert await collected(Job(here, "s", spec("sh", "-c", SMALL_AND_LARGE), tell=told.append)) == EXPECTED
    assert told


async def test_closed_without_exit_or_with_a_wrong_one_it_is_known_all_the_same(here):
    for said in (None, 0, 255):
        here.exits = lambda _, said=said: said
        ended = await collected(Job(here, "s", JobSpec(f"job-{said}", ("sh", "-c", "echo out; exit 7"))))
        assert ended == (7, b"out\n", b"")


async def test_it_starts_once_however_often_it_is_asked(here):
    words = ("sh", "-c", "echo ran >> ran; sleep 0.3; cat ran")
    here.budgets = iter([0, 0, 10])
    assert await collected(Job(here, "s", spec(*words))) == (0, b"ran\n", b"")


@pytest.mark.parametrize("seed", range(3))
async def test_input_arrives_whole_through_broken_connections(here, shells, seed):
    chance = random.Random(seed)
    pieces = [chance.randbytes(chance.choice([1, 100, 70_000])) for _ in range(30)]
    here.budgets = (chance.choice([None, chance.randint(0, 3000), chance.randint(0, 100_000)]) for _ in range(20))
    ended = await collected(Job(here, "s", spec("cat", stdin=True)), pieces)
    assert ended == (0, b"".join(pieces), b"")


async def test_a_command_that_reads_nothing_ends_all_the_same(here, shells):
    assert await collected(Job(here, "s", spec("true", stdin=True)), [bytes(3_000_000)]) == (0, b"", b"")


async def test_a_slow_reader_holds_the_writer_back(here):
    async with Job(here, "s", spec("sleep", "60", stdin=True)) as running:
        writing = asyncio.create_task(feed(running, itertools.repeat(bytes(1 << 20), 100)))
        watching = asyncio.create_task(anext(aiter(running)))
        done, _ = await asyncio.wait({writing}, timeout=1.5)
        assert not done and sum(map(len, here.inputs)) < 10 << 20
        writing.cancel()
        watching.cancel()
        await running.signal("KILL")


@pytest.mark.parametrize(
    ("argv", "folder", "code", "said"),
    [
        (("no-such-program",), None, 127, b"not found"),
        (("/no/such",), None, 127, b"no such file"),
        (("/etc",), None, 126, b"cannot be executed"),
        (("true",), "/no/such", 126, b"cannot be entered"),
    ],
)
async def test_what_cannot_start_says_so(here, shells, argv, folder, code, said):
    exit_code, out, err = await collected(Job(here, "s", spec(*argv, folder=folder)))
    assert (exit_code, out) == (code, b"") and err.startswith(b"mesabox: ") and said in err


async def test_the_limit_ends_it_and_is_told_from_an_exit(here, shells):
    late = Job(here, "s", spec("sh", "-c", "echo a; sleep 60", limit=0.3))
    assert await collected(late) == (143, b"a\n", b"")
    assert late.end is not None and late.end.how == "timeout"
    exits = Job(here, "s", JobSpec("other", ("sh", "-c", "exit 124"), limit=60.0))
    assert (await collected(exits))[0] == 124
    assert exits.end is not None and exits.end.how == "exited"


async def test_the_limit_needs_no_client(here):
    async with Job(here, "s", spec("sh", "-c", "echo begun; sleep 0.5; echo late > late; sleep 60", limit=1.0)) as left:
        await anext(aiter(left))
    await asyncio.sleep(1.5)
    assert (here.home / "late").exists()
    ended = (here.home / ".local/state/mesabox/jobs/a-job/end").read_text().split()
    assert (ended[0], ended[3]) == ("143", "timeout")


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "KILL"])
async def test_signals_reach_it(here, shells, name):
    script = "trap 'echo got; exit 9' INT TERM HUP QUIT USR1; echo ready; while :; do sleep 0.05; done"
    running = Job(here, "s", spec("sh", "-c", script))
    got = b""
    async with running:
        async for output in running:
            got += output.data if output.stream == 1 else b""
            if got == b"ready\n":
                await running.signal(name)
    assert (running.exit_code, got) == ((137, b"ready\n") if name == "KILL" else (9, b"ready\ngot\n"))


async def test_a_daemon_of_it_is_not_waited_for(here, shells):
    assert await collected(Job(here, "s", spec("sh", "-c", "sleep 60 & echo now"))) == (0, b"now\n", b"")


async def test_another_goes_on_where_one_left(here):
    words = ("sh", "-c", "i=0; while [ $i -lt 20 ]; do echo $i; i=$((i+1)); sleep 0.02; done")
    whole = b"".join(b"%d\n" % i for i in range(20))
    had = b""
    async with Job(here, "s", spec(*words)) as first:
        async for output in first:
            had += output.data
            if len(had) > 6:
                break
    second = Job(here, "s", spec(*words), started=True, offsets=(len(had), 0))
    assert await collected(second) == (0, whole[len(had) :], b"")


async def test_two_at_once_both_have_the_whole(here):
    words = ("sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done")
    both = [collected(Job(here, "s", spec(*words))) for _ in range(2)]
    assert await asyncio.gather(*both) == [(0, b"1\n2\n3\n4\n5\n", b"")] * 2


async def test_its_umask_and_folder_are_the_sprites(here):
    ended = await collected(Job(here, "s", spec("sh", "-c", "umask; pwd", folder="/usr")))
    assert ended == (0, b"0022\n/usr\n", b"")


async def test_its_environment_is_its_own_and_not_that_of_what_keeps_it(here, shells):
    env = {"HOME": "/nowhere", "XDG_STATE_HOME": "/nowhere", "A": "a b\nc"}
    command = Command(("sh", "-c", 'echo "$HOME $XDG_STATE_HOME $A"'), env)
    assert await collected(Job(here, "s", command.job("a-job"))) == (0, b"/nowhere /nowhere a b\nc\n", b"")


async def test_a_program_whose_name_looks_like_a_variable_is_one(here):
    (here.home / "a=b").symlink_to("/bin/echo")
    command = Command((f"{here.home}/a=b", "x"), {"A": "1"})
    assert await collected(Job(here, "s", command.job("a-job"))) == (0, b"x\n", b"")


async def test_one_that_vanished_is_unknown_and_not_a_success(here):
    async with Job(here, "s", spec("sh", "-c", "echo begun; sleep 60")) as left:
        await anext(aiter(left))
    place = here.home / ".local/state/mesabox/jobs/a-job"
    subprocess.run(["kill", "-KILL", (place / "runner").read_text().strip()], check=True)
    with pytest.raises(OutcomeUnknown, match="without a word"):
        await collected(Job(here, "s", spec("sleep", "60"), started=True))
    shutil.rmtree(place)  # as a command does that empties its home: it is not begun again
    with pytest.raises(OutcomeUnknown, match="without a word"):
        await collected(Job(here, "s", spec("sleep", "60")))
    place.with_name("a-job.claimed").rmdir()
    with pytest.raises(OutcomeUnknown, match="not known"):
        await collected(Job(here, "s", spec("sleep", "60"), started=True))


async def test_a_sprite_that_has_lost_the_script_is_given_it(here):
    (here.home / ".local/state/mesabox" / job.script_name()).unlink()
    assert await collected(Job(here, "s", spec("echo", "out"))) == (0, b"out\n", b"")


async def test_a_sprite_where_nothing_can_be_kept_says_so(here):
    (here.home / ".local/state/mesabox/jobs").write_text("a file")
    with pytest.raises(Failed, match="cannot be kept"):
        await collected(Job(here, "s", spec("true")))


async def test_a_service_that_refuses_is_waited_for_as_it_says_but_not_for_ever(here, monkeypatch):
    class Busy(Here):
        def execute(self, sprite, request, *, tail=no_tail):
            self.ran.append(request.argv)
            if len(self.ran) > refusals:
                return super().execute(sprite, request)
            refusal = TryLater("slow down")
            refusal.after = 30.0
            raise refusal

    slept, clock = [], [0.0]

    async def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    refusals = 3
    with monkeypatch.context() as patched:
        patched.setattr(job.asyncio, "sleep", sleep)
        patched.setattr(job.time, "monotonic", lambda: clock[0])
        async with Job(Busy(here.home), "s", spec("true"), started=True):
            assert slept == [0.0, 30.0, 30.0, 30.0]
        refusals = 100
        with pytest.raises(TryLater):
            await Job(Busy(here.home), "s", spec("true"), started=True).__aenter__()
        assert slept[4:] == [0.0, 30.0, 30.0, 30.0, 30.0]


async def test_a_connection_on_which_nothing_is_told_is_left(here, monkeypatch):
    monkeypatch.setattr(job, "BEGINS_WITHIN", 0.5)
    mute = MuteAtFirst(here.home)
    assert await collected(Job(mute, "s", spec("sh", "-c", "sleep 1; echo out; exit 3"))) == (3, b"out\n", b"")


async def test_a_sprite_that_is_gone_is_said_at_once(here):
    class Gone(Here):
        def execute(self, sprite, request, *, tail=no_tail):
            raise NotFound("there is no sprite 's'")

    with pytest.raises(NotFound):
        await collected(Job(Gone(here.home), "s", spec("true")))


def test_marks_are_taken_out_wherever_they_are_cut():
    stream = b"mesamesabox:1:begun\nerr mesabox:1\nmesabox:1:end 3 4\nrest mesabox:"
    for size in range(1, len(stream)):
        marks, own, told = Marks(b"mesabox:1:"), b"", []
        for start in range(0, len(stream), size):
            for piece in marks.feed(stream[start : start + size]):
                if isinstance(piece, bytes):
                    own += piece
                else:
                    told.append(piece)
        assert told == [["begun"], ["end", "3", "4"]]
        assert own == b"mesaerr mesabox:1\nrest "  # what may be a mark is held back


async def test_output_that_a_full_disk_did_not_take_is_no_success(here):
    """The copier's disk is full: a limit on the size of its files plays that."""
    script = "trap '' PIPE XFSZ; head -c 3000000 /dev/zero; echo more; exit 0"
    host = here.home / ".local/state/mesabox" / job.script_name()
    host.write_bytes(b"trap '' XFSZ; ulimit -f 1000\n" + job.script())
    with pytest.raises(Failed, match="cannot be kept") as refused:
        await collected(Job(here, "s", spec("sh", "-c", script)))
    assert "disk was full" in refused.value.why


@pytest.mark.parametrize("spoil", ["rm -rf $HOME/.local/state", "mkdir $HOME/.local/state/mesabox/jobs/a-job/end"])
async def test_a_command_that_spoils_what_is_kept_of_it_is_unknown_and_begun_once(here, spoil):
    script = f"echo ran >> $HOME/ran; {spoil}; echo hi; exit 0"
    with pytest.raises(OutcomeUnknown):
        await collected(Job(here, "s", spec("sh", "-c", script)))
    assert (here.home / "ran").read_text() == "ran\n"


async def test_a_limit_ends_what_left_the_commands_group(here, shells):
    """Not with a session of its own: that is a daemon."""
    script = "timeout 100 sh -c 'echo $$ > group; sleep 100'; true"
    assert (await collected(Job(here, "s", spec("sh", "-c", script, limit=0.5))))[0] in (137, 143)
    process = (here.home / "group").read_text().strip()
    state = subprocess.run(["/bin/ps", "-o", "stat=", "-p", process], capture_output=True, text=True).stdout
    assert state == "" or state.startswith("Z")
