"""What the data channels of one connection have to say, oldest first.

A ``handle`` is the integer that :meth:`~pystack.datachannel.DataChannels.open` returned, or that
:class:`ChannelAnnounced` brought; it is never used twice, unlike a stream identifier. The terminal event of the whole
is :class:`pystack.base.Ended`.
"""

from __future__ import annotations

import attrs

from pystack.base import Ended
from pystack.errors import Reason

__all__ = [
    "ChannelAnnounced",
    "ChannelBufferedAmountLow",
    "ChannelClosed",
    "ChannelClosing",
    "ChannelEvent",
    "ChannelMessage",
    "ChannelOpened",
    "ChannelWritable",
    "TransportEstablished",
]


@attrs.frozen
class TransportEstablished:
    """The association is up; channels may carry data from here on."""


@attrs.define
class ChannelOpened:
    """A channel that this side opened can be used: the peer knows of it, or it was agreed upon out of band."""

    handle: int


@attrs.define
class ChannelAnnounced:
    """The peer opened a channel; it is open at once, no :class:`ChannelOpened` follows."""

    handle: int


@attrs.define
class ChannelMessage:
    """A whole message arrived.

    Give ``len(data)`` back with :meth:`~pystack.datachannel.DataChannels.consume` once it was read. Text is the peer's
    bytes as they came: UTF-8 is promised by RFC 8831 section 6.6 and not checked here.
    """

    handle: int
    data: bytes
    binary: bool


@attrs.define
class ChannelWritable:
    """The one answer to the one refusal of :meth:`~pystack.datachannel.DataChannels.send`: ask again."""

    handle: int


@attrs.define
class ChannelBufferedAmountLow:
    """What is queued on the channel fell to its low threshold."""

    handle: int


@attrs.define
class ChannelClosing:
    """The peer closes the channel, or a side the association: what is queued still goes, nothing new is taken.

    ``by_peer`` tells whose doing it is.
    """

    handle: int
    by_peer: bool = True


@attrs.define
class ChannelClosed:
    """The channel is gone, once for each; whoever was refused on it is answered by this."""

    handle: int
    reason: Reason


ChannelEvent = (
    TransportEstablished
    | ChannelOpened
    | ChannelAnnounced
    | ChannelMessage
    | ChannelWritable
    | ChannelBufferedAmountLow
    | ChannelClosing
    | ChannelClosed
    | Ended
)
"""Whatever ``take_events`` of the data channels gives."""
