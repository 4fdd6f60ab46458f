"""The network of all sprites: for each a namespace with nothing but loopback, and the engine at its end of it."""

import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol, TypeVar

from mesabox.engine.network import netlink
from mesabox.engine.network.addresses import REFUSED_V4
from mesabox.engine.network.egress import Egress
from mesabox.engine.network.gateway import Gateway
from mesabox.engine.network.guide import FAKE, Guide, Receipt
from mesabox.engine.network.policy import Policy, Rules
from mesabox.engine.network.proxy import Proxy
from mesabox.engine.network.stub import Stub

Made = TypeVar("Made")

_LOOPBACK = IPv4Network("127.0.0.0/8")
_RESOLVERS = 64
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


class Namespace(Protocol):
    """What is needed of a sandbox."""

    name: str

    async def in_network(self, act: Callable[[], Made]) -> Made: ...


class Server(Protocol):
    def close(self) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class _Sockets:
    """Made inside. udp and tcp: for names; None where the kernel cannot redirect, and a proxy must be used."""

    listening: socket.socket
    udp: socket.socket | None
    tcp: socket.socket | None


@dataclass(frozen=True, slots=True)
class _Opened:
    guide: Guide
    servers: Sequence[Server]
    environment: Mapping[str, str]


class Network:
    """Opens a way out for each sandbox. By default all of the public Internet over TCP, as on the real service."""

    def __init__(self) -> None:
        self._opened: dict[str, _Opened] = {}
        self._resolver = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")

    async def open(self, sandbox: Namespace, rules: Rules = ()) -> None:
        """Set it up, in a few milliseconds; whoever had that name before is closed."""
        await self.close(sandbox.name)
        sockets = await sandbox.in_network(_set_up)
        own = frozenset({"localhost", sandbox.name.lower()})
        guide = Guide(own, Policy.from_rules(rules), self._resolver)
        if sockets.udp is not None and sockets.tcp is not None:
            servers: Sequence[Server] = (Stub(guide, sockets.udp, sockets.tcp), Egress(guide, sockets.listening))
            environment: Mapping[str, str] = {}
        else:
            servers = (Proxy(guide, sockets.listening),)
            environment = _proxy_variables(sockets.listening.getsockname()[1])
        self._opened[sandbox.name] = _Opened(guide, servers, environment)

    async def close(self, name: str) -> None:
        opened = self._opened.pop(name, None)
        for server in opened.servers if opened else ():
            await server.close()

    def set_policy(self, name: str, rules: Rules) -> None:
        """From now on; connections that are no longer permitted are cut."""
        if opened := self._opened.get(name):
            opened.guide.policy = Policy.from_rules(rules)
            for server in opened.servers:
                if isinstance(server, Gateway):
                    server.drop_forbidden()

    def drop(self, name: str) -> None:
        """Cut every connection of that sandbox."""
        opened = self._opened.get(name)
        for server in opened.servers if opened else ():
            if isinstance(server, Gateway):
                server.drop_all()

    def environment(self, name: str) -> Mapping[str, str]:
        """What commands need to find the way out: nothing, or the proxy's variables where nothing can be redirected."""
        opened = self._opened.get(name)
        return opened.environment if opened else {}

    def receipts(self, name: str) -> deque[Receipt]:
        """The latest decisions, oldest first."""
        opened = self._opened.get(name)
        return opened.guide.receipts if opened else deque()


def _set_up() -> _Sockets:
    """Inside the namespace, with the engine's rights."""
    listening = _listen(0)
    try:
        netlink.route_all(network for network in REFUSED_V4 if network not in (_LOOPBACK, FAKE))
        netlink.redirect(listening.getsockname()[1])
    except OSError:
        return _Sockets(listening, None, None)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setblocking(False)
    udp.bind(("127.0.0.1", netlink.DNS_PORT))
    return _Sockets(listening, udp, _listen(netlink.DNS_PORT))


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(256)
    return sock


def _proxy_variables(port: int) -> dict[str, str]:
    address = f"127.0.0.1:{port}"
    http = dict.fromkeys(_VARIABLES, f"http://{address}")
    local = "localhost,127.0.0.1,::1"
    return {**http, "ALL_PROXY": f"socks5h://{address}", "NO_PROXY": local, "no_proxy": local}
