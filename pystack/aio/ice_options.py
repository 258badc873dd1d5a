"""What a full ICE agent may use: servers, addresses, ports and time. Values only.

Made by :mod:`pystack.peer` from its configuration, or by hand; read by :mod:`pystack.aio.full` and
:mod:`pystack.aio.ice`.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Literal

import attrs

from pystack.aio.udp import UdpOptions
from pystack.errors import InvalidArgument
from pystack.ice import ConsentOptions

__all__ = ["FullIceOptions", "IceServer"]


@attrs.frozen(kw_only=True)
class IceServer:
    """A STUN or TURN server (RFC 7064, RFC 7065).

    Attributes:
        host: name or address.
        port: UDP or TCP port.
        kind: ``stun`` or ``turn``.
        transport: ``udp`` or ``tcp``, to a TURN server.
        tls: over TLS (``turns:``).
        username: of a TURN server.
        credential: its password.
    """

    host: str
    port: int
    kind: Literal["stun", "turn"] = "stun"
    transport: Literal["udp", "tcp"] = "udp"
    tls: bool = False
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str, username: str | None = None, credential: str | None = None) -> IceServer:
        """Read ``stun:host[:port]``, ``turn:host[:port][?transport=udp|tcp]`` or ``turns:...``.

        Raises:
            InvalidArgument: it is none of these, or a TURN server comes without username and credential.
        """
        if not isinstance(url, str):
            raise InvalidArgument(
                f"ICE server: url is one text, such as 'stun:example.org', not {url!r:.80}; make one server of each"
            )
        scheme, _, rest = url.partition(":")
        scheme = scheme.lower()
        where, asks, query = rest.partition("?")
        if scheme not in {"stun", "turn", "turns"} or not where or where.startswith("//"):
            raise InvalidArgument(f"ICE server: {url!r} is not of the form stun:host, turn:host:port or turns:host")
        host, port = _split_port(where, 5349 if scheme == "turns" else 3478, url)
        if scheme == "stun":
            if asks:
                raise InvalidArgument(f"ICE server: {url!r} has a query, which only turn: and turns: may have")
            return cls(host=host, port=port)
        if not username or credential is None:
            raise InvalidArgument(f"ICE server: {url!r} needs a username and a credential")
        if not isinstance(username, str) or not isinstance(credential, str):
            raise InvalidArgument(f"ICE server: {url!r} needs a username and a credential that are texts")
        transport = query.lower().removeprefix("transport=") if asks else ("tcp" if scheme == "turns" else "udp")
        if transport not in {"udp", "tcp"} or (scheme == "turns" and transport == "udp"):
            raise InvalidArgument(f"ICE server: {url!r}: transport must be udp or tcp (with turns: tcp)")
        return cls(
            host=host,
            port=port,
            kind="turn",
            transport="tcp" if transport == "tcp" else "udp",
            tls=scheme == "turns",
            username=username,
            credential=credential,
        )


def _split_port(where: str, default: int, url: str) -> tuple[str, int]:
    host, bracket, rest = where.removeprefix("[").partition("]") if where.startswith("[") else (where, "", "")
    if not bracket:
        host, _, rest = where.partition(":")
        rest = f":{rest}" if rest else ""
    _check_host(host, bool(bracket), url)
    if not rest:
        return host, default
    port = rest[1:]
    if rest[0] != ":" or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise InvalidArgument(f"ICE server: {url!r} has no valid port")
    return host, int(port)


def _check_host(host: str, bracketed: bool, url: str) -> None:
    """See that it is a name or an address, and no user, path or space beside it (RFC 7064 and 7065, section 3.1)."""
    if bracketed:
        try:
            IPv6Address(host)
        except ValueError:
            raise InvalidArgument(f"ICE server: {url!r} has no IPv6 address in its brackets") from None
    elif not host or not all(letter.isalnum() or letter in "-._" for letter in host):
        user = "; the user is given as username=" if "@" in host else ""
        raise InvalidArgument(f"ICE server: {url!r} has {host!r} where a host name or an address should be{user}")


@attrs.frozen(kw_only=True)
class FullIceOptions:
    """How a full agent gathers, and how patient it is (seconds).

    Attributes:
        servers: STUN and TURN servers to ask.
        policy: ``relay`` uses nothing but relays (RFC 9429 section 3.5.3).
        port_range: ``(first, last)`` for host sockets; any port without it.
        address_filter: asked for each local address; false leaves it out.
        ipv4: use IPv4.
        ipv6: use IPv6.
        loopback: use loopback although there are other addresses.
        connect_timeout: from ``start`` to a nominated path, else ``failed``.
        gather_timeout: for the servers to answer.
        consent: the liveness of a connected path.
        udp: how the sockets are set up.
    """

    servers: tuple[IceServer, ...] = ()
    policy: Literal["all", "relay"] = "all"
    port_range: tuple[int, int] | None = None
    address_filter: Callable[[str], bool] | None = None
    ipv4: bool = True
    ipv6: bool = True
    loopback: bool = False
    connect_timeout: float = 30.0
    gather_timeout: float = 5.0
    consent: ConsentOptions = attrs.field(factory=ConsentOptions)
    udp: UdpOptions = attrs.field(factory=UdpOptions)
