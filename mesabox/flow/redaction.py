"""The one redactor: secret values, in the forms they travel in, become ``***`` wherever mesabox itself writes.

A command's own live output is not ours to change; every other sink goes through here.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 6
"""Characters: shorter values are words that occur anyway."""


class Redactor:
    """Knows what it was taught. announce: is told each value that came into being here or was given for a run."""

    def __init__(self, announce: Callable[[str], None] | None = None) -> None:
        self.announce = announce
        self._forms: list[bytes] = []

    def learn(self, secret: str, *, announce: bool = False) -> None:
        """announce: it may show up in a log that others can mask for us."""
        if len(secret) < SHORTEST:
            return
        for line in (
            secret.splitlines() if "\n" in secret else ()
        ):  # a command may show one alone; logs mask by the line
            self.learn(line.strip(), announce=announce)
        known = {*self._forms, *_forms(secret)}
        self._forms = sorted(known, key=len, reverse=True)
        if announce and self.announce is not None:
            self.announce(secret)

    def text(self, text: str) -> str:
        return self.data(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def data(self, data: bytes) -> bytes:
        for form in self._forms:
            data = data.replace(form, MASK.encode())
        return data

    def value(self, value: Any) -> Any:
        """JSON values, redacted within; other types are left as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {name: self.value(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value

    def unfinished(self, data: bytes) -> int:
        """Where the end of ``data`` may be the beginning of a secret; its length when it cannot."""
        return min((begun(form, data) for form in self._forms), default=len(data))


class RedactedStream:
    """A stream redacted piece by piece: what may be the beginning of a secret waits for the next piece."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        whole = self._redactor.data(self._held + data)
        cut = self._redactor.unfinished(whole)
        self._held = whole[cut:]
        return whole[:cut]

    @property
    def held(self) -> int:
        """Bytes that are held back: as they were fed, since nothing in them is masked yet."""
        return len(self._held)

    def rest(self) -> bytes:
        """What was held back, at the stream's end."""
        held, self._held = self._held, b""
        return held


def _forms(secret: str) -> Iterator[bytes]:
    """As it is, on a terminal, in a URL, in base64, in JSON, and as Python quotes it."""
    spellings = {secret, secret.replace("\n", "\r\n"), quote(secret, safe="", errors="surrogateescape")}
    spellings |= {quote(secret, errors="surrogateescape"), quote_plus(secret, errors="surrogateescape")}
    spellings |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    for spelling in spellings:
        yield spelling.encode("utf-8", "surrogateescape")
    yield from _in_base64(secret.encode("utf-8", "surrogateescape"))


def _in_base64(data: bytes) -> Iterator[bytes]:
    """The characters that depend on ``data`` alone, at each of the three places in a larger text it may begin at."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            whole = encode(bytes(before) + data).rstrip(b"=")
            first = (0, 2, 3)[before]
            last = len(whole) - (1 if (before + len(data)) % 3 else 0)
            if last - first >= SHORTEST:
                yield whole[first:last]


def begun(form: bytes, data: bytes) -> int:
    """The first place of ``data`` from which on all of it is a true beginning of ``form``."""
    place = data.find(form[:1], max(0, len(data) - len(form) + 1))
    while place >= 0 and not form.startswith(data[place:]):
        place = data.find(form[:1], place + 1)
    return len(data) if place < 0 else place
