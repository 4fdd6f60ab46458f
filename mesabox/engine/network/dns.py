"""The little of DNS that a stub needs: one question in, one answer out (RFC 1035)."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

A, ANY, IN = 1, 255, 1
_HEADER = struct.Struct(">6H")
_RESPONSE, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x0100, 0x0080
_OPCODE = 0x7800
_TTL = 30


class Code(IntEnum):
    OK = 0
    SERVER_FAILURE = 2
    NO_SUCH_NAME = 3
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Question:
    """asked: the question's own bytes, which the answer repeats."""

    id: int
    flags: int
    name: str
    type: int
    asked: bytes


def parse(message: bytes) -> Question:
    """ValueError when it is not one plain question."""
    try:
        number, flags, questions, *_ = _HEADER.unpack_from(message)
        if questions != 1 or flags & (_RESPONSE | _OPCODE):
            raise ValueError("not one question")
        name, end = _name(message, _HEADER.size)
        kind, network = struct.unpack_from(">2H", message, end)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("not a DNS message") from error
    if network != IN:
        raise ValueError("not of the Internet class")
    return Question(number, flags, name, kind, message[_HEADER.size : end + 4])


def _name(message: bytes, place: int) -> tuple[str, int]:
    """The name at ``place`` and where it ends. A question's name is never compressed."""
    labels = []
    while length := message[place]:
        if length > 63 or place + 1 + length > len(message):
            raise ValueError("not a plain name")
        label = message[place + 1 : place + 1 + length].decode("ascii")
        if not label.isprintable():  # after a NUL the resolver would read no further than the policy did
            raise ValueError("not a plain name")
        labels.append(label)
        place += 1 + length
    return ".".join(labels), place + 1


def answer(question: Question, code: Code, address: IPv4Address | None = None) -> bytes:
    """``address`` is the A record; without one the answer says that there is nothing of that type."""
    flags = _RESPONSE | _RECURSION_AVAILABLE | (question.flags & _RECURSION_DESIRED) | code
    header = _HEADER.pack(question.id, flags, 1, 0 if address is None else 1, 0, 0)
    if address is None:
        return header + question.asked
    pointer_to_name = 0xC000 | _HEADER.size
    return header + question.asked + struct.pack(">3HIH", pointer_to_name, A, IN, _TTL, 4) + address.packed
