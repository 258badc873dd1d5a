"""Who the sources are and when they leave: SDES and BYE (RFC 3550 sections 6.5 and 6.6)."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.rtp.rtcp.frame import frame

__all__ = ["CNAME", "Bye", "SourceDescription"]

CNAME: Final = 1
"""The SDES item that names the end of a source (RFC 3550 section 6.5.1)."""
_SSRC = Struct("!L")


@attrs.define
class SourceDescription:
    """SDES, packet type 202.

    Attributes:
        chunks: per source its SSRC and its items as ``(type, value)``; type 1 is the CNAME. At most 31 chunks, and
            255 bytes a value.
    """

    chunks: list[tuple[int, list[tuple[int, bytes]]]] = attrs.field(factory=list)

    def serialize(self) -> bytes:
        """Write the packet."""
        parts = []
        for ssrc, items in self.chunks:
            chunk = _SSRC.pack(ssrc) + b"".join([bytes((kind, len(value))) + value for kind, value in items])
            # At least one zero ends the items, and fills up to whole words.
            parts.append(chunk + bytes(4 - len(chunk) % 4))
        return frame(len(self.chunks), 202, b"".join(parts))

    @classmethod
    def parse(cls, count: int, body: bytes) -> SourceDescription:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: a chunk or an item runs past the end.
        """
        chunks = []
        at = 0
        size = len(body)
        for _ in range(count):
            if at + 4 > size:
                raise DecodeError("RTCP SDES: chunk runs past the end")
            (ssrc,) = _SSRC.unpack_from(body, at)
            at += 4
            items = []
            while at < size and body[at]:
                stop = at + 2 + (body[at + 1] if at + 1 < size else size)
                if stop > size:
                    raise DecodeError("RTCP SDES: item runs past the end")
                items.append((body[at], body[at + 2 : stop]))
                at = stop
            at += 4 - at % 4
            if at > size:
                raise DecodeError("RTCP SDES: chunk has no end")
            chunks.append((ssrc, items))
        return cls(chunks)


@attrs.define
class Bye:
    """BYE, packet type 203.

    Attributes:
        ssrcs: the sources that leave, at most 31.
        reason: why, at most 255 bytes of UTF-8; empty if not told.
    """

    ssrcs: list[int] = attrs.field(factory=list)
    reason: bytes = b""

    def serialize(self) -> bytes:
        """Write the packet."""
        body = b"".join([_SSRC.pack(each) for each in self.ssrcs])
        if self.reason:
            body += bytes((len(self.reason),)) + self.reason
            body += bytes(-len(body) & 3)
        return frame(len(self.ssrcs), 203, body)

    @classmethod
    def parse(cls, count: int, body: bytes) -> Bye:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: the sources or the reason run past the end.
        """
        at = 4 * count
        if len(body) < at:
            raise DecodeError("RTCP BYE: too short")
        reason = b""
        if len(body) > at:
            reason = body[at + 1 : at + 1 + body[at]]
            if len(reason) != body[at]:
                raise DecodeError("RTCP BYE: reason runs past the end")
        return cls([_SSRC.unpack_from(body, each)[0] for each in range(0, at, 4)], reason)
