"""The state cookie (RFC 9260 section 5.1.3): all that an INIT taught us, sealed and handed to the peer to keep.

Nothing is stored for an INIT that nobody follows up. The seal is HMAC-SHA256 under a key that never leaves the
association. Called by ``handshake.py``.
"""

from __future__ import annotations

import hmac
from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError

__all__ = ["CookieJar", "PeerParameters", "StateCookie"]

_MAGIC: Final = b"pystack1"
_FIXED = Struct("!8sdLLLLLLLHHB")
_MAC_SIZE: Final = 32


@attrs.frozen
class PeerParameters:
    """What the peer said of itself in INIT or INIT-ACK.

    Attributes:
        tag: goes into every packet to it.
        initial_tsn: the TSN of its first DATA.
        a_rwnd: its receive window in bytes.
        outbound_streams, inbound_streams: what *it* wants to use, and what it takes.
        partial_reliability, stream_reset, zero_checksum, interleaving: the extensions that both sides have.
    """

    tag: int
    initial_tsn: int
    a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    partial_reliability: bool
    stream_reset: bool
    zero_checksum: bool
    interleaving: bool = False


@attrs.frozen
class StateCookie:
    """What is inside a cookie.

    Attributes:
        made_at: the clock when it was made, for its life time.
        local_tag, local_tsn: what our INIT-ACK promised.
        local_tie, peer_tie: tags of the association that existed then, both 0 if none did (RFC 9260 section 5.2).
        peer: the rest of the peer's INIT.
    """

    made_at: float
    local_tag: int
    local_tsn: int
    local_tie: int
    peer_tie: int
    peer: PeerParameters


class CookieJar:
    """Seals and opens cookies under one key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, cookie: StateCookie) -> bytes:
        """The opaque bytes that travel in INIT-ACK."""
        peer = cookie.peer
        flags = peer.partial_reliability | peer.stream_reset << 1 | peer.zero_checksum << 2 | peer.interleaving << 3
        plain = _FIXED.pack(
            _MAGIC,
            cookie.made_at,
            cookie.local_tag,
            cookie.local_tsn,
            cookie.local_tie,
            cookie.peer_tie,
            peer.tag,
            peer.initial_tsn,
            peer.a_rwnd,
            peer.outbound_streams,
            peer.inbound_streams,
            flags,
        )
        return plain + hmac.digest(self._key, plain, "sha256")

    def open(self, sealed: bytes) -> StateCookie:
        """Check the seal and read the cookie; its age is the caller's to judge.

        Raises:
            DecodeError: it is not one of ours, whole and unchanged.
        """
        if len(sealed) < _FIXED.size + _MAC_SIZE:
            raise DecodeError("cookie length")
        plain, mac = sealed[: _FIXED.size], sealed[_FIXED.size : _FIXED.size + _MAC_SIZE]
        # Peers may pad a cookie to four bytes by mistake of the length field; the seal covers what is ours.
        if len(sealed) > _FIXED.size + _MAC_SIZE + 3 or not hmac.compare_digest(
            mac, hmac.digest(self._key, plain, "sha256")
        ):
            raise DecodeError("cookie seal")
        magic, made_at, tag, tsn, local_tie, peer_tie, peer_tag, peer_tsn, rwnd, outbound, inbound, flags = (
            _FIXED.unpack(plain)
        )
        assert magic == _MAGIC
        peer = PeerParameters(
            peer_tag,
            peer_tsn,
            rwnd,
            outbound,
            inbound,
            bool(flags & 1),
            bool(flags & 2),
            bool(flags & 4),
            bool(flags & 8),
        )
        return StateCookie(made_at, tag, tsn, local_tie, peer_tie, peer)
