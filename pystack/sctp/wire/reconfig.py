"""The RE-CONFIG chunk and its parameters (RFC 6525 sections 3 and 4)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TypeAlias

import attrs

from pystack.errors import DecodeError
from pystack.sctp.wire.packet import ChunkType, encode_chunk
from pystack.sctp.wire.params import ParameterType, decode_parameters, encode_parameter

__all__ = [
    "OtherRequest",
    "OutgoingResetRequest",
    "ReconfigParameter",
    "ReconfigResponse",
    "ResetResult",
    "decode_reconfig",
    "encode_reconfig",
]

_OUTGOING = Struct("!LLL")
_RESPONSE = Struct("!LL")
_SEQUENCE = Struct("!L")
_STREAM = Struct("!H")


class ResetResult(IntEnum):
    """Results of a request (RFC 6525 section 4.4)."""

    NOTHING_TO_DO = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_SSN = 3
    REQUEST_IN_PROGRESS = 4
    BAD_SEQUENCE_NUMBER = 5
    IN_PROGRESS = 6


@attrs.define
class OutgoingResetRequest:
    """The sender resets these of its outgoing streams, after ``last_tsn``; no stream named means all of them."""

    request_sequence: int
    response_sequence: int
    last_tsn: int
    streams: tuple[int, ...]

    def encode(self) -> bytes:
        """The padded parameter."""
        value = _OUTGOING.pack(self.request_sequence, self.response_sequence, self.last_tsn)
        value += b"".join(map(_STREAM.pack, self.streams))
        return encode_parameter(ParameterType.OUTGOING_RESET_REQUEST, value)


@attrs.define
class ReconfigResponse:
    """The answer to the request numbered ``response_sequence``; ``result`` is a :class:`ResetResult` or unknown."""

    response_sequence: int
    result: int

    def encode(self) -> bytes:
        """The parameter."""
        return encode_parameter(ParameterType.RECONFIG_RESPONSE, _RESPONSE.pack(self.response_sequence, self.result))


@attrs.define
class OtherRequest:
    """A request that this stack denies: incoming reset, SSN/TSN reset, adding streams (RFC 6525 4.2, 4.3, 4.5, 4.6)."""

    kind: int
    request_sequence: int


ReconfigParameter: TypeAlias = OutgoingResetRequest | ReconfigResponse | OtherRequest

_OTHERS = (
    ParameterType.INCOMING_RESET_REQUEST,
    ParameterType.SSN_TSN_RESET_REQUEST,
    ParameterType.ADD_OUTGOING_STREAMS,
    ParameterType.ADD_INCOMING_STREAMS,
)


def encode_reconfig(*parameters: OutgoingResetRequest | ReconfigResponse) -> bytes:
    """A RE-CONFIG chunk of one or two parameters."""
    return encode_chunk(ChunkType.RE_CONFIG, 0, b"".join(one.encode() for one in parameters))


def decode_reconfig(body: bytes) -> list[ReconfigParameter]:
    """Read the known parameters; others are skipped.

    Raises:
        DecodeError: a known parameter is too short, or there is no known parameter at all.
    """
    found: list[ReconfigParameter] = []
    for kind, value in decode_parameters(body):
        if kind == ParameterType.OUTGOING_RESET_REQUEST:
            if len(value) < _OUTGOING.size or len(value) & 1:
                raise DecodeError("outgoing reset request length")
            streams = tuple(number for (number,) in _STREAM.iter_unpack(value[_OUTGOING.size :]))
            request, response, last_tsn = _OUTGOING.unpack_from(value)
            found.append(OutgoingResetRequest(request, response, last_tsn, streams))
        elif kind == ParameterType.RECONFIG_RESPONSE:
            if len(value) < _RESPONSE.size:
                raise DecodeError("re-configuration response length")
            found.append(ReconfigResponse(*_RESPONSE.unpack_from(value)))
        elif kind in _OTHERS:
            if len(value) < 4:
                raise DecodeError("re-configuration request length")
            found.append(OtherRequest(kind, _SEQUENCE.unpack_from(value)[0]))
    if not found:
        raise DecodeError("RE-CONFIG without a known parameter")
    return found
