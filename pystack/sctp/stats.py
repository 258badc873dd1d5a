"""What can be read off an association at any time; taking it costs a few attribute reads, and keeping it adds."""

from __future__ import annotations

import attrs

__all__ = ["AssociationStats", "Counters"]


@attrs.define
class Counters:
    """Counters that the parts add to; they only grow."""

    packets_sent: int = 0
    packets_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    sacks_received: int = 0
    fast_retransmits: int = 0
    timer_retransmits: int = 0
    timer_expiries: int = 0
    tail_probes: int = 0
    messages_abandoned: int = 0
    duplicates_received: int = 0
    heartbeats_sent: int = 0
    restarts: int = 0


@attrs.frozen
class AssociationStats:
    """A snapshot.

    Attributes:
        state: the state's name, as in RFC 9260.
        congestion_window, slow_start_threshold, peer_window, receive_window: bytes.
        flight: user bytes sent and neither acknowledged nor marked lost.
        outstanding: chunks sent and not cumulatively acknowledged.
        smoothed_rtt: seconds, ``None`` before the first sample. ``rto``: seconds.
        buffered: user bytes that have not departed.
        errors: present value of the association error counter.
        counters: a copy of :class:`Counters`. ``bytes_*`` count user data of whole messages.
    """

    state: str
    congestion_window: int
    slow_start_threshold: float
    peer_window: int
    receive_window: int
    flight: int
    outstanding: int
    smoothed_rtt: float | None
    rto: float
    buffered: int
    errors: int
    counters: Counters
