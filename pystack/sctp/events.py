"""What an association tells the layer above; read with ``take_events()``, oldest first."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from pystack.base.core import Ended

__all__ = [
    "AssociationEvent",
    "BufferedAmountLow",
    "Ended",
    "Established",
    "IncomingReset",
    "MessageReceived",
    "OutgoingResetAsked",
    "OutgoingResetDone",
    "OutgoingResetFailed",
    "Restarted",
    "ShutdownStarted",
    "Writable",
]


@attrs.frozen
class Established:
    """The handshake is done.

    Attributes:
        inbound_streams, outbound_streams: usable stream identifiers are below these.
        partial_reliability: message limits are kept; otherwise everything is sent reliably (RFC 3758).
        stream_reset: streams can be reset (RFC 6525).
        zero_checksum: packets to the peer carry no checksum (RFC 9653).
        interleaving: messages travel as I-DATA (RFC 8260).
    """

    inbound_streams: int
    outbound_streams: int
    partial_reliability: bool
    stream_reset: bool
    zero_checksum: bool
    interleaving: bool = False


@attrs.define
class MessageReceived:
    """A whole user message. Give its bytes back with ``consume(stream, len(data))`` once they are read."""

    stream: int
    ppid: int
    data: bytes
    ordered: bool


@attrs.frozen
class Writable:
    """The answer to a refused ``send`` on this stream: try again. Exactly one per stream with a refusal."""

    stream: int


@attrs.frozen
class BufferedAmountLow:
    """The stream's undeparted bytes fell to its low threshold, from above."""

    stream: int


@attrs.frozen
class IncomingReset:
    """The peer reset these of its outgoing streams: nothing more comes on them until they are used anew."""

    streams: tuple[int, ...]


@attrs.frozen
class OutgoingResetAsked:
    """All that was queued on these has departed: from here on it is the peer that their reset waits for."""

    streams: tuple[int, ...]


@attrs.frozen
class OutgoingResetDone:
    """The peer confirmed that these outgoing streams start anew."""

    streams: tuple[int, ...]


@attrs.frozen
class OutgoingResetFailed:
    """The peer refused to reset these outgoing streams, or put it off too often; they go on as they were."""

    streams: tuple[int, ...]


@attrs.frozen
class Restarted:
    """The peer began anew with the same ports (RFC 9260 section 5.2.4, action A).

    What was in flight is lost, messages that had not begun to depart are kept, every stream starts at zero.
    """


@attrs.frozen
class ShutdownStarted:
    """No more messages are taken: this side (``remote=False``) or the peer began to shut down. ``Ended`` follows."""

    remote: bool


AssociationEvent: TypeAlias = (
    Established
    | MessageReceived
    | Writable
    | BufferedAmountLow
    | IncomingReset
    | OutgoingResetAsked
    | OutgoingResetDone
    | OutgoingResetFailed
    | Restarted
    | ShutdownStarted
    | Ended
)
"""Everything that an association may tell."""
