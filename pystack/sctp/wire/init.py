"""INIT and INIT-ACK (RFC 9260 sections 3.3.2 and 3.3.3), and which parameters of them are unknown."""

from __future__ import annotations

from struct import Struct

import attrs

from pystack.errors import DecodeError
from pystack.sctp.wire.packet import ChunkType, encode_chunk
from pystack.sctp.wire.params import Parameter, ParameterType, decode_parameters, encode_parameters

__all__ = ["InitChunk", "sift_parameters"]

_FIXED = Struct("!LLHHL")
_KNOWN = frozenset(ParameterType)


@attrs.define
class InitChunk:
    """INIT, or INIT-ACK when ``ack`` is set.

    Attributes:
        initiate_tag: the tag that the other side puts into every packet from now on; never 0.
        a_rwnd: receive window in bytes.
        outbound_streams, inbound_streams: how many the sender of this chunk wants to use, and takes.
        initial_tsn: 32 bits.
        parameters: in order, unknown ones kept.
    """

    initiate_tag: int
    a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: list[Parameter] = attrs.field(factory=list)
    ack: bool = False

    def encode(self) -> bytes:
        """The padded chunk."""
        body = _FIXED.pack(
            self.initiate_tag, self.a_rwnd, self.outbound_streams, self.inbound_streams, self.initial_tsn
        )
        kind = ChunkType.INIT_ACK if self.ack else ChunkType.INIT
        return encode_chunk(kind, 0, body + encode_parameters(self.parameters))

    @classmethod
    def decode(cls, body: bytes, *, ack: bool) -> InitChunk:
        """Read the body of a chunk.

        Raises:
            DecodeError: shorter than its fixed part, or a bad parameter length.
        """
        if len(body) < _FIXED.size:
            raise DecodeError("INIT too short")
        tag, a_rwnd, outbound, inbound, tsn = _FIXED.unpack_from(body)
        return cls(tag, a_rwnd, outbound, inbound, tsn, decode_parameters(body[_FIXED.size :]), ack)

    def parameter(self, kind: int) -> bytes | None:
        """The value of the first parameter of that type."""
        return next((value for found, value in self.parameters if found == kind), None)


def sift_parameters(parameters: list[Parameter]) -> tuple[list[Parameter], list[Parameter]]:
    """Split into what to act on and what to report back, by the upper two bits (RFC 9260 section 3.2.1).

    ``00``: stop here. ``01``: stop and report. ``10``: skip. ``11``: skip and report.
    """
    understood: list[Parameter] = []
    reported: list[Parameter] = []
    for kind, value in parameters:
        if kind in _KNOWN:
            understood.append((kind, value))
            continue
        if kind & 0x4000:
            reported.append((kind, value))
        if not kind & 0x8000:
            break
    return understood, reported
