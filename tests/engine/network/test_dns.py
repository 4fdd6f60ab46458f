"""The messages of the stub, against bytes written by hand."""

import random
import struct
from ipaddress import IPv4Address

import pytest

from mesabox.engine.network import dns

QUERY = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\4pypi\3org\0" + struct.pack(">2H", 1, 1)


def test_a_question():
    question = dns.parse(QUERY)
    assert (question.id, question.name, question.type) == (7, "pypi.org", dns.A)


def test_an_answer_repeats_the_question_and_holds_the_address():
    reply = dns.answer(dns.parse(QUERY), dns.Code.OK, IPv4Address("198.18.0.1"))
    number, flags, questions, answers, *_ = struct.unpack(">6H", reply[:12])
    assert (number, questions, answers) == (7, 1, 1) and flags & 0x8000 and flags & 0xF == 0
    assert reply[12 : len(QUERY)] == QUERY[12:] and reply.endswith(bytes([198, 18, 0, 1]))


@pytest.mark.parametrize("code", [dns.Code.REFUSED, dns.Code.NO_SUCH_NAME, dns.Code.SERVER_FAILURE])
def test_a_refusal_has_its_code_and_no_record(code):
    reply = dns.answer(dns.parse(QUERY), code)
    _, flags, _, answers, *_ = struct.unpack(">6H", reply[:12])
    assert flags & 0xF == code and answers == 0


@pytest.mark.parametrize(
    "message",
    [b"", b"x" * 11, QUERY[:-3], QUERY[:14], struct.pack(">6H", 1, 0x8000, 1, 0, 0, 0) + QUERY[12:],
     struct.pack(">6H", 1, 0, 2, 0, 0, 0) + QUERY[12:], QUERY[:12] + b"\xc0\x0c" + QUERY[-4:],
     QUERY[:12] + b"\5a\0b.c\0" + QUERY[-4:]],
)  # fmt: skip
def test_what_is_no_question(message):
    with pytest.raises(ValueError):
        dns.parse(message)


def test_noise_is_refused_and_nothing_else():
    chance = random.Random(1)
    for _ in range(5000):
        noise = bytearray(QUERY)
        for _ in range(chance.randrange(1, 6)):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        try:
            dns.parse(bytes(noise[: chance.randrange(len(noise) + 1)]))
        except ValueError:
            continue
