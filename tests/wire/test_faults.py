"""How a fault is asked for."""

import pytest

from mesabox.wire.fault_switches import GROUPS, SWITCHES
from mesabox.wire.faults import Fault


@pytest.mark.parametrize(
    ("text", "rate", "times", "low", "high", "where", "again"),
    [
        ("no-exit", 1, None, 0, 0, "", "no-exit=1"),
        ("no-exit=0.25", 0.25, None, 0, 0, "", "no-exit=0.25"),
        ("no-exit=x3", 1, 3, 0, 0, "", "no-exit=x3"),
        ("no-exit=.5x3", 0.5, 3, 0, 0, "", "no-exit=0.5x3"),
        ("latency", 1, None, 0.3, 0.3, "", "latency=1"),
        ("latency:100ms-2s", 1, None, 0.1, 2, "", "latency=1:100ms-2s"),
        ("cut=0.5:0-64K", 0.5, None, 0, 65536, "", "cut=0.5:0-64K"),
        ("unavailable=x1:500@POST /v1/sprites$", 1, 1, 500, 500, "POST /v1/sprites$", None),
        ("hang@a=b:c@d", 1, None, 0, 0, "a=b:c@d", "hang=1@a=b:c@d"),
    ],
)
def test_what_it_says(text, rate, times, low, high, where, again):
    fault = Fault.parse(text)
    assert (fault.rate, fault.times, fault.low, fault.high, fault.where) == (rate, times, low, high, where)
    assert str(fault) == (again or text)
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not read as"),
        ("no-exit=", "no WHEN"),
        ("no-exit=2", "rate above 1"),
        ("no-exit=-1", "does not read as"),
        ("no-exit=x", "does not read as"),
        ("no-exit:5s", "takes no amount"),
        ("latency:soon", "is no time"),
        ("latency:2s-1s", "out of bounds"),
        ("cut:5s", "is no number of bytes"),
        ("unavailable:404", "out of bounds"),
        ("wrong-exit:1K", "is no number"),
        ("mont-fails", "there is no fault 'mont-fails'; there is mount-fails"),
        ("zzz", "there is no fault 'zzz'"),
    ],
)
def test_what_is_none(text, told):
    with pytest.raises(ValueError) as caught:
        Fault.parse(text)
    assert told in str(caught.value)


def test_where_it_applies():
    fault = Fault.parse("hang@POST /v1/sprites$")
    assert fault.meets("POST /v1/sprites") and not fault.meets("POST /v1/sprites/a/exec")
    assert Fault.parse("hang@/exec").meets("WS /v1/sprites/a/exec/7") and Fault.parse("hang").meets("GET /")


def test_every_switch_is_described_once_and_its_usual_amount_is_one():
    assert len(SWITCHES) == sum(len(group) for _, group in GROUPS)
    for name, switch in SWITCHES.items():
        assert switch.does and switch.seen and Fault.parse(name).switch is switch
