"""The STUN codec (RFC 8489) with the attributes of ICE (RFC 8445 section 16.1).

The idea: a message is a method, a class, a transaction id and an ordered list of ``(type, bytes)``. Nothing is thrown
away, so unknown attributes survive; the few that ICE looks at are read on demand by name. Parsing checks the framing,
the magic cookie and the FINGERPRINT; whether the MESSAGE-INTEGRITY is right is asked with a key
(:meth:`StunMessage.authentic`). Raises only :class:`~pystack.errors.DecodeError`.

Called by :mod:`pystack.ice.lite`, :mod:`pystack.ice.consent` and the transports in :mod:`pystack.aio`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from hmac import compare_digest
from hmac import digest as hmac_digest
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from struct import Struct
from zlib import crc32

import attrs

from pystack.errors import DecodeError

__all__ = [
    "BINDING",
    "Attribute",
    "StunClass",
    "StunMessage",
    "binding_request",
    "build",
    "decode_error_code",
    "decode_xor_address",
    "encode_error_code",
    "encode_unknown_attributes",
    "encode_xor_address",
    "is_stun",
    "parse",
    "peek_username",
]

BINDING = 0x001
COOKIE = b"\x21\x12\xa4\x42"
HEADER_SIZE = 20
TRANSACTION_ID_SIZE = 12
_HEADER = Struct("!HH4s12s")
_ATTRIBUTE = Struct("!HH")
_U16 = Struct("!H")
_U32 = Struct("!I")
_U64 = Struct("!Q")
_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_SIZE = 20
_COMPREHENSION_OPTIONAL = 0x8000


class StunClass(IntEnum):
    """The class of a message (RFC 8489 section 5)."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """The attribute types that are known here (RFC 8489 section 18.3, RFC 8445 section 20.1)."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


_REQUIRED_KNOWN = frozenset(int(a) for a in Attribute if a < _COMPREHENSION_OPTIONAL)


def _join_type(method: int, message_class: int) -> int:
    """Interleave the two class bits with the twelve of the method (RFC 8489 figure 3)."""
    return (
        (method & 0x000F)
        | (message_class & 1) << 4
        | (method & 0x0070) << 1
        | (message_class & 2) << 7
        | (method & 0x0F80) << 2
    )


def _split_type(value: int) -> tuple[int, int]:
    method = (value & 0x000F) | (value & 0x00E0) >> 1 | (value & 0x3E00) >> 2
    return method, (value >> 4 & 1) | (value >> 7 & 2)


@attrs.define(eq=False)
class StunMessage:
    """A message as it was parsed.

    Attributes:
        method: ``BINDING`` in ICE.
        message_class: request, indication, success or error.
        transaction_id: twelve bytes.
        attributes: all of them in order, raw and without padding, the unknown ones too.
    """

    method: int
    message_class: StunClass
    transaction_id: bytes
    attributes: list[tuple[int, bytes]]
    _signed: bytes | None = attrs.field(default=None, repr=False, alias="signed")
    _trusted: int = attrs.field(default=-1, repr=False, alias="trusted")

    def get(self, kind: int) -> bytes | None:
        """The first attribute of this type, or ``None``.

        What follows MESSAGE-INTEGRITY is not covered by it and is not found (RFC 8489 section 14.5).
        """
        attributes = self.attributes if self._trusted < 0 else self.attributes[: self._trusted]
        for have, value in attributes:
            if have == kind:
                return value
        return None

    @property
    def username(self) -> str | None:
        """USERNAME, or ``None`` if there is none or it is not UTF-8."""
        value = self.get(Attribute.USERNAME)
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None

    @property
    def priority(self) -> int | None:
        """PRIORITY, or ``None``."""
        value = self.get(Attribute.PRIORITY)
        return _U32.unpack(value)[0] if value is not None and len(value) == 4 else None

    @property
    def controlling(self) -> int | None:
        """The tie-breaker of ICE-CONTROLLING, or ``None``."""
        value = self.get(Attribute.ICE_CONTROLLING)
        return _U64.unpack(value)[0] if value is not None and len(value) == 8 else None

    @property
    def controlled(self) -> int | None:
        """The tie-breaker of ICE-CONTROLLED, or ``None``."""
        value = self.get(Attribute.ICE_CONTROLLED)
        return _U64.unpack(value)[0] if value is not None and len(value) == 8 else None

    @property
    def use_candidate(self) -> bool:
        """Whether USE-CANDIDATE is there."""
        return self.get(Attribute.USE_CANDIDATE) is not None

    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """XOR-MAPPED-ADDRESS as ``(host, port)``, or ``None`` if there is none or it is malformed."""
        value = self.get(Attribute.XOR_MAPPED_ADDRESS)
        if value is None:
            return None
        try:
            return decode_xor_address(value, self.transaction_id)
        except DecodeError:
            return None

    @property
    def error(self) -> tuple[int, str] | None:
        """ERROR-CODE as ``(code, phrase)``, or ``None`` if there is none or it is malformed."""
        value = self.get(Attribute.ERROR_CODE)
        if value is None:
            return None
        try:
            return decode_error_code(value)
        except DecodeError:
            return None

    @property
    def unknown_required(self) -> tuple[int, ...]:
        """The comprehension-required types that are not known here, for an error 420."""
        attributes = self.attributes if self._trusted < 0 else self.attributes[: self._trusted]
        return tuple(k for k, _ in attributes if k < _COMPREHENSION_OPTIONAL and k not in _REQUIRED_KNOWN)

    @property
    def integrity_present(self) -> bool:
        """Whether MESSAGE-INTEGRITY is there, right or wrong."""
        return self._signed is not None

    def authentic(self, key: bytes) -> bool:
        """Tell whether MESSAGE-INTEGRITY is there and right (RFC 8489 section 14.5), in constant time."""
        if self._signed is None:
            return False
        return compare_digest(self.attributes[self._trusted - 1][1], hmac_digest(key, self._signed, "sha1"))


def is_stun(data: bytes) -> bool:
    """Tell whether a datagram claims to be STUN: two zero bits first and the magic cookie (RFC 7983 section 7)."""
    return len(data) >= HEADER_SIZE and data[0] < 4 and data[4:8] == COOKIE


def parse(data: bytes) -> StunMessage:
    """Parse one datagram.

    Raises:
        DecodeError: it is not STUN, its framing is wrong, or its FINGERPRINT does not match.
    """
    size = len(data)
    if size < HEADER_SIZE:
        raise DecodeError("STUN: shorter than its header")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != COOKIE:
        raise DecodeError("STUN: no magic cookie")
    if length & 3 or length != size - HEADER_SIZE:
        raise DecodeError("STUN: wrong length")
    attributes: list[tuple[int, bytes]] = []
    signed: bytes | None = None
    trusted = -1
    at = HEADER_SIZE
    while at < size:
        attribute, length = _ATTRIBUTE.unpack_from(data, at)
        end = at + 4 + length
        if end > size:
            raise DecodeError("STUN: attribute beyond the end")
        value = data[at + 4 : end]
        if attribute == Attribute.MESSAGE_INTEGRITY and signed is None:
            if length != _INTEGRITY_SIZE:
                raise DecodeError("STUN: MESSAGE-INTEGRITY of a wrong size")
            # The header that was signed says that the message ends with this attribute.
            signed = data[:2] + _U16.pack(end - HEADER_SIZE) + data[4:at]
            trusted = len(attributes) + 1
        elif attribute == Attribute.FINGERPRINT:
            if length != 4 or end != size:
                raise DecodeError("STUN: FINGERPRINT is not last")
            if _U32.unpack(value)[0] != crc32(data[:at]) ^ _FINGERPRINT_XOR:
                raise DecodeError("STUN: wrong FINGERPRINT")
        attributes.append((attribute, value))
        at = end + (-length & 3)
    method, message_class = _split_type(kind)
    return StunMessage(method, StunClass(message_class), transaction_id, attributes, signed, trusted)


def peek_username(data: bytes) -> bytes | None:
    """The raw USERNAME of what :func:`is_stun` took for STUN, without parsing the rest; ``None`` if there is none.

    Called by the mux for every STUN datagram, noise included, so that only what names a session is parsed.
    """
    size = len(data)
    at = HEADER_SIZE
    while at + 4 <= size:
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        if kind == Attribute.USERNAME:
            value = data[at + 4 : at + 4 + length]
            return value if len(value) == length else None
        at += 4 + length + (-length & 3)
    return None


def build(
    method: int,
    message_class: StunClass,
    transaction_id: bytes,
    attributes: Sequence[tuple[int, bytes]] = (),
    *,
    key: bytes | None = None,
    fingerprint: bool = True,
) -> bytes:
    """Build one message.

    Args:
        method: ``BINDING`` in ICE.
        message_class: request, indication, success or error.
        transaction_id: twelve bytes.
        attributes: ``(type, value)`` in the order on the wire; padding is added here.
        key: signs it with MESSAGE-INTEGRITY: the password, for short-term credentials (RFC 8489 section 9.1.1).
        fingerprint: end it with FINGERPRINT, as ICE demands (RFC 8445 section 7.1).
    """
    body = bytearray()
    for kind, value in attributes:
        body += _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) & 3)
    kind = _join_type(method, message_class)
    if key is not None:
        head = _HEADER.pack(kind, len(body) + 4 + _INTEGRITY_SIZE, COOKIE, transaction_id)
        body += _ATTRIBUTE.pack(Attribute.MESSAGE_INTEGRITY, _INTEGRITY_SIZE) + hmac_digest(key, head + body, "sha1")
    if not fingerprint:
        return _HEADER.pack(kind, len(body), COOKIE, transaction_id) + bytes(body)
    data = _HEADER.pack(kind, len(body) + 8, COOKIE, transaction_id) + bytes(body)
    return data + _ATTRIBUTE.pack(Attribute.FINGERPRINT, 4) + _U32.pack(crc32(data) ^ _FINGERPRINT_XOR)


def binding_request(
    transaction_id: bytes,
    username: str,
    key: bytes,
    *,
    priority: int,
    tie_breaker: int,
    controlling: bool = True,
    use_candidate: bool = False,
    extra: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Build a connectivity check (RFC 8445 section 7.1).

    Args:
        transaction_id: twelve bytes, new for each check.
        username: ``theirs:ours``, the receiver's fragment first.
        key: the receiver's password.
        priority: of the peer-reflexive candidate that the receiver may learn from this check.
        tie_breaker: 64 bits, the same for the whole session.
        controlling: our role.
        use_candidate: nominate this pair.
        extra: further attributes, signed with the rest.
    """
    attributes = [
        (Attribute.USERNAME, username.encode()),
        (Attribute.ICE_CONTROLLING if controlling else Attribute.ICE_CONTROLLED, _U64.pack(tie_breaker)),
        *(((Attribute.USE_CANDIDATE, b""),) if use_candidate else ()),
        (Attribute.PRIORITY, _U32.pack(priority)),
        *extra,
    ]
    return build(BINDING, StunClass.REQUEST, transaction_id, attributes, key=key)


def encode_xor_address(host: str, port: int, transaction_id: bytes) -> bytes:
    """The value of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2). A scope id behind ``%`` is left out.

    Raises:
        DecodeError: ``host`` is not an address.
    """
    pad = COOKIE + transaction_id
    try:
        if ":" in host:
            family, address = 2, IPv6Address(host.partition("%")[0]).packed
        else:
            family, address = 1, IPv4Address(host).packed
    except AddressValueError as error:
        raise DecodeError(f"STUN: not an address: {host!r}") from error
    mixed = int.from_bytes(address) ^ int.from_bytes(pad[: len(address)])
    return bytes((0, family)) + _U16.pack(port ^ 0x2112) + mixed.to_bytes(len(address))


def decode_xor_address(value: bytes, transaction_id: bytes) -> tuple[str, int]:
    """The ``(host, port)`` in a XOR-MAPPED-ADDRESS.

    Raises:
        DecodeError: the family is unknown, or the size does not fit it.
    """
    if len(value) not in {8, 20} or value[1] != (1 if len(value) == 8 else 2):
        raise DecodeError("STUN: malformed address")
    pad = COOKIE + transaction_id
    mixed = int.from_bytes(value[4:]) ^ int.from_bytes(pad[: len(value) - 4])
    address = IPv4Address(mixed) if len(value) == 8 else IPv6Address(mixed)
    return str(address), _U16.unpack_from(value, 2)[0] ^ 0x2112


def encode_error_code(code: int, phrase: str) -> bytes:
    """The value of ERROR-CODE (RFC 8489 section 14.8)."""
    return bytes((0, 0, code // 100, code % 100)) + phrase.encode()


def decode_error_code(value: bytes) -> tuple[int, str]:
    """The ``(code, phrase)`` in an ERROR-CODE.

    Raises:
        DecodeError: it is too short or its numbers are out of range.
    """
    if len(value) < 4 or not 3 <= value[2] & 7 <= 6 or value[3] > 99:
        raise DecodeError("STUN: malformed ERROR-CODE")
    return (value[2] & 7) * 100 + value[3], value[4:].decode(errors="replace")


def encode_unknown_attributes(kinds: Sequence[int]) -> bytes:
    """The value of UNKNOWN-ATTRIBUTES (RFC 8489 section 14.13)."""
    return b"".join(_U16.pack(kind) for kind in kinds)
