"""How loud one voice is, from the levels that its sender writes into each packet (RFC 6464).

Levels are in -dBov: 0 is the loudest, 127 is silence. A level counts for as long as its packet lasts, by timestamps, so
it does not matter how many packets a sender puts into a second. Called per packet of audio; nothing is decoded.
"""

from __future__ import annotations

from math import log10
from typing import Final

from pystack.rtp import AUDIO_LEVEL
from sfu.media.ports import Packet

__all__ = ["ACTIVE", "WINDOW", "Loudness"]

WINDOW: Final = 0.4
"""Seconds that are looked at together."""
ACTIVE: Final = 35
"""The weakest level that is a voice."""

_SHARE: Final = 0.4
"""Of a window, that must be voice."""
_WEIGHT: Final = 2 / 3
"""Of the newest window in the average over the last ones."""
_HEARD: Final = 10 ** (-ACTIVE / 20)


class Loudness:
    """The loudness of one audio track.

    Args:
        clock_rate: of its timestamps, in Hz.
    """

    __slots__ = ("_average", "_clock_rate", "_last", "_loudest", "_seen", "_timestamp", "_voiced")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._timestamp: int | None = None
        self._last = 0.0
        self._seen = 0.0
        self._voiced = 0.0
        self._loudest = 127
        self._average = 0.0

    def hear(self, packet: Packet) -> None:
        """Take the level of one packet, if it has one."""
        names = packet.extension_map
        value = names.get(packet, AUDIO_LEVEL) if names is not None else None
        if not value:
            return
        level = value[0] & 0x7F
        before, self._timestamp = self._timestamp, packet.timestamp
        self._last = packet.arrival
        if before is None:
            return
        ticks = (packet.timestamp - before) & 0xFFFFFFFF
        # A silence that was not sent, and a packet from before, say nothing of how long this one lasts.
        lasts = min(ticks / self._clock_rate, WINDOW) if ticks < 0x80000000 else 0.0
        self._seen += lasts
        if level <= ACTIVE:
            self._voiced += lasts
            self._loudest = min(self._loudest, level)
        if self._seen >= WINDOW:
            self._close_window()

    def at(self, now: float) -> float:
        """How loud it is, from 0.0 (nobody speaks) to 1.0; ``now`` in monotonic seconds."""
        if now - self._last > 2 * WINDOW:
            self._average = 0.0
        return self._average if self._average >= _HEARD else 0.0

    def _close_window(self) -> None:
        loudness = 0.0
        if self._voiced >= _SHARE * self._seen:
            weakened = self._loudest - 20 * log10(min(1.0, self._voiced / self._seen))
            loudness = 10 ** (-weakened / 20)
        self._average += (loudness - self._average) * _WEIGHT
        self._seen = self._voiced = 0.0
        self._loudest = 127
