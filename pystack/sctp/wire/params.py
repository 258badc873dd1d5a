"""Optional and variable-length parameters (RFC 9260 section 3.2.1), as found in INIT, INIT-ACK and RE-CONFIG."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import TypeAlias

from pystack.errors import DecodeError

__all__ = ["Parameter", "ParameterType", "decode_parameters", "encode_parameter", "encode_parameters"]

_HEADER = Struct("!HH")

Parameter: TypeAlias = tuple[int, bytes]
"""``(type, value)``; unknown types are kept."""


class ParameterType(IntEnum):
    """Parameter types that are known here, acted on or not."""

    HEARTBEAT_INFO = 1
    IPV4_ADDRESS = 5
    IPV6_ADDRESS = 6
    STATE_COOKIE = 7
    UNRECOGNIZED = 8
    COOKIE_PRESERVATIVE = 9
    HOST_NAME = 11
    SUPPORTED_ADDRESS_TYPES = 12
    OUTGOING_RESET_REQUEST = 13
    INCOMING_RESET_REQUEST = 14
    SSN_TSN_RESET_REQUEST = 15
    RECONFIG_RESPONSE = 16
    ADD_OUTGOING_STREAMS = 17
    ADD_INCOMING_STREAMS = 18
    ECN_CAPABLE = 0x8000
    ZERO_CHECKSUM = 0x8001
    SUPPORTED_EXTENSIONS = 0x8008
    FORWARD_TSN_SUPPORTED = 0xC000


def encode_parameter(kind: int, value: bytes) -> bytes:
    """One parameter, padded to four bytes."""
    return _HEADER.pack(kind, 4 + len(value)) + value + bytes(-len(value) & 3)


def encode_parameters(parameters: Iterable[Parameter]) -> bytes:
    """All of them, one after the other; what pads the last is the chunk's padding (RFC 9260 section 3.2)."""
    encoded, padding = [], 0
    for kind, value in parameters:
        encoded.append(encode_parameter(kind, value))
        padding = -len(value) & 3
    data = b"".join(encoded)
    return data[:-padding] if padding else data


def decode_parameters(data: bytes) -> list[Parameter]:
    """Read a run of parameters; stray bytes that are too few for a header are ignored.

    Raises:
        DecodeError: a length below 4 or past the end.
    """
    found: list[Parameter] = []
    at, end = 0, len(data)
    while at + 4 <= end:
        kind, length = _HEADER.unpack_from(data, at)
        if length < 4 or at + length > end:
            raise DecodeError("parameter length")
        found.append((kind, data[at + 4 : at + length]))
        at += length + (-length & 3)
    return found
