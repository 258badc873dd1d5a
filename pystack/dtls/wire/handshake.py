"""Handshake messages: the header with its fragment fields (RFC 6347 section 4.2.2), and the bodies.

RFC 5246 section 7.4 and RFC 8422 section 5 for the bodies, RFC 6347 section 4.2.1 for the cookie. Bodies are values:
``parse`` raises only :class:`~pystack.errors.DecodeError`, and ``parse(serialize())`` gives the value back. Called by
the fragment assembler, the flights and the two handshakes.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple, Self

import attrs

from pystack.dtls.wire.cursor import Cursor, vector8, vector16, vector24
from pystack.dtls.wire.extensions import Extensions, parse_extensions, serialize_extensions
from pystack.errors import DecodeError

__all__ = [
    "MESSAGE_HEADER_SIZE",
    "RANDOM_SIZE",
    "VERIFY_DATA_SIZE",
    "CertificateChain",
    "CertificateRequest",
    "CertificateVerify",
    "ClientHello",
    "ClientKeyExchange",
    "Finished",
    "Fragment",
    "HandshakeType",
    "HelloVerifyRequest",
    "ServerHello",
    "ServerKeyExchange",
    "pack_message_header",
    "parse_fragments",
]

_HEADER = Struct("!BBHHBHBH")
MESSAGE_HEADER_SIZE = _HEADER.size
RANDOM_SIZE = 32
VERIFY_DATA_SIZE = 12
_NAMED_CURVE = 3


class HandshakeType(IntEnum):
    """The messages of a DTLS 1.2 handshake."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    HELLO_VERIFY_REQUEST = 3
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


class Fragment(NamedTuple):
    """A piece of a message: ``data`` belongs at ``offset`` of a body of ``length`` bytes."""

    kind: int
    sequence: int
    length: int
    offset: int
    data: bytes


def pack_message_header(kind: int, sequence: int, length: int, offset: int, size: int) -> bytes:
    """The header of a fragment of ``size`` bytes at ``offset`` of message ``sequence`` with ``length`` bytes."""
    return _HEADER.pack(
        kind, length >> 16, length & 0xFFFF, sequence, offset >> 16, offset & 0xFFFF, size >> 16, size & 0xFFFF
    )


def parse_fragments(payload: bytes) -> list[Fragment]:
    """The fragments in the payload of one handshake record; there may be several (RFC 6347 section 4.2.3).

    Raises:
        DecodeError: cut short, empty, or a fragment that reaches beyond its message.
    """
    found: list[Fragment] = []
    at, end = 0, len(payload)
    while True:
        if end - at < MESSAGE_HEADER_SIZE:
            raise DecodeError("handshake header cut short")
        kind, high, low, sequence, offset_high, offset_low, size_high, size_low = _HEADER.unpack_from(payload, at)
        at += MESSAGE_HEADER_SIZE
        length = high << 16 | low
        offset = offset_high << 16 | offset_low
        size = size_high << 16 | size_low
        if offset + size > length:
            raise DecodeError("fragment beyond its message")
        if size > end - at:
            raise DecodeError("fragment cut short")
        found.append(Fragment(kind, sequence, length, offset, payload[at : at + size]))
        at += size
        if at == end:
            return found


@attrs.frozen
class ClientHello:
    """What a client offers. ``suites`` and ``compressions`` are in the client's order of preference."""

    version: int
    random: bytes
    session_id: bytes
    cookie: bytes
    suites: tuple[int, ...]
    compressions: bytes
    extensions: Extensions

    def serialize(self) -> bytes:
        """The body."""
        return b"".join(
            (
                self.version.to_bytes(2),
                self.random,
                vector8(self.session_id),
                vector8(self.cookie),
                vector16(b"".join(suite.to_bytes(2) for suite in self.suites)),
                vector8(self.compressions),
                serialize_extensions(self.extensions),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        hello = cls(
            cursor.number(2),
            cursor.take(RANDOM_SIZE),
            cursor.vector(1),
            cursor.vector(1),
            cursor.numbers16(2),
            cursor.vector(1),
            parse_extensions(cursor),
        )
        cursor.finish()
        if len(hello.session_id) > 32 or not hello.suites or not hello.compressions:
            raise DecodeError("malformed ClientHello")
        return hello


@attrs.frozen
class ServerHello:
    """What the server chose."""

    version: int
    random: bytes
    session_id: bytes
    suite: int
    compression: int
    extensions: Extensions

    def serialize(self) -> bytes:
        """The body."""
        return b"".join(
            (
                self.version.to_bytes(2),
                self.random,
                vector8(self.session_id),
                self.suite.to_bytes(2),
                self.compression.to_bytes(1),
                serialize_extensions(self.extensions),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        hello = cls(
            cursor.number(2),
            cursor.take(RANDOM_SIZE),
            cursor.vector(1),
            cursor.number(2),
            cursor.number(1),
            parse_extensions(cursor),
        )
        cursor.finish()
        if len(hello.session_id) > 32:
            raise DecodeError("malformed ServerHello")
        return hello


@attrs.frozen
class HelloVerifyRequest:
    """A server's demand that the client shows it can receive at its address. The version says nothing."""

    version: int
    cookie: bytes

    def serialize(self) -> bytes:
        """The body."""
        return self.version.to_bytes(2) + vector8(self.cookie)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        request = cls(cursor.number(2), cursor.vector(1))
        cursor.finish()
        return request


@attrs.frozen
class CertificateChain:
    """The Certificate message: DER certificates, the sender's own first; empty if it has none."""

    certificates: tuple[bytes, ...]

    def serialize(self) -> bytes:
        """The body."""
        return vector24(b"".join(vector24(der) for der in self.certificates))

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        entries = Cursor(cursor.vector(3))
        cursor.finish()
        found: list[bytes] = []
        while not entries.empty:
            found.append(entries.vector(3))
        return cls(tuple(found))


@attrs.frozen
class ServerKeyExchange:
    """An ephemeral elliptic-curve key and the signature over it (RFC 8422 section 5.4)."""

    group: int
    public: bytes
    scheme: int
    signature: bytes

    @property
    def parameters(self) -> bytes:
        """The part that is signed, behind the two randoms."""
        return bytes((_NAMED_CURVE,)) + self.group.to_bytes(2) + vector8(self.public)

    def serialize(self) -> bytes:
        """The body."""
        return self.parameters + self.scheme.to_bytes(2) + vector16(self.signature)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body; only named curves exist any more."""
        cursor = Cursor(body)
        if cursor.number(1) != _NAMED_CURVE:
            raise DecodeError("not a named curve")
        exchange = cls(cursor.number(2), cursor.vector(1), cursor.number(2), cursor.vector(2))
        cursor.finish()
        return exchange


@attrs.frozen
class CertificateRequest:
    """Which certificates the server takes. ``authorities`` is kept as it came; self-signed peers leave it empty."""

    types: bytes
    schemes: tuple[int, ...]
    authorities: bytes = b""

    def serialize(self) -> bytes:
        """The body."""
        return b"".join(
            (
                vector8(self.types),
                vector16(b"".join(scheme.to_bytes(2) for scheme in self.schemes)),
                vector16(self.authorities),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        request = cls(cursor.vector(1), cursor.numbers16(2), cursor.vector(2))
        cursor.finish()
        return request


@attrs.frozen
class ClientKeyExchange:
    """The client's ephemeral key (RFC 8422 section 5.7)."""

    public: bytes

    def serialize(self) -> bytes:
        """The body."""
        return vector8(self.public)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        exchange = cls(cursor.vector(1))
        cursor.finish()
        return exchange


@attrs.frozen
class CertificateVerify:
    """The client's signature over the handshake so far."""

    scheme: int
    signature: bytes

    def serialize(self) -> bytes:
        """The body."""
        return self.scheme.to_bytes(2) + vector16(self.signature)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        cursor = Cursor(body)
        verify = cls(cursor.number(2), cursor.vector(2))
        cursor.finish()
        return verify


@attrs.frozen
class Finished:
    """Proof that both sides saw the same handshake."""

    verify_data: bytes

    def serialize(self) -> bytes:
        """The body."""
        return self.verify_data

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body."""
        if len(body) != VERIFY_DATA_SIZE:
            raise DecodeError("malformed Finished")
        return cls(body)
