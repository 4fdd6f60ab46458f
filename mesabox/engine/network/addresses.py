"""Which addresses a sandbox may reach: public ones, and never this machine or its neighbours."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# Named one by one: `is_private` would also refuse ranges that are public in all but name (documentation).
_REFUSED_V4 = {
    "0.0.0.0/8": "this network", "10.0.0.0/8": "private", "100.64.0.0/10": "shared", "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local", "172.16.0.0/12": "private", "192.0.0.0/24": "reserved",
    "192.168.0.0/16": "private", "198.18.0.0/15": "synthetic", "224.0.0.0/4": "multicast", "240.0.0.0/4": "reserved",
}  # fmt: skip
_REFUSED_V6 = {
    "::/128": "this network", "::1/128": "loopback", "fc00::/7": "private", "fe80::/10": "link-local",
    "fec0::/10": "private", "ff00::/8": "multicast",
}  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")

REFUSED_V4 = tuple(map(IPv4Network, _REFUSED_V4))
_KINDS: dict[IPv4Network | IPv6Network, str] = {
    **dict(zip(REFUSED_V4, _REFUSED_V4.values(), strict=True)),
    **{IPv6Network(text): kind for text, kind in _REFUSED_V6.items()},
}


def parse(text: str) -> Address:
    """A zone (``fe80::1%eth0``) is left out. ValueError for what is no address."""
    return ip_address(text.partition("%")[0])


def why_refused(address: Address) -> str | None:
    """The kind of address that no sandbox reaches; None for a public one."""
    if isinstance(address, IPv6Address) and (inner := _inner_ipv4(address)) is not None:
        return why_refused(inner)
    for network, kind in _KINDS.items():
        if address in network:
            return kind
    return "this machine's own" if _is_ours(address) else None


def _inner_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Mapped, 6to4 and NAT64 addresses lead to an IPv4 one."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_ours(address: Address) -> bool:
    """An address of this machine is one that a socket can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
