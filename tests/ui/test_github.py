"""GitHub Actions: what the runner takes for commands is ours alone, and cannot be forged."""

import asyncio
import contextlib
import dataclasses
import fcntl
import io
import os
import termios

import pytest

from mesabox.clients.base import Output
from mesabox.config.environment import GithubFacts
from mesabox.errors import Failed
from mesabox.flow.redaction import Redactor
from mesabox.ui import github
from mesabox.ui.github import GithubProgress, annotation, command, guarded, harmless, masking
from mesabox.ui.github_files import publish
from mesabox.ui.progress import progress_for
from mesabox.ui.render import show
from mesabox.ui.result import Manner, Result
from mesabox.ui.streams import Sink, Streams
from mesabox.ui.terminal import Console
from tests.ui.runner import Runner, outputs

NASTY = "a%0A\r\n::add-mask::x\n::error title=y::z ##[add-mask]w :,\n"


@pytest.fixture
def streams(tmp_path):
    facts = GithubFacts(str(tmp_path / "output"), str(tmp_path / "summary"))
    return dataclasses.replace(Streams.fake(), github=facts)


def err(streams):
    return streams.written()[1]


def test_only_there():
    assert GithubFacts.of({"GITHUB_OUTPUT": "x"}) is None
    assert GithubFacts.of({"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": "x"}) == GithubFacts("x", None)


def test_a_command_carries_anything_and_is_one_line():
    line = command("error", NASTY, title=NASTY)
    assert "\n" not in line and "\r" not in line
    assert Runner().read(line).commands == [("error", {"title": NASTY}, NASTY)]


def test_what_we_quote_is_no_command():
    assert Runner().read(harmless(NASTY)).commands == []
    assert harmless("a :: b\n  A f::x") == "a :: b\n  A f::x"


def test_phases_are_groups(streams):
    progress = progress_for(streams, Manner())
    assert isinstance(progress, GithubProgress)
    progress.phase_started("repo")
    progress.phase_started("sprite")
    progress.phase_done("sprite", 0.1, NASTY)
    progress.phase_done("repo", 0.2, "notes")
    progress.phase_started("run")
    with progress.terminal_lent():
        pass
    progress.phase_done("run", 1.5)
    progress.phase_failed("mount", 0.1, NASTY)
    progress.warning(NASTY)
    progress.close()
    runner = Runner().read(err(streams))
    names = [name for name, _, _ in runner.commands]
    assert names == ["group", "endgroup"] * 3 + ["warning"]
    assert [data for _, data in runner.named("group")] == ["sprite (100 ms)", "repo (200 ms)", "run"]
    assert runner.named("warning") == [({"title": "mesabox"}, NASTY)]


@pytest.mark.parametrize("last", [b"\n", b"", b"no end", b"\r", b"\r::error::x\r"])
def test_what_a_sandbox_prints_does_nothing(streams, last):
    with guarded(streams) as fence:
        for number, sink in ((1, streams.stdout), (2, streams.stderr)):
            fence.watch(Output(number, NASTY.encode() + last))
            sink.write(NASTY.encode() + last)
    for text in streams.written():
        runner = Runner().read(text)
        assert runner.commands == [] and not runner.stopped


def test_the_fence_cannot_be_guessed(streams):
    for _ in range(2):
        with guarded(streams):
            pass
    tokens = {line for line in err(streams).splitlines() if "stop-commands" in line}
    assert len(tokens) == 2


def test_elsewhere_nothing_is_fenced():
    streams = Streams.fake()
    with guarded(streams):
        pass
    assert streams.written() == ("", "")


def test_a_mask_holds_all_lines(streams):
    redactor = Redactor(masking(streams))
    redactor.learn("first\nsecond", announce=True)
    redactor.learn("not announced")
    assert Runner().read(err(streams)).masks == ["second", "first\nsecond"]


def test_errors_are_annotations(streams):
    error = Failed("no: it, failed", why=NASTY, fix="try")
    show(streams, Manner(), "go", Result.of_error(error))
    runner = Runner().read(err(streams))
    assert runner.named("error") == [({"title": "no: it, failed"}, f"{NASTY}\nfix: try")] and not runner.masks
    assert annotation(Failed("only")).endswith("::only")
    show(streams, Manner(), "go", Result(exit_code=3), runs_a_command=True)
    assert "exit code 3" in Runner().read(err(streams)).named("error")[-1][1]


def test_outputs_and_summary(streams, tmp_path):
    files = [{"path": "a|b\n<img>`", "status": "added"}]
    changes = {"change_id": "k" * 32, "additions": 1, "deletions": 0, "files": files}
    data = {
        "run_id": "r1",
        "repo": "notes\nexit_code=0",
        "changes": changes,
        "seconds": {"run": 0.5},
        "sprite": "secretly",
    }
    redactor = Redactor()
    redactor.learn("secretly")
    publish(streams, "go", Result(data=data, exit_code=3, failed_by="command"), redactor)
    written = (tmp_path / "output").read_text()
    assert outputs(written) == {"run_id": "r1", "exit_code": "3", "change_id": "k" * 32}
    summary = (tmp_path / "summary").read_text()
    assert "<img>" not in summary and "a&#124;b &lt;img&gt;`" in summary and "secretly" not in summary
    assert all(line.count("|") == 3 for line in summary.splitlines() if line.startswith("|"))


def test_files_that_cannot_be_written_are_a_warning(tmp_path):
    streams = dataclasses.replace(Streams.fake(), github=GithubFacts(str(tmp_path / "no" / "file"), None))
    publish(streams, "run", Result(data=None), Redactor())
    assert Runner().read(err(streams)).named("warning")


def test_output_that_may_still_come_leaves_the_fence_up(streams):
    with guarded(streams) as fence:
        fence.keep_up()
    streams.stdout.write(NASTY)
    assert Runner().read(streams.written()[0]).commands == []


def test_a_runner_that_lags_is_told_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(github, "_CAUGHT_UP_SECONDS", 0.1)
    pipes = [os.pipe() for _ in range(2)]
    sinks = [Sink(os.fdopen(outer, "wb", 0)) for _, outer in pipes]
    with guarded(Streams(io.BytesIO(), *sinks, github=GithubFacts())):
        sinks[0].write("not read yet")
    for sink in sinks:
        sink.raw.close()
    for inner, _ in pipes:
        assert Runner().read(os.read(inner, 65536).decode()).stopped


async def test_output_still_on_its_way_when_a_run_is_torn_down_comes_before_the_end_of_the_fence_or_not_at_all(streams):
    """A reader that is slow by more than the pipe: what waits behind it must not come after the fence."""
    inner, outer = os.pipe()
    streams = dataclasses.replace(streams, stdout=Sink(os.fdopen(outer, "wb", 0)))
    async with asyncio.timeout(20):
        attending = asyncio.create_task(Console(streams).attend(Endless(b"::error::forged\n" * 1000), size=None))
        while not fcntl.ioctl(inner, termios.FIONREAD, b"\0" * 4) > b"\0\0\1":
            await asyncio.sleep(0.01)
        attending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await attending
    told = b""
    os.set_blocking(inner, False)
    for _ in range(100):  # what is stuck in the pipe comes through now, and nothing more
        with contextlib.suppress(BlockingIOError):
            told += os.read(inner, 65536)
        await asyncio.sleep(0.005)
    assert Runner().read(told.decode()).commands == []


class Endless:
    """A command that floods, as far as one needs of it."""

    exit_code = None

    def __init__(self, data):
        self.data = data

    async def __aiter__(self):
        while True:
            yield Output(1, self.data)
            await asyncio.sleep(0)

    async def close_stdin(self):
        pass


def test_values_alone_are_fenced_where_one_looks_like_a_command(streams):
    show(streams, Manner(quiet=True), "repo diff", Result(quiet=["a", "::error::forged", "##[error]b"]))
    runner = Runner().read(streams.written()[0])
    assert runner.commands == [] and not runner.stopped and "::error::forged" in runner.shown
    plain = dataclasses.replace(Streams.fake(), github=streams.github)
    show(plain, Manner(quiet=True), "repo list", Result(quiet=["notes"]))
    assert plain.written() == ("notes\n", "")
