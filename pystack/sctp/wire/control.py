"""The small chunks: HEARTBEAT, COOKIE, SHUTDOWN, ABORT, ERROR (RFC 9260 sections 3.3.5 to 3.3.13)."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

from pystack.errors import DecodeError
from pystack.sctp.wire.causes import Cause, encode_causes
from pystack.sctp.wire.packet import ChunkType, encode_chunk
from pystack.sctp.wire.params import ParameterType, encode_parameter

__all__ = [
    "COOKIE_ACK",
    "REFLECTED",
    "SHUTDOWN_ACK",
    "encode_abort",
    "encode_cookie_echo",
    "encode_error",
    "encode_heartbeat",
    "encode_heartbeat_ack",
    "encode_shutdown",
    "encode_shutdown_complete",
    "heartbeat_information",
    "shutdown_tsn",
]

REFLECTED: Final = 0x01
"""The T bit: the packet carries the receiver's own idea of the tag back to it (RFC 9260 section 8.5.1)."""

_TSN = Struct("!L")
_INFORMATION = Struct("!HH")

COOKIE_ACK: Final = encode_chunk(ChunkType.COOKIE_ACK, 0, b"")
SHUTDOWN_ACK: Final = encode_chunk(ChunkType.SHUTDOWN_ACK, 0, b"")


def encode_cookie_echo(cookie: bytes) -> bytes:
    """COOKIE-ECHO: the cookie goes back exactly as it came."""
    return encode_chunk(ChunkType.COOKIE_ECHO, 0, cookie)


def encode_shutdown(cumulative_tsn: int) -> bytes:
    """SHUTDOWN; it acknowledges up to ``cumulative_tsn`` (wire value)."""
    return encode_chunk(ChunkType.SHUTDOWN, 0, _TSN.pack(cumulative_tsn))


def shutdown_tsn(body: bytes) -> int:
    """The cumulative TSN of a SHUTDOWN.

    Raises:
        DecodeError: too short.
    """
    if len(body) < 4:
        raise DecodeError("SHUTDOWN too short")
    value: int = _TSN.unpack_from(body)[0]
    return value


def encode_shutdown_complete(*, reflected: bool = False) -> bytes:
    """SHUTDOWN-COMPLETE, with the T bit when it answers out of the blue."""
    return encode_chunk(ChunkType.SHUTDOWN_COMPLETE, REFLECTED if reflected else 0, b"")


def encode_abort(causes: Iterable[Cause], *, reflected: bool = False) -> bytes:
    """ABORT with its causes."""
    return encode_chunk(ChunkType.ABORT, REFLECTED if reflected else 0, encode_causes(causes))


def encode_error(causes: Iterable[Cause]) -> bytes:
    """ERROR with its causes; ends nothing."""
    return encode_chunk(ChunkType.ERROR, 0, encode_causes(causes))


def encode_heartbeat(information: bytes) -> bytes:
    """HEARTBEAT that carries ``information``, opaque to the peer."""
    return encode_chunk(ChunkType.HEARTBEAT, 0, encode_parameter(ParameterType.HEARTBEAT_INFO, information))


def encode_heartbeat_ack(body: bytes) -> bytes:
    """HEARTBEAT-ACK: the body of the HEARTBEAT, byte for byte."""
    return encode_chunk(ChunkType.HEARTBEAT_ACK, 0, body)


def heartbeat_information(body: bytes) -> bytes:
    """The information inside a HEARTBEAT or HEARTBEAT-ACK.

    Raises:
        DecodeError: it holds no heartbeat information parameter.
    """
    if len(body) < 4:
        raise DecodeError("HEARTBEAT too short")
    kind, length = _INFORMATION.unpack_from(body)
    if kind != ParameterType.HEARTBEAT_INFO or not 4 <= length <= len(body):
        raise DecodeError("HEARTBEAT information")
    return body[4:length]
