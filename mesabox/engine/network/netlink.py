"""The two things the kernel must be told inside a sandbox's network namespace, in netlink's own words.

Routes that make every IPv4 address local to the loopback (AnyIP), and nftables rules that redirect what goes to
addresses other than 127/8: TCP to our listener, DNS to our stub. The messages are the same for every sandbox but for
one port, and one batch of each does it in well under a millisecond; the libraries that build such messages take 200 ms
to import and several per sandbox (measured).
"""

import os
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Network

DNS_PORT = 53

_NETFILTER = 12  # NETLINK_NETFILTER
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800
_NESTED = 0x8000
_NFT = 10 << 8  # NFNL_SUBSYS_NFTABLES
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE = _NFT | 0, _NFT | 3, _NFT | 6
_BATCH_BEGIN, _BATCH_END = 16, 17
_IPV4 = 2
_TABLE, _CHAIN = b"mesabox\0", b"out\0"
_TCP, _UDP = 6, 17
_EVERYTHING = IPv4Network("0.0.0.0/0")
_LOCAL, _UNREACHABLE = 2, 7  # RTN_LOCAL, RTN_UNREACHABLE


def route_all(unreachable: Iterable[IPv4Network]) -> None:
    """Every IPv4 address is the loopback's, but for networks that fail at once. OSError when the kernel refuses."""
    routes = [_route(_EVERYTHING, _LOCAL), *(_route(network, _UNREACHABLE) for network in unreachable)]
    _talk(socket.NETLINK_ROUTE, [_loopback_up(), *routes])


def redirect(port: int) -> None:
    """TCP to our listener at ``port``, DNS to our stub, both on the loopback. OSError without nftables' NAT."""
    _talk(_NETFILTER, _redirections(port))


def _talk(family: int, messages: list[bytes]) -> None:
    """Send all, then read an acknowledgement for each that asks for one; the first refusal is raised."""
    wanted = sum(1 for message in messages if struct.unpack_from("=H", message, 6)[0] & _ACK)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family) as link:
        link.settimeout(5)
        link.bind((0, 0))
        link.send(b"".join(messages))
        while wanted > 0:
            wanted -= _acknowledged(link.recv(65536))


def _acknowledged(data: bytes) -> int:
    """How many acknowledgements ``data`` holds. OSError for a refusal."""
    count, at = 0, 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == 2:  # NLMSG_ERROR, which is the acknowledgement too
            (code,) = struct.unpack_from("=i", data, at + 16)
            if code:
                raise OSError(-code, f"netlink: {os.strerror(-code)}")
            count += 1
        at += max(16, (length + 3) & ~3)
    return count


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags | _REQUEST, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, *attributes: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(attributes))


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("!i", value))


def _loopback_up() -> bytes:
    up = 1
    return _message(16, _ACK, struct.pack("=BxHiII", 0, 0, 1, up, up))  # RTM_NEWLINK of interface 1


def _route(network: IPv4Network, kind: int) -> bytes:
    """``ip route add local|unreachable NETWORK table local``."""
    local_table, static, host = 255, 4, 254
    scope = host if kind == _LOCAL else 0
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, network.prefixlen, 0, 0, local_table, static, scope, kind, 0)
    destination = _attribute(1, network.network_address.packed) if network.prefixlen else b""
    through = _attribute(4, struct.pack("=I", 1)) if kind == _LOCAL else b""  # RTA_OIF lo
    return _message(24, _ACK | _CREATE, body + destination + through)


def _redirections(port: int) -> list[bytes]:
    """Table, chain on the way out, and a rule for each of TCP and DNS over UDP, as one transaction."""
    batch = struct.pack("!BBH", 0, 0, 10)
    hook = _nested(4, _number(1, 3), _number(2, -100))  # NF_INET_LOCAL_OUT, at the priority of destination NAT
    return [
        _message(_BATCH_BEGIN, 0, batch),
        _nft(_NEW_TABLE, _attribute(1, _TABLE)),
        _nft(_NEW_CHAIN, _attribute(1, _TABLE), _attribute(3, _CHAIN), hook, _attribute(7, b"nat\0")),
        _rule(_elsewhere(), _protocol(_TCP), _redirect(port)),
        _rule(_elsewhere(), _protocol(_UDP), _to_port(DNS_PORT), _redirect(DNS_PORT)),
        _message(_BATCH_END, 0, batch),
    ]


def _nft(kind: int, *attributes: bytes) -> bytes:
    flags = _ACK | _CREATE | (_APPEND if kind == _NEW_RULE else 0)
    return _message(kind, flags, struct.pack("!BBH", _IPV4, 0, 0) + b"".join(attributes))


def _rule(*parts: list[bytes]) -> bytes:
    expressions = [expression for part in parts for expression in part]
    return _nft(_NEW_RULE, _attribute(1, _TABLE), _attribute(2, _CHAIN), _nested(4, *expressions))


def _expression(name: bytes, *attributes: bytes) -> bytes:
    return _nested(1, _attribute(1, name + b"\0"), _nested(2, *attributes))


def _data(kind: int, value: bytes) -> bytes:
    return _nested(kind, _attribute(1, value))


def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression(b"payload", _number(1, 1), _number(2, base), _number(3, offset), _number(4, length))


def _compare(value: bytes, *, equal: bool = True) -> bytes:
    return _expression(b"cmp", _number(1, 1), _number(2, 0 if equal else 1), _data(3, value))


def _elsewhere() -> list[bytes]:
    """``ip daddr != 127.0.0.0/8``."""
    mask, zero = _data(4, b"\xff\0\0\0"), _data(5, bytes(4))
    first_byte = _expression(b"bitwise", _number(1, 1), _number(2, 1), _number(3, 4), mask, zero)
    return [_payload(1, 16, 4), first_byte, _compare(b"\x7f\0\0\0", equal=False)]


def _protocol(number: int) -> list[bytes]:
    return [_expression(b"meta", _number(1, 1), _number(2, 16)), _compare(bytes([number]))]


def _to_port(port: int) -> list[bytes]:
    return [_payload(2, 2, 2), _compare(struct.pack("!H", port))]


def _redirect(port: int) -> list[bytes]:
    load = _expression(b"immediate", _number(1, 1), _data(2, struct.pack("!H", port)))
    return [load, _expression(b"redir", _number(1, 1))]
