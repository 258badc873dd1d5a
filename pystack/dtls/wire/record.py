"""The DTLS 1.2 record header, and the way from a datagram to its records (RFC 6347 section 4.1).

Called by the engine for everything that arrives and by :mod:`pystack.dtls.records` for everything that leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from pystack.errors import DecodeError

__all__ = [
    "ALERT",
    "APPLICATION_DATA",
    "CHANGE_CIPHER_SPEC",
    "DTLS_1_0",
    "DTLS_1_2",
    "HANDSHAKE",
    "HEADER",
    "HEADER_SIZE",
    "MAX_PLAINTEXT",
    "Record",
    "split_records",
]

CHANGE_CIPHER_SPEC = 20
ALERT = 21
HANDSHAKE = 22
APPLICATION_DATA = 23

DTLS_1_0 = 0xFEFF
DTLS_1_2 = 0xFEFD

HEADER = Struct("!BHQH")
"""Content type, version, epoch (16 bits) and sequence number (48 bits) as one number, length of what follows."""
HEADER_SIZE = HEADER.size
MAX_PLAINTEXT = 1 << 14
"""The largest plaintext of one record (RFC 5246 section 6.2.1)."""
_MAX_CIPHERTEXT = MAX_PLAINTEXT + 2048
_EPOCH_SHIFT = 48


class Record(NamedTuple):
    """One record as it stands in a datagram.

    ``number`` is epoch and sequence number together, as the wire and the AEADs' additional data have it.
    """

    kind: int
    version: int
    number: int
    payload: bytes

    @property
    def epoch(self) -> int:
        """Which keys protect it; 0 for none."""
        return self.number >> _EPOCH_SHIFT


def split_records(datagram: bytes) -> Iterator[Record]:
    """Yield the records of a datagram in order.

    Raises:
        DecodeError: what follows is no record; those before it have been yielded. This includes the unified headers of
            DTLS 1.3 (first byte 0x20 to 0x3F), whose lengths mean something else.
    """
    at, size = 0, len(datagram)
    while at < size:
        if size - at < HEADER_SIZE:
            raise DecodeError("record cut short")
        kind, version, number, length = HEADER.unpack_from(datagram, at)
        if not CHANGE_CIPHER_SPEC <= kind <= APPLICATION_DATA:
            raise DecodeError("unknown content type")
        if version not in {DTLS_1_2, DTLS_1_0}:
            raise DecodeError("unknown record version")
        at += HEADER_SIZE
        if length > _MAX_CIPHERTEXT or length > size - at:
            raise DecodeError("record cut short")
        yield Record(kind, version, number, datagram[at : at + length])
        at += length
