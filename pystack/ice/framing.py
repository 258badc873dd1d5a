"""Datagrams on a stream (RFC 4571 section 2): each behind its length, two bytes in network order.

ICE over TCP (RFC 6544) carries everything so: STUN, DTLS and media. A reader holds at most one unfinished datagram,
65,535 bytes, and copies each byte once, however small the pieces are. Used by :mod:`pystack.aio.tcp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["MAX_FRAME", "Deframer", "frame"]

MAX_FRAME: Final = 0xFFFF
"""The longest datagram that a frame can carry."""


def frame(batch: Sequence[bytes]) -> bytes:
    """The datagrams of ``batch`` as they go on a stream; none may be longer than :data:`MAX_FRAME`."""
    if len(batch) == 1:
        return len(batch[0]).to_bytes(2, "big") + batch[0]
    return b"".join(part for data in batch for part in (len(data).to_bytes(2, "big"), data))


class Deframer:
    """Cuts one direction of a stream into datagrams.

    Attributes:
        empty: frames of length zero that were passed over.
    """

    __slots__ = ("_rest", "empty")

    def __init__(self) -> None:
        self._rest = bytearray()
        self.empty = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived, in pieces of any size; return the datagrams that are whole now, none of them empty."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < 2 or len(rest) < 2 + (rest[0] << 8 | rest[1]):
                return []
            data = bytes(rest)
        found: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= 2:
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            if stop > end:
                break
            if stop == at + 2:
                self.empty += 1
            else:
                found.append(data[at + 2 : stop])
            at = stop
        rest[:] = data[at:]
        return found

    @property
    def held(self) -> int:
        """Bytes of a datagram that is not whole yet."""
        return len(self._rest)
