"""NTP time as RTCP writes it (RFC 3550 section 4), from seconds on whatever clock the caller keeps.

Cores have no wall clock: ``wall = now + ntp_offset`` in seconds since 1970, and ``ntp_offset`` is an option.
"""

from __future__ import annotations

from typing import Final

__all__ = ["middle", "ntp_time", "round_trip", "wall_time"]

_SINCE_1900: Final = 2208988800


def ntp_time(wall: float) -> int:
    """64-bit NTP time of ``wall``, in seconds since 1970."""
    return int((wall + _SINCE_1900) * 4294967296) & 0xFFFFFFFFFFFFFFFF


def wall_time(ntp: int) -> float:
    """Seconds since 1970 of a 64-bit NTP time."""
    return ntp / 4294967296 - _SINCE_1900


def middle(ntp: int) -> int:
    """The middle 32 bits, which report blocks carry, in units of 1/65536 s."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip(now_ntp: int, last_sender_report: int, delay_since_last: int) -> float | None:
    """Seconds there and back (RFC 3550 section 6.4.1); ``None`` if no report of ours was seen, or it cannot be."""
    if not last_sender_report:
        return None
    elapsed = middle(now_ntp) - last_sender_report - delay_since_last & 0xFFFFFFFF
    # The peer rounds its delay, so a very short trip may come out just below zero. Above 30 s it is not a trip.
    if elapsed >= 0xFFFF0000:
        return 0.0
    seconds = elapsed / 65536
    return seconds if seconds <= 30 else None
