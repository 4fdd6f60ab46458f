"""What a sprite may reach: by rule, by name, by the address that a name leads to."""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address

import pytest

from mesabox.engine.network import guide as guides
from mesabox.engine.network.addresses import parse, why_refused
from mesabox.engine.network.guide import FAKE, Guide, NoSuchName, Refused
from mesabox.engine.network.policy import Policy


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
     "100.64.0.1",
     "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.5", "::1", "::", "fe80::1", "fd00::1", "ff02::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_nothing_that_is_not_public(address):
    assert why_refused(parse(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "203.0.113.80", "2606:4700::1111"])
def test_public_addresses(address):
    assert why_refused(ip_address(address)) is None


RULES = [
    ("example.com", "allow"),
    ("*.example.org", "allow"),
    ("bad.example.org", "deny"),
    ("*.deep.bad.test", "allow"),
]


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("example.com", True), ("EXAMPLE.com.", True), ("www.example.com", False), ("a.example.org", True),
     ("a.b.example.org", True), ("example.org", False), ("bad.example.org", False), ("x.deep.bad.test", True),
     ("other.test", False), ("notexample.com", False)],
)  # fmt: skip
def test_rules_go_by_the_closest_name(name, allowed):
    policy = Policy.from_rules([{"domain": domain, "action": action} for domain, action in RULES])
    assert policy.allows(name) is allowed and not policy.is_open


def test_without_rules_all_is_open_and_a_star_opens_too():
    assert Policy.from_rules([]).is_open and Policy.from_rules([]).allows("anything.test")
    starred = Policy.from_rules([{"domain": "*", "action": "allow"}, {"domain": "no.test", "action": "deny"}])
    assert starred.is_open and starred.allows("yes.test") and not starred.allows("no.test")


@pytest.fixture
def guide(monkeypatch):
    known = {"public.test": ["93.184.216.34"], "inside.test": ["127.0.0.1"], "mixed.test": ["10.0.0.1", "1.1.1.1"]}

    def look_up(name):
        if name not in known:
            raise guides.socket.gaierror(guides.socket.EAI_NONAME, "no such name")
        return [parse(address) for address in known[name]]

    monkeypatch.setattr(guides, "_look_up", look_up)
    with ThreadPoolExecutor(1) as pool:
        yield Guide(frozenset({"localhost", "box"}), Policy.from_rules([]), pool)


async def test_a_name_gets_one_synthetic_address_that_leads_back_to_it(guide):
    given = await guide.answer("Public.Test.")
    assert given in FAKE and await guide.answer("public.test") == given
    assert await guide.way_to(given, 443) == [IPv4Address("93.184.216.34")]


async def test_a_name_that_leads_inside_is_refused_and_the_inner_address_of_another_is_left_out(guide):
    with pytest.raises(Refused, match="loopback"):
        await guide.answer("inside.test")
    assert await guide.way_to(await guide.answer("mixed.test"), 80) == [IPv4Address("1.1.1.1")]


async def test_names_that_are_not_there_and_its_own(guide):
    with pytest.raises(NoSuchName):
        await guide.answer("nowhere.test")
    assert await guide.answer("box") == IPv4Address("127.0.0.1")


async def test_bare_addresses_only_under_the_open_policy(guide):
    assert await guide.way_to(IPv4Address("1.1.1.1"), 443) == [IPv4Address("1.1.1.1")]
    with pytest.raises(Refused, match="private"):
        await guide.way_to(IPv4Address("10.0.0.1"), 443)
    guide.policy = Policy.from_rules([{"domain": "public.test", "action": "allow"}])
    with pytest.raises(Refused):
        await guide.way_to(IPv4Address("1.1.1.1"), 443)


async def test_a_policy_that_changes_holds_for_names_already_answered(guide):
    given = await guide.answer("public.test")
    guide.policy = Policy.from_rules([{"domain": "other.test", "action": "allow"}])
    with pytest.raises(Refused, match="policy"):
        await guide.way_to(given, 443)


async def test_each_decision_leaves_a_receipt_and_their_number_is_bounded(guide):
    for _ in range(1200):
        with pytest.raises(Refused):
            await guide.answer("inside.test")
    assert len(guide.receipts) == 1000
    last = guide.receipts[-1]
    assert (last.name, last.allowed) == ("inside.test", False) and "loopback" in last.why
