"""Data channels over an SCTP association (RFC 8831) and their establishment protocol (RFC 8832).

:class:`DataChannels` is a core that owns the association below it; everything else here is a value, an option or an
event of it.
"""

from pystack.datachannel.association import StreamAssociation
from pystack.datachannel.channel import ChannelInfo, ChannelState, ChannelStats
from pystack.datachannel.channels import DataChannels
from pystack.datachannel.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelEvent,
    ChannelMessage,
    ChannelOpened,
    ChannelWritable,
    TransportEstablished,
)
from pystack.datachannel.messages import ChannelType, MessageType, Open, Ppid, read_open, write_open
from pystack.datachannel.options import ChannelOptions

__all__ = [
    "ChannelAnnounced",
    "ChannelBufferedAmountLow",
    "ChannelClosed",
    "ChannelClosing",
    "ChannelEvent",
    "ChannelInfo",
    "ChannelMessage",
    "ChannelOpened",
    "ChannelOptions",
    "ChannelState",
    "ChannelStats",
    "ChannelType",
    "ChannelWritable",
    "DataChannels",
    "MessageType",
    "Open",
    "Ppid",
    "StreamAssociation",
    "TransportEstablished",
    "read_open",
    "write_open",
]
