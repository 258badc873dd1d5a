"""Redundant audio (RFC 2198): the newest payload with copies of earlier ones in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from pystack.errors import DecodeError, InvalidArgument

__all__ = ["RedBlock", "build_red", "parse_red"]

_MORE: Final = 0x80
_MAX_OFFSET: Final = (1 << 14) - 1
_MAX_SIZE: Final = (1 << 10) - 1
_MAX_BLOCKS: Final = 16
"""More copies than anybody sends; what a peer can make us build from one packet is bounded by it."""


@attrs.define
class RedBlock:
    """One block of a RED payload.

    Attributes:
        payload_type: what it would have been sent with.
        timestamp_offset: how far before the packet's timestamp it belongs; 0 for the last, the primary block.
        payload: its bytes.
    """

    payload_type: int
    timestamp_offset: int
    payload: bytes


def parse_red(payload: bytes) -> list[RedBlock]:
    """The blocks of a RED payload, oldest first, the primary last.

    Raises:
        DecodeError: it is cut short, or has more than sixteen blocks.
    """
    heads: list[tuple[int, int, int]] = []
    at = 0
    while True:
        if at >= len(payload) or len(heads) >= _MAX_BLOCKS:
            raise DecodeError("RED: the headers have no end")
        first = payload[at]
        if not first & _MORE:
            at += 1
            break
        if at + 4 > len(payload):
            raise DecodeError("RED: a header is cut short")
        rest = int.from_bytes(payload[at + 1 : at + 4], "big")
        heads.append((first & 0x7F, rest >> 10, rest & _MAX_SIZE))
        at += 4
    blocks: list[RedBlock] = []
    for payload_type, offset, size in heads:
        if at + size > len(payload):
            raise DecodeError("RED: a block is cut short")
        blocks.append(RedBlock(payload_type, offset, payload[at : at + size]))
        at += size
    blocks.append(RedBlock(first & 0x7F, 0, payload[at:]))
    return blocks


def build_red(blocks: Sequence[RedBlock]) -> bytes:
    """A RED payload of these blocks, oldest first; the last one is the primary.

    Raises:
        InvalidArgument: no block or too many; a payload type beyond 127; a copy longer than 1023 bytes or further back
            than 16383 timestamp units: leave such a copy out.
    """
    if not 0 < len(blocks) <= _MAX_BLOCKS:
        raise InvalidArgument(f"a RED payload has 1 to {_MAX_BLOCKS} blocks, not {len(blocks)}")
    parts: list[bytes] = []
    for block in blocks[:-1]:
        if len(block.payload) > _MAX_SIZE or not 0 <= block.timestamp_offset <= _MAX_OFFSET:
            raise InvalidArgument("a redundant block is at most 1023 bytes long and 16383 timestamp units old")
        parts.append(bytes((_MORE | _checked(block.payload_type),)))
        parts.append((block.timestamp_offset << 10 | len(block.payload)).to_bytes(3, "big"))
    parts.append(bytes((_checked(blocks[-1].payload_type),)))
    parts += [block.payload for block in blocks]
    return b"".join(parts)


def _checked(payload_type: int) -> int:
    if not 0 <= payload_type <= 127:
        raise InvalidArgument(f"a payload type is 0 to 127, not {payload_type}")
    return payload_type
