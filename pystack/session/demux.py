"""Which layer a datagram is for, by its first byte (RFC 7983 section 7, RFC 9443; RFC 5761 section 4 for RTCP).

Called by the session for each datagram that arrives, so it is a look-up and not a chain of comparisons.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DTLS", "RTCP", "RTP", "STUN", "UNKNOWN", "classify"]

UNKNOWN: Final = 0
STUN: Final = 1
DTLS: Final = 2
RTP: Final = 3
RTCP: Final = 4

_FIRST: Final = bytes(
    STUN if first <= 3 else DTLS if 20 <= first <= 63 else RTP if 128 <= first <= 191 else UNKNOWN
    for first in range(256)
)


def classify(datagram: bytes) -> int:
    """Return :data:`STUN`, :data:`DTLS`, :data:`RTP`, :data:`RTCP` or :data:`UNKNOWN`."""
    if not datagram:
        return UNKNOWN
    kind = _FIRST[datagram[0]]
    # RFC 5761: with RTP and RTCP on one port, payload types 64 to 95 are not used for RTP.
    if kind == RTP and len(datagram) > 1 and 192 <= datagram[1] <= 223:
        return RTCP
    return kind
