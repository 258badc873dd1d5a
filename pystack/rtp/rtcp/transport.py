"""Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), type 205, format 15.

Which packets of the whole transport arrived, and when: a status per number, packed as runs or as vectors, then the
time differences of those that arrived in units of 250 µs. Nothing is made of what did not arrive: a few bytes can claim
65,535 of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.rtp.rtcp.deltas import Deltas
from pystack.rtp.rtcp.frame import frame

__all__ = ["TICK", "TransportFeedback"]

TICK: Final = 0.00025
"""Seconds per unit of a receive delta."""
TICKS_PER_REFERENCE: Final = 256
"""Deltas' units per unit of the reference time, which is 64 ms."""

_HEAD = Struct("!LLHH3sB")
_CHUNK = Struct("!H")
_LARGE = Struct("!h")


def _as_deltas(each: Iterable[int | None]) -> Deltas:
    return Deltas.of(each)


@attrs.define
class TransportFeedback:
    """Arrival of a range of transport-wide sequence numbers.

    Attributes:
        sender_ssrc: who reports.
        media_ssrc: any stream of the transport.
        base_sequence: the first number reported, 16 bits.
        reference_time: the base of the first delta in units of 64 ms, 24 bits, signed.
        feedback_count: counts these packets modulo 256, so that a lost one shows.
        deltas: one per number from ``base_sequence`` on: ``None`` if it did not arrive, else the time since the last
            one that did (the first: since the reference time) in units of 250 µs, 16 bits, signed. Any iterable may be
            given. In feedback from a peer there may be 65,535 of them; ``deltas.offsets`` and ``deltas.values``, which
            hold those that arrived, are bounded by its bytes.
    """

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    reference_time: int
    feedback_count: int
    deltas: Deltas = attrs.field(factory=lambda: Deltas(0, [], []), converter=_as_deltas)

    def serialize(self) -> bytes:
        """Write the packet."""
        symbols = [0 if each is None else 1 if 0 <= each <= 255 else 2 for each in self.deltas]
        parts = [
            _HEAD.pack(
                self.sender_ssrc,
                self.media_ssrc,
                self.base_sequence,
                len(symbols),
                (self.reference_time & 0xFFFFFF).to_bytes(3, "big"),
                self.feedback_count,
            )
        ]
        parts.extend([_CHUNK.pack(each) for each in _pack(symbols)])
        for delta in self.deltas:
            if delta is not None:
                parts.append(bytes((delta,)) if 0 <= delta <= 255 else _LARGE.pack(delta))
        return frame(15, 205, b"".join(parts))

    @classmethod
    def parse(cls, body: bytes) -> TransportFeedback:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: statuses or deltas run past the end, or a reserved status is used.
        """
        if len(body) < 16:
            raise DecodeError("RTCP transport feedback: too short")
        sender, media, base, count, reference, number = _HEAD.unpack_from(body)
        offsets, sizes, at = _unpack(body, count)
        if 3 in sizes or at + sum(sizes) > len(body):
            raise DecodeError("RTCP transport feedback: bad status, or deltas run past the end")
        values: list[int] = []
        for octets in sizes:
            values.append(body[at] if octets == 1 else _LARGE.unpack_from(body, at)[0])
            at += octets
        deltas = Deltas(count, offsets, values)
        return cls(sender, media, base, int.from_bytes(reference, "big", signed=True), number, deltas)

    def arrivals(self) -> list[tuple[int, float]]:
        """What arrived as ``(sequence number, seconds)``; seconds on the receiver's clock modulo 2**24 * 64 ms."""
        found = []
        ticks = self.reference_time * TICKS_PER_REFERENCE
        for offset, delta in zip(self.deltas.offsets, self.deltas.values, strict=True):
            ticks += delta
            found.append(((self.base_sequence + offset) & 0xFFFF, ticks * TICK))
        return found


def _pack(symbols: list[int]) -> list[int]:
    """Status chunks: a run where it pays, else 14 one-bit statuses, else 7 two-bit statuses."""
    chunks = []
    at = 0
    total = len(symbols)
    while at < total:
        symbol = symbols[at]
        stop = at + 1
        while stop < total and symbols[stop] == symbol and stop - at < 0x1FFF:
            stop += 1
        if stop - at >= 14 or stop == total:
            chunks.append(symbol << 13 | stop - at)
            at = stop
            continue
        window = symbols[at : at + 14]
        chunk = 0
        if 2 not in window:
            for each in window:
                chunk = chunk << 1 | each
            chunks.append(0x8000 | chunk << 14 - len(window))
            at += len(window)
            continue
        if stop - at >= 7:
            chunks.append(symbol << 13 | stop - at)
            at = stop
            continue
        window = window[:7]
        for each in window:
            chunk = chunk << 2 | each
        chunks.append(0xC000 | chunk << 2 * (7 - len(window)))
        at += len(window)
    return chunks


def _unpack(body: bytes, count: int) -> tuple[list[int], list[int], int]:
    """The offsets of what arrived, the octets of each one's delta, and where the deltas begin."""
    offsets: list[int] = []
    sizes: list[int] = []
    at, done = 16, 0
    while done < count:
        if at + 2 > len(body):
            raise DecodeError("RTCP transport feedback: statuses run past the end")
        (chunk,) = _CHUNK.unpack_from(body, at)
        at += 2
        if chunk < 0x8000:
            symbol, length = chunk >> 13, min(chunk & 0x1FFF, count - done)
            if not length:
                raise DecodeError("RTCP transport feedback: empty run")
            if symbol:
                if len(offsets) + length > len(body):  # before it is expanded
                    raise DecodeError("RTCP transport feedback: bad status, or deltas run past the end")
                offsets.extend(range(done, done + length))
                sizes.extend([symbol] * length)
            done += length
        else:
            if chunk < 0xC000:
                symbols = [chunk >> shift & 1 for shift in range(13, -1, -1)]
            else:
                symbols = [chunk >> shift & 3 for shift in range(12, -2, -2)]
            for offset, symbol in enumerate(symbols[: count - done], done):
                if symbol:
                    offsets.append(offset)
                    sizes.append(symbol)
            done += len(symbols)
    return offsets, sizes, at
