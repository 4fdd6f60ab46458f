"""Short scripts: an answer is whole or none, however the connection behaves."""

import itertools

import pytest

from mesabox.clients.base import no_tail
from mesabox.errors import Failed, OutcomeUnknown, TryLater
from mesabox.flow.running import asking
from mesabox.flow.running.asking import ask
from tests.flow.here import Here, HereExecution, MuteAtFirst


async def test_an_answer_is_whole(tmp_path):
    done = await ask(Here(tmp_path), "s", ["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in\n" * 10_000)
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"in\n" * 10_000, b"err\n")


@pytest.mark.parametrize("budget", [0, 1, 5, 20, 30])
async def test_what_was_cut_is_asked_again(tmp_path, budget):
    here = Here(tmp_path, budgets=iter([budget, budget]))
    done = await ask(here, "s", ["echo", "out"])
    assert (done.exit_code, done.stdout, len(here.ran)) == (0, b"out\n", 3)


@pytest.mark.parametrize("told", [None, 0, 255])
async def test_the_exit_that_the_service_tells_is_no_matter(tmp_path, told):
    done = await ask(Here(tmp_path, exits=lambda _: told), "s", ["sh", "-c", "echo out; exit 7"])
    assert (done.exit_code, done.stdout) == (7, b"out\n")


async def test_without_a_whole_answer_nothing_is_guessed(tmp_path):
    with pytest.raises(OutcomeUnknown):
        await ask(Here(tmp_path, budgets=itertools.repeat(4)), "s", ["echo", "out"])


async def test_input_that_did_not_arrive_is_sent_again(tmp_path):
    script = "[ -e was ] && { cat; exit; }; touch was; exit 64"
    done = await ask(Here(tmp_path), "s", ["sh", "-c", script], stdin=b"text")
    assert (done.exit_code, done.stdout) == (0, b"text")


class Refusing(Here):
    """The service refuses, and says for how long."""

    after: float | None = None

    def execute(self, sprite, request, *, tail=no_tail):
        self.ran.append(request.argv)
        refusal = TryLater("slow down")
        refusal.after = self.after
        raise refusal


async def test_an_end_of_input_that_does_not_arrive_is_no_matter(tmp_path, monkeypatch, shells):
    async def lost(self):
        pass

    monkeypatch.setattr(HereExecution, "close_stdin", lost)
    done = await ask(Here(tmp_path), "s", ["sh", "-c", "cat; exit 3"], stdin=b"in\n" * 50_000)
    assert (done.exit_code, done.stdout) == (3, b"in\n" * 50_000)


async def test_a_service_that_asks_for_more_than_our_pauses_is_not_pressed(tmp_path):
    for after, tries in [(30.0, 1), (0.5, 6), (None, 6)]:
        here = Refusing(tmp_path)
        here.after = after
        with pytest.raises(TryLater):
            await ask(here, "s", ["true"])
        assert len(here.ran) == tries
    with pytest.raises(TryLater):  # also when the time is over before the tries are
        await ask(here, "s", ["true"], timeout=0.05)


async def test_a_connection_on_which_nothing_is_told_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "BEGINS_WITHIN", 0.3)
    here = MuteAtFirst(tmp_path)
    done = await ask(here, "s", ["sh", "-c", "sleep 0.5; echo out"])
    assert (done.stdout, len(here.ran)) == (b"out\n", 2)
    here.mute = 10
    with pytest.raises(OutcomeUnknown, match="nothing was told"):
        await ask(here, "s", ["true"])


async def test_what_goes_on_too_long_is_said(tmp_path):
    with pytest.raises(Failed, match="too long"):
        await ask(Here(tmp_path), "s", ["sleep", "60"], timeout=0.3)
