"""A record read while it grows: whoever reads it, from wherever, has every event once."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.replay import Replayed, always, replay
from mesabox.flow.record.runs import Where, read_run

WHERE = Where("local", "http://m", "http://s", "my-org")


@pytest.fixture
def ledger(tmp_path):
    made = Ledger.create(tmp_path, "go", WHERE)
    made.write("command", place="p", sprite="s", tty=False, stdin=False)
    return made


def printed(ledger, stream, *pieces):
    for piece in pieces:
        ledger.output(stream, piece, 0)


def ended(ledger, code=0):
    ledger.write("end", exit_code=code, failed_by=None, error=None, left=[])
    ledger.close()


async def read(folder, **options):
    return [event async for event in replay(folder, **options)]


def output(events, stream="stdout"):
    return b"".join(event["data"] for event in events if event["type"] == "output" and event["stream"] == stream)


async def test_a_reader_before_during_and_after(ledger):
    before = asyncio.create_task(read(ledger.folder, follow=always))
    await asyncio.sleep(0.1)
    printed(ledger, "stdout", b"one\n")
    printed(ledger, "stderr", b"oops\n")
    during = asyncio.create_task(read(ledger.folder, follow=always))
    await asyncio.sleep(0.1)
    assert output(await read(ledger.folder)) == b"one\n"
    assert not before.done() and not during.done()
    printed(ledger, "stdout", b"two\n", b"three\n")
    ended(ledger)
    after = await read(ledger.folder, follow=always)
    assert await before == await during == after
    assert output(after) == b"one\ntwo\nthree\n" and output(after, "stderr") == b"oops\n"
    assert [event["seq"] for event in after] == list(range(1, 8))


async def test_pieces_of_readers_who_come_and_go_make_the_whole(ledger):
    async def one(after):
        async for event in replay(ledger.folder, after=after, follow=always):
            yield event
            if event["type"] == "output":
                return

    wanted, seq, pieces = [b"%d\n" % number for number in range(20)], 0, []
    for piece in wanted:
        printed(ledger, "stdout", piece)
        async for event in one(seq):
            seq = event["seq"]
            pieces += [event["data"]] if event["type"] == "output" else []
    ended(ledger)
    assert pieces == wanted
    assert [event["type"] for event in await read(ledger.folder, after=seq)] == ["end"]


async def test_since(ledger):
    printed(ledger, "stdout", b"one\n", b"two\n")
    ended(ledger)
    events = await read(ledger.folder)
    moment = events[3]["ts"]
    assert await read(ledger.folder, since=moment) == [event for event in events if event["ts"] >= moment]
    assert await read(ledger.folder, since=events[-1]["ts"] + 1) == []


async def test_a_line_that_is_not_whole_yet_waits_for_its_end(ledger):
    """Nothing promises a reader that a write is seen as one."""
    following = asyncio.create_task(read(ledger.folder, follow=always))
    line = b'{"seq":3,"ts":1.0,"run_id":"r","type":"phase","name":"\xc3\xa9"}\n'
    with (ledger.folder / "events.ndjson").open("ab", buffering=0) as file:
        for place in range(0, len(line), 7):
            file.write(line[place : place + 7])
            await asyncio.sleep(0.06)
    ended(ledger)
    assert [event["type"] for event in await following] == ["start", "command", "phase", "end"]


async def test_a_line_that_a_kill_cut_short_is_passed_over(ledger):
    printed(ledger, "stdout", b"one\n")
    ledger.close()
    with (ledger.folder / "events.ndjson").open("ab") as file:
        file.write(b'{"seq":4,"ts":1.0,"run_id":"r","type":"out')
    assert output(await read(ledger.folder, follow=always)) == b"one\n"
    with Ledger.reopen(ledger.folder) as again:
        again.write("resumed", pid=1)
        printed(again, "stdout", b"two\n")
    events = await read(ledger.folder)
    assert output(events) == b"one\ntwo\n"
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})


async def test_output_that_no_event_speaks_of_is_not_shown_twice(ledger):
    """Killed between the two writes: the bytes come again from the sprite."""
    printed(ledger, "stdout", b"one\n")
    ledger.close()
    with (ledger.folder / "stdout").open("ab") as file:
        file.write(b"tw")
    with Ledger.reopen(ledger.folder) as again:
        printed(again, "stdout", b"two\n")
    assert output(await read(ledger.folder)) == b"one\ntwo\n"
    assert (ledger.folder / "stdout").read_bytes() == b"one\ntwo\n"


async def test_following_ends_with_the_process(tmp_path):
    """Killed without a last word."""
    code = (
        "import sys,pathlib; from mesabox.flow.record.ledger import *;"
        f"l=Ledger.create(pathlib.Path({str(tmp_path)!r}),'go',Where('local','m','s'));l.output('stdout',b'x',1);"
        "print(l.run_id,flush=True);sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder = tmp_path / process.stdout.readline().strip()
    following = asyncio.create_task(read(folder, follow=always))
    await asyncio.sleep(0.2)
    assert not following.done()
    process.kill()
    process.communicate()
    assert output(await following) == b"x"


async def test_a_run_as_an_execution(ledger):
    printed(ledger, "stdout", b"one\n")
    printed(ledger, "stderr", b"two\n")
    replayed = Replayed(ledger.folder)
    async with replayed:
        pieces = aiter(replayed)
        assert [(await anext(pieces)).data for _ in range(2)] == [b"one\n", b"two\n"]
        ended(ledger, 3)
        assert [piece async for piece in pieces] == []
    assert (replayed.exit_code, replayed.last) == (3, 5)


async def test_one_who_leaves_knows_how_far_the_output_was_taken(ledger):
    printed(ledger, "stdout", b"one\n", b"two\n")
    replayed, taken = Replayed(ledger.folder), []
    async for piece in replayed:
        taken.append(piece.data)
        replayed.leave()
    assert (taken, replayed.exit_code) == ([b"one\n"], None)
    assert output(await read(ledger.folder, after=replayed.last)) == b"two\n"
    idle = Replayed(ledger.folder, after=replayed.last + 1)

    async def watch():
        return [piece async for piece in idle]

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.1)
    idle.leave()
    assert await asyncio.wait_for(watching, 20) == [] and idle.last == replayed.last + 1
    ledger.close()


async def test_a_signal_goes_to_whoever_works_on_the_run_and_to_nobody_once_it_ended(ledger, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    await Replayed(ledger.folder).signal("INT")
    ledger.close()
    await Replayed(ledger.folder).signal("INT")
    assert sent == [(os.getpid(), signal.SIGINT)]
    assert not read_run(ledger.folder).alive
