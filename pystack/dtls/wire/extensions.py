"""Hello extensions: the list as ``(type, bytes)`` pairs, and the contents of those that we speak.

RFC 5246 section 7.4.1.4 (the list), RFC 8422 section 5.1 (groups, point formats), RFC 5764 section 4.1.1 (use_srtp),
RFC 5746 section 3.2 (renegotiation_info), RFC 7627 section 5.1, RFC 8446 section 4.2.1 (supported_versions).

Unknown extensions stay in the list as they came; today's browsers send several, in an order that changes with each
connection. Called by :mod:`pystack.dtls.wire.handshake` and by the two handshakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack
from typing import TypeAlias

from pystack.dtls.wire.cursor import Cursor, vector8, vector16
from pystack.errors import DecodeError

__all__ = [
    "EC_POINT_FORMATS",
    "EXTENDED_MASTER_SECRET",
    "RENEGOTIATION_INFO",
    "SIGNATURE_ALGORITHMS",
    "SUPPORTED_GROUPS",
    "SUPPORTED_VERSIONS",
    "USE_SRTP",
    "Extensions",
    "parse_extensions",
    "parse_numbers8",
    "parse_numbers16",
    "parse_point_formats",
    "parse_renegotiation_info",
    "parse_use_srtp",
    "serialize_extensions",
    "serialize_numbers8",
    "serialize_numbers16",
    "serialize_use_srtp",
]

SUPPORTED_GROUPS = 10
EC_POINT_FORMATS = 11
SIGNATURE_ALGORITHMS = 13
USE_SRTP = 14
EXTENDED_MASTER_SECRET = 23
SUPPORTED_VERSIONS = 43
RENEGOTIATION_INFO = 0xFF01

Extensions: TypeAlias = tuple[tuple[int, bytes], ...]


def parse_extensions(cursor: Cursor) -> Extensions:
    """Read the extensions block that ends a hello, or its absence.

    Raises:
        DecodeError: malformed, or one type twice.
    """
    if cursor.empty:
        return ()
    block = Cursor(cursor.vector(2))
    found: list[tuple[int, bytes]] = []
    while not block.empty:
        kind = block.number(2)
        found.append((kind, block.vector(2)))
    if len({kind for kind, _ in found}) != len(found):
        raise DecodeError("extension repeated")
    return tuple(found)


def serialize_extensions(extensions: Iterable[tuple[int, bytes]]) -> bytes:
    """Write the extensions block; nothing at all when there are none."""
    block = b"".join(kind.to_bytes(2) + vector16(data) for kind, data in extensions)
    return vector16(block) if block else b""


def parse_numbers16(data: bytes) -> tuple[int, ...]:
    """A two-byte-prefixed list of 16-bit numbers: supported_groups, signature_algorithms."""
    cursor = Cursor(data)
    numbers = cursor.numbers16(2)
    cursor.finish()
    return numbers


def serialize_numbers16(numbers: Sequence[int]) -> bytes:
    """The inverse of :func:`parse_numbers16`."""
    return vector16(_pack16(numbers))


def parse_numbers8(data: bytes) -> tuple[int, ...]:
    """A one-byte-prefixed list of 16-bit numbers: supported_versions of a ClientHello."""
    cursor = Cursor(data)
    numbers = cursor.numbers16(1)
    cursor.finish()
    return numbers


def serialize_numbers8(numbers: Sequence[int]) -> bytes:
    """The inverse of :func:`parse_numbers8`."""
    return vector8(_pack16(numbers))


def parse_point_formats(data: bytes) -> bytes:
    """The formats of ec_point_formats, one byte each; 0 is uncompressed."""
    cursor = Cursor(data)
    formats = cursor.vector(1)
    cursor.finish()
    return formats


def parse_renegotiation_info(data: bytes) -> bytes:
    """The renegotiated_connection field; empty in a first handshake."""
    cursor = Cursor(data)
    verify_data = cursor.vector(1)
    cursor.finish()
    return verify_data


def parse_use_srtp(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """The SRTP protection profiles in the sender's order, and the master key identifier (usually empty)."""
    cursor = Cursor(data)
    profiles = cursor.numbers16(2)
    mki = cursor.vector(1)
    cursor.finish()
    return profiles, mki


def serialize_use_srtp(profiles: Sequence[int], mki: bytes = b"") -> bytes:
    """The inverse of :func:`parse_use_srtp`."""
    return serialize_numbers16(profiles) + vector8(mki)


def _pack16(numbers: Sequence[int]) -> bytes:
    return pack(f"!{len(numbers)}H", *numbers)
