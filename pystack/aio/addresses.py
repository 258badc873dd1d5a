"""The addresses of this machine that are worth a candidate.

Loopback is left out unless it is asked for or there is nothing else: no browser pairs with it by itself, but two
processes on a machine without a network still find each other. Link-local addresses are left out always.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import ifaddr

__all__ = ["is_wildcard", "local_addresses"]

_WILDCARDS = {"", "*", "0.0.0.0", "::"}


def is_wildcard(host: str) -> bool:
    """Whether ``host`` stands for "all addresses": empty, ``*``, ``0.0.0.0`` or ``::``."""
    return host in _WILDCARDS


def local_addresses(
    *,
    ipv4: bool = True,
    ipv6: bool = True,
    loopback: bool = False,
    allowed: Callable[[str], bool] | None = None,
) -> list[str]:
    """The unicast addresses of the interfaces, IPv4 first.

    Args:
        ipv4: include IPv4.
        ipv6: include IPv6.
        loopback: include loopback although there are others.
        allowed: asked for each address; what it refuses is left out, and loopback does not stand in for it.
    """
    outside: list[IPv4Address | IPv6Address] = []
    inside: list[IPv4Address | IPv6Address] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0].partition("%")[0])
            if not (ipv4 if address.version == 4 else ipv6):
                continue
            if address.is_link_local or address.is_unspecified or address.is_multicast:
                continue
            (inside if address.is_loopback else outside).append(address)
    found = outside + inside if loopback or not outside else outside
    unique = dict.fromkeys(str(address) for address in sorted(found, key=lambda a: (a.version, a.is_loopback)))
    return [address for address in unique if allowed is None or allowed(address)]
