"""Signals while a run is under way: to the command, then teardown, then out."""

import asyncio
import contextlib
import os
import signal

import pytest

from mesabox.flow import interrupts
from mesabox.flow.interrupts import Interrupts


class Execution:
    def __init__(self):
        self.signals = []

    async def signal(self, name):
        self.signals.append(name)


async def for_ever():
    await asyncio.Event().wait()


def sent(*numbers):
    async def send():
        for number in numbers:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)

    return asyncio.create_task(send())


@pytest.mark.parametrize(
    ("on_terminal", "number", "alone"),
    [
        (True, signal.SIGINT, False),
        (True, signal.SIGTERM, True),
        (True, signal.SIGHUP, True),
        (False, signal.SIGINT, True),
    ],
)
async def test_only_a_ctrl_c_on_a_terminal_waits_for_a_second(monkeypatch, on_terminal, number, alone):
    monkeypatch.setattr(interrupts, "GRACE", 0.05)
    execution = Execution()
    with Interrupts(on_terminal=on_terminal, farewell=lambda: None) as told, told.lent_to(execution):
        sending = sent(number)
        with contextlib.nullcontext() if alone else pytest.raises(TimeoutError):
            async with asyncio.timeout(10 if alone else 0.3):
                assert await told.unless_ended(for_ever()) is None
        await sending
    assert execution.signals == [number.name.removeprefix("SIG")] and told.exit_code == 128 + number


async def test_what_is_not_ended_by_us_is_what_it_was():
    with Interrupts(on_terminal=True, farewell=lambda: None) as told:
        assert await told.unless_ended(asyncio.sleep(0, 7)) == 7
        task = asyncio.create_task(told.unless_ended(for_ever()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert told.exit_code is None


async def test_a_teardown_that_was_not_needed_any_more_disturbs_nothing(monkeypatch):
    monkeypatch.setattr(interrupts, "GRACE", 0.05)
    with Interrupts(on_terminal=False, farewell=lambda: None) as told, told.lent_to(Execution()):
        await sent(signal.SIGTERM)
    await asyncio.sleep(0.1)


async def test_a_terminal_that_hangs_up_again_and_again_is_no_wish_to_leave_at_once():
    with Interrupts(on_terminal=True, farewell=lambda: pytest.fail("left")) as told:
        assert await told.unless_ended(asyncio.gather(for_ever(), sent(*[signal.SIGHUP] * 5))) is None
        await sent(*[signal.SIGHUP] * 3)
    assert told.exit_code == 129


async def test_the_way_out_of_a_command_that_does_not_listen_to_keys():
    with Interrupts(on_terminal=True, farewell=lambda: None) as told:
        asyncio.get_running_loop().call_soon(told.give_up)
        assert await told.unless_ended(for_ever()) is None
    assert told.exit_code == 130
