"""The switches as such: seed, counts, clearing, unknown ones, and that nothing is in the way while none is on."""

import pytest

from mesabox.engine.faults.faults import Faults
from mesabox.engine.faults.gate import PLACES, FaultGate
from mesabox.wire.fault_switches import SWITCHES
from mesabox.wire.faults import Fault

ELSEWHERE = {"mount-fails", "mount-late", "late-edits", "fuse-needs-sudo", "slow-wake", "key-ends-early"}
"""Asked for by name where they act; each has a test of its own."""


def faults(*texts, seed=1):
    made = Faults()
    made.set([Fault.parse(text) for text in texts], seed)
    return made


def hits(made, name="no-exit", of=60):
    return [made.fire(name, "WS /") is not None for _ in range(of)]


def test_every_declared_switch_acts_somewhere():
    names = [place.name for place in PLACES]
    assert len(names) == len(set(names))
    assert set(names) | ELSEWHERE == set(SWITCHES) and not set(names) & ELSEWHERE


def test_the_same_seed_is_the_same_faults():
    assert hits(faults("no-exit=0.5", seed=7)) == hits(faults("no-exit=0.5", seed=7))
    assert hits(faults("no-exit=0.5", seed=7)) != hits(faults("no-exit=0.5", seed=8))
    assert True in hits(faults("no-exit=0.5")) and False in hits(faults("no-exit=0.5"))
    amounts = [faults("cut:0-1M", seed=seed).fire("cut", "WS /") for seed in (3, 3, 4)]
    assert amounts[0] == amounts[1] != amounts[2]


def test_one_more_fault_does_not_change_what_another_hits():
    assert hits(faults("no-exit=0.5")) == hits(faults("cut=0.5", "no-exit=0.5", "hang=0.1"))


def test_how_often():
    assert hits(faults("no-exit=x2"), of=5) == [True, True, False, False, False]
    assert not any(hits(faults("no-exit=0")))
    limited = faults("no-exit=0.5x3")
    assert sum(hits(limited)) == 3 and limited.told()["faults"] == [{"fault": "no-exit=0.5x3", "fired": 3}]


def test_two_at_once_share_what_is_left():
    made = faults("no-exit=x1")
    first, second = made.aim("no-exit", "WS /a"), made.aim("no-exit", "WS /b")
    assert second.fires() and not first.fires() and second.fires()
    assert made.told()["faults"][0]["fired"] == 1


def test_one_name_can_stand_for_several_places():
    made = faults("unavailable=x1@GET", "unavailable=x1@POST")
    assert [made.fire("unavailable", about) is not None for about in ("GET /", "GET /", "POST /")] == [
        True,
        False,
        True,
    ]


async def test_without_a_fault_the_request_goes_where_it_would():
    seen = []

    async def app(*given):
        seen.append(given)

    given = ({"type": "http"}, object(), object())
    await FaultGate(app, Faults(), "mesa", None)(*given)
    assert all(one is other for one, other in zip(seen[0], given, strict=True))


def test_set_shown_replaced_and_cleared(engine):
    told = {"seed": 5, "faults": [{"fault": "hang=0", "fired": 0}, {"fault": "unavailable=x1@/v1/sprites", "fired": 0}]}
    assert engine.set("hang=0", "unavailable=x1@/v1/sprites", seed=5) == told
    assert [engine.http.get("/v1/sprites").status_code for _ in range(2)] == [503, 200]
    assert engine.fired == {"hang=0": 0, "unavailable=x1@/v1/sprites": 1}
    assert engine.http.get("/_engine/status").json()["faults"]["seed"] == 5
    assert engine.set("latency:0s")["faults"] == [{"fault": "latency=1:0s", "fired": 0}]
    assert engine.set() == {"seed": None, "faults": []}
    assert engine.http.get("/v1/sprites").status_code == 200


def test_a_seed_is_drawn_and_told(engine):
    assert isinstance(engine.set("hang=0", seed=None)["seed"], int)


def test_the_same_requests_meet_the_same_faults(engine):
    def statuses(seed):
        engine.set("unavailable=0.5", seed=seed)
        return [engine.http.get("/v1/sprites").status_code for _ in range(30)]

    assert statuses(11) == statuses(11) != statuses(12)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"faults": ["nope"]}, "there is no fault 'nope'"),
        ({"faults": "no-exit"}, "must be an array"),
        ({"faults": ["no-exit"], "seed": "1"}, "must be a whole number"),
        ([], "must be an array"),
    ],
)
def test_what_is_refused_changes_nothing(engine, body, told):
    engine.set("hang=0")
    answer = engine.http.put("/_engine/faults", json=body)
    assert answer.status_code == 400 and told in answer.json()["errors"][0]
    assert engine.fired == {"hang=0": 0}


def test_it_takes_the_token(engine):
    for method in ("GET", "PUT"):
        assert engine.http.request(method, "/_engine/faults", headers={"Authorization": "no"}).status_code == 401


def test_the_engines_own_routes_are_never_hit(engine):
    engine.set("unavailable", "hang", "latency:1h")
    assert engine.http.get("/_engine/status").status_code == 200


def test_the_log_says_what_hit_what(engine):
    engine.set("unavailable=x1")
    engine.http.get("/v1/sprites?prefix=secret")
    said = engine.mesabox.json("engine", "logs", "-n", "3")["data"]["lines"]
    assert "fault unavailable=x1 hits GET /v1/sprites" in said
