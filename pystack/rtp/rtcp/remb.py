"""Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03), packet type 206, format 15, name "REMB"."""

from __future__ import annotations

from struct import Struct

import attrs

from pystack.errors import DecodeError
from pystack.rtp.rtcp.frame import frame

__all__ = ["Remb"]

_HEAD = Struct("!LL4sB3s")
_SSRC = Struct("!L")


@attrs.define
class Remb:
    """How much the receiver believes that it can get.

    Attributes:
        sender_ssrc: who says so.
        bitrate_bps: bits per second; written with 18 significant bits, rounded down.
        ssrcs: the streams that it is about, at most 255.
        media_ssrc: 0 by the draft; kept as it came.
    """

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: list[int] = attrs.field(factory=list)
    media_ssrc: int = 0

    def serialize(self) -> bytes:
        """Write the packet."""
        exponent = max(0, self.bitrate_bps.bit_length() - 18)
        value = exponent << 18 | self.bitrate_bps >> exponent
        head = _HEAD.pack(self.sender_ssrc, self.media_ssrc, b"REMB", len(self.ssrcs), value.to_bytes(3, "big"))
        return frame(15, 206, head + b"".join([_SSRC.pack(each) for each in self.ssrcs]))

    @classmethod
    def parse(cls, body: bytes) -> Remb:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: it is shorter than its count of SSRCs says.
        """
        if len(body) < 16:
            raise DecodeError("RTCP REMB: too short")
        sender, media, _, count, packed = _HEAD.unpack_from(body)
        if len(body) < 16 + 4 * count:
            raise DecodeError("RTCP REMB: too short for its SSRCs")
        value = int.from_bytes(packed, "big")
        ssrcs = [_SSRC.unpack_from(body, at)[0] for at in range(16, 16 + 4 * count, 4)]
        return cls(sender, (value & 0x3FFFF) << (value >> 18), ssrcs, media)
