"""Decides for one sprite: which name gets an answer, and which address a connection goes to in the end."""

import asyncio
import itertools
import socket
import time
from collections import OrderedDict, deque
from concurrent.futures import Executor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from mesabox.engine.network.addresses import Address, parse, why_refused
from mesabox.engine.network.policy import Policy, normal

FAKE = IPv4Network("198.18.0.0/15")
_MOST_NAMES = 65_536
_FRESH_SECONDS = 30.0
_MOST_RECEIPTS = 1_000
_RESOLVING_AT_ONCE = 8


class NoSuchName(Exception):
    """The host's resolver says so."""


class Refused(Exception):
    """The policy or the address forbids it; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One decision. port is None for a name that was only asked about."""

    at: float
    name: str
    port: int | None
    allowed: bool
    why: str


@dataclass
class Guide:
    """``own``: names that are this sprite's loopback. ``resolver``: threads for the host's own resolver."""

    own: frozenset[str]
    policy: Policy
    resolver: Executor
    receipts: deque[Receipt] = field(default_factory=lambda: deque(maxlen=_MOST_RECEIPTS))

    def __post_init__(self) -> None:
        self._fakes: OrderedDict[str, IPv4Address] = OrderedDict()
        self._names: dict[IPv4Address, str] = {}
        self._numbers = itertools.count()
        self._known: dict[str, tuple[float, list[Address]]] = {}
        self._asking = asyncio.Semaphore(_RESOLVING_AT_ONCE)

    async def answer(self, name: str) -> IPv4Address:
        """The address a sprite is given for a name. Refused, NoSuchName or OSError (the resolver failed)."""
        name = normal(name)
        if name in self.own:
            return IPv4Address("127.0.0.1")
        await self._permitted(name, None)
        return self._fake(name)

    async def way_to(self, destination: IPv4Address, port: int) -> list[Address]:
        """The checked addresses for a connection a sprite made to ``destination``. Refused says why not."""
        name = self._names.get(destination)
        if name is not None:
            return await self.way_to_name(name, port)
        if not self.policy.is_open:
            raise self._refusal(str(destination), port, "no permitted name led to it")
        if why := why_refused(destination):
            raise self._refusal(str(destination), port, why)
        self._note(str(destination), port, True, "public address")
        return [destination]

    async def way_to_name(self, name: str, port: int) -> list[Address]:
        addresses = await self._permitted(normal(name), port)
        self._note(name, port, True, "permitted")
        return addresses

    def name_of(self, destination: IPv4Address) -> str | None:
        return self._names.get(destination)

    async def _permitted(self, name: str, port: int | None) -> list[Address]:
        """Policy first, so that what is denied is not even asked for; then the addresses that came back."""
        if not self.policy.allows(name):
            raise self._refusal(name, port, "denied by policy")
        addresses = await self._resolve(name)
        reasons = [why_refused(address) for address in addresses]
        public = [address for address, why in zip(addresses, reasons, strict=True) if why is None]
        if not public:
            raise self._refusal(name, port, f"leads to a forbidden address ({reasons[0]})")
        return public

    def _refusal(self, name: str, port: int | None, why: str) -> Refused:
        self._note(name, port, False, why)
        return Refused(why)

    def _note(self, name: str, port: int | None, allowed: bool, why: str) -> None:
        self.receipts.append(Receipt(time.time(), name, port, allowed, why))

    async def _resolve(self, name: str) -> list[Address]:
        known = self._known.get(name)
        if known and time.monotonic() - known[0] < _FRESH_SECONDS:
            return known[1]
        loop = asyncio.get_running_loop()
        async with self._asking:
            try:
                found = await loop.run_in_executor(self.resolver, _look_up, name)
            except socket.gaierror as error:
                if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
                    raise NoSuchName(name) from error
                raise
        self._remember(name, found)
        return found

    def _remember(self, name: str, addresses: list[Address]) -> None:
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[name] = (time.monotonic(), addresses)

    def _fake(self, name: str) -> IPv4Address:
        """One address for each name, the least lately asked one given up when there are too many."""
        if name in self._fakes:
            self._fakes.move_to_end(name)
            return self._fakes[name]
        if len(self._fakes) >= _MOST_NAMES:
            _, given_up = self._fakes.popitem(last=False)
            del self._names[given_up]
        address = FAKE[next(self._numbers) % (FAKE.num_addresses - 2) + 1]
        while address in self._names:
            address = FAKE[next(self._numbers) % (FAKE.num_addresses - 2) + 1]
        self._fakes[name], self._names[address] = address, name
        return address


def _look_up(name: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except ValueError as error:  # also what cannot be written as a name at all
        raise socket.gaierror(socket.EAI_NONAME, "not a name") from error
    return list(dict.fromkeys(parse(str(entry[4][0])) for entry in found))
