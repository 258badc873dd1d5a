"""One channel: where it stands, and what is kept of it (W3C WebRTC section 6.2, RFC 8831 section 6).

Records only; what happens to them is in :mod:`pystack.datachannel.channels`.
"""

from __future__ import annotations

from enum import Enum

import attrs

from pystack.base import Machine, Table
from pystack.datachannel.pieces import Pieces
from pystack.errors import LOCAL, Reason

__all__ = ["CHANNEL_TABLE", "Channel", "ChannelInfo", "ChannelInput", "ChannelState", "ChannelStats"]


class ChannelState(Enum):
    """The states of a channel; the values are the W3C's ``readyState``."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class ChannelInput(Enum):
    """What moves a channel."""

    ESTABLISH = "establish"
    """The peer knows of the channel: its ACK or any other message came, or it was negotiated or opened by the peer."""
    CLOSE = "close"
    """One of the sides began to close it."""
    END = "end"
    """Both directions are reset, a time-out passed, or the association ended."""


CHANNEL_TABLE: Table[ChannelState, ChannelInput] = {
    ChannelState.CONNECTING: {
        ChannelInput.ESTABLISH: ChannelState.OPEN,
        ChannelInput.CLOSE: ChannelState.CLOSING,
        ChannelInput.END: ChannelState.CLOSED,
    },
    ChannelState.OPEN: {
        ChannelInput.CLOSE: ChannelState.CLOSING,
        ChannelInput.END: ChannelState.CLOSED,
    },
    ChannelState.CLOSING: {
        ChannelInput.END: ChannelState.CLOSED,
    },
    ChannelState.CLOSED: {},
}


@attrs.frozen(kw_only=True)
class ChannelInfo:
    """What a channel is, for its user.

    Attributes:
        label: its name.
        protocol: the subprotocol, ``""`` for none.
        ordered: whether messages arrive in order.
        max_retransmits: how often a message is sent again at most, ``None`` for no such limit.
        max_lifetime: seconds that a message is tried, ``None`` for no such limit.
        negotiated: agreed upon out of band; no OPEN was sent.
        id: the stream identifier, ``None`` until the DTLS role is known.
        state: ``"connecting"``, ``"open"``, ``"closing"`` or ``"closed"``.
    """

    label: str
    protocol: str
    ordered: bool
    max_retransmits: int | None
    max_lifetime: float | None
    negotiated: bool
    id: int | None
    state: str


@attrs.frozen(kw_only=True)
class ChannelStats:
    """What passed over a channel so far; bytes are those of the messages alone (W3C RTCDataChannelStats)."""

    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int


@attrs.define(kw_only=True)
class Channel:
    """The record of one channel.

    Attributes:
        control: an OPEN or ACK that the association has not taken yet; nothing of the user goes before it.
        gate_asked: the association refused a write of this stream and owes one ``Writable``.
        user_waits: a user's write was refused and is owed one answer.
        ordered_until_known: user messages go in order, for they must not overtake OPEN (RFC 8832 section 6).
        started: something of ours was taken by the association, so closing takes a reset of our direction.
        by_peer: the peer opened it.
        was_open: it was counted as opened.
        closing_reason: why it closes, told at the end.
        unread: bytes handed to the user that were not given back to the receive window yet.
        pieces: of a message in the deprecated partial form.
    """

    handle: int
    label: str
    protocol: str
    ordered: bool
    max_retransmits: int | None
    max_lifetime: float | None
    negotiated: bool
    id: int | None
    pieces: Pieces
    machine: Machine[ChannelState, ChannelInput] = attrs.field(
        factory=lambda: Machine(CHANNEL_TABLE, ChannelState.CONNECTING)
    )
    control: bytes | None = None
    gate_asked: bool = False
    user_waits: bool = False
    ordered_until_known: bool = False
    started: bool = False
    by_peer: bool = False
    was_open: bool = False
    closing_reason: Reason = LOCAL
    low_threshold: int = 0
    unread: int = 0
    messages_sent: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    bytes_received: int = 0

    def info(self) -> ChannelInfo:
        """The value for its user."""
        return ChannelInfo(
            label=self.label,
            protocol=self.protocol,
            ordered=self.ordered,
            max_retransmits=self.max_retransmits,
            max_lifetime=self.max_lifetime,
            negotiated=self.negotiated,
            id=self.id,
            state=self.machine.state.value,
        )

    def stats(self) -> ChannelStats:
        """The counters as a value."""
        return ChannelStats(
            messages_sent=self.messages_sent,
            bytes_sent=self.bytes_sent,
            messages_received=self.messages_received,
            bytes_received=self.bytes_received,
        )
