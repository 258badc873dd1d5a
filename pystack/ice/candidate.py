"""Candidates as text (RFC 8839 section 5.1) and their priorities (RFC 8445 section 5.1.2).

Whatever a peer writes is understood as far as it goes and kept: names ending in ``.local``, TCP, component 2, upper
case, extensions in any order. What of it can be used is another question, answered by :attr:`Candidate.usable`.
Called by the transports in :mod:`pystack.aio`.
"""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import Final, Literal, Self

import attrs

from pystack.errors import DecodeError

__all__ = ["Candidate", "CandidateType", "candidate_foundation", "candidate_priority", "tcp_candidate_priority"]

CandidateType = Literal["host", "srflx", "prflx", "relay"]

_TYPE_PREFERENCE: Final = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}
_TCP_HOST_PREFERENCE: Final = 90
_MAX_SIZE = 2048


@attrs.frozen(kw_only=True)
class Candidate:
    """One ``a=candidate`` line.

    Attributes:
        foundation: equal for candidates of the same type, base and protocol.
        component: 1 for RTP and all that is multiplexed with it; 2, for RTCP, is not used here.
        transport: ``"udp"`` or ``"tcp"``, in lower case.
        priority: 1 to 2**31 - 1.
        host: an address, or a name that ends in ``.local``.
        port: 0 to 65535; 9 for an active TCP candidate.
        type: ``host``, ``srflx``, ``prflx``, ``relay`` (or what a peer invents).
        related_address: the base, or where a relay saw us; ``None`` for host candidates.
        related_port: its port.
        extensions: everything after that in order, as ``(name, value)``.
    """

    foundation: str
    component: int = 1
    transport: str = "udp"
    priority: int
    host: str
    port: int
    type: str = "host"
    related_address: str | None = None
    related_port: int | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``candidate:...``; an ``a=`` before it, or no ``candidate:`` at all, is tolerated.

        Raises:
            DecodeError: it does not have the seven fields, or a number is none or out of range.
        """
        if len(text) > _MAX_SIZE:
            raise DecodeError("candidate: too long")
        words = text.strip().removeprefix("a=").removeprefix("candidate:").split()
        if len(words) < 8 or words[6].lower() != "typ":
            raise DecodeError(f"candidate: not of the form of RFC 8839: {text[:80]!r}")
        extensions = list(zip(words[8::2], words[9::2], strict=False))
        related_address: str | None = None
        related_port: int | None = None
        if extensions and extensions[0][0].lower() == "raddr":
            related_address = extensions.pop(0)[1]
            if extensions and extensions[0][0].lower() == "rport":
                related_port = _number(extensions.pop(0)[1], 0, 65535)
        return cls(
            foundation=words[0],
            component=_number(words[1], 1, 256),
            transport=words[2].lower(),
            priority=_number(words[3], 0, 2**32 - 1),
            host=words[4],
            port=_number(words[5], 0, 65535),
            type=words[7].lower(),
            related_address=related_address,
            related_port=related_port,
            extensions=tuple(extensions),
        )

    def write(self) -> str:
        """Write it as ``candidate:...``, without ``a=``."""
        text = f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} {self.host} {self.port}"
        text += f" typ {self.type}"
        if self.related_address is not None:
            text += f" raddr {self.related_address}"
            if self.related_port is not None:
                text += f" rport {self.related_port}"
        return text + "".join(f" {name} {value}" for name, value in self.extensions)

    def extension(self, name: str) -> str | None:
        """The value of the extension ``name`` (``tcptype``, ``generation``, ``ufrag``), or ``None``."""
        for have, value in self.extensions:
            if have == name:
                return value
        return None

    @property
    def unusable_because(self) -> str | None:
        """Why no check can be sent to it by UDP: ``"tcp"``, ``"component"``, ``"port"``, ``"mdns"``, ``"address"``,
        ``"type"``; ``None`` if one can.
        """
        if self.transport != "udp":
            return "tcp" if self.transport == "tcp" else "transport"
        if self.component != 1:
            return "component"
        if self.port == 0:
            return "port"
        if self.type not in _TYPE_PREFERENCE:
            return "type"
        if self.host.lower().rstrip(".").endswith(".local"):
            return "mdns"
        try:
            address = ip_address(self.host)
        except ValueError:
            return "address"
        return "address" if address.is_unspecified or address.is_multicast else None


def _number(word: str, low: int, high: int) -> int:
    # str.isdecimal takes digits of every script and int() signs and underscores; ABNF takes neither.
    if not (word.isascii() and word.isdigit()) or len(word) > 10 or not low <= int(word) <= high:
        raise DecodeError(f"candidate: {word[:20]!r} is not a number from {low} to {high}")
    return int(word)


def candidate_priority(kind: CandidateType, local_preference: int = 65535, component: int = 1) -> int:
    """The recommended formula (RFC 8445 section 5.1.2.1)."""
    return _TYPE_PREFERENCE[kind] << 24 | local_preference << 8 | 256 - component


def tcp_candidate_priority(other_preference: int = 8191, component: int = 1) -> int:
    """For a passive host candidate over TCP (RFC 6544 section 4.2): below every host candidate over UDP.

    ``other_preference`` (13 bits) tells those of several addresses apart.
    """
    passive = 4
    return _TCP_HOST_PREFERENCE << 24 | (passive << 13 | other_preference) << 8 | 256 - component


def candidate_foundation(kind: CandidateType, base: str, server: str = "", transport: str = "udp") -> str:
    """Equal for equal type, base address, server and protocol (RFC 8445 section 5.1.1.3); eight hex digits."""
    return hashlib.sha256(f"{kind} {base} {server} {transport}".encode()).hexdigest()[:8]
