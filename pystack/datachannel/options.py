"""What can be chosen about data channels, with defaults that browsers get along with."""

from __future__ import annotations

import attrs

__all__ = ["ChannelOptions"]


@attrs.frozen(kw_only=True)
class ChannelOptions:
    """Bounds and time-outs of :class:`~pystack.datachannel.DataChannels`.

    Attributes:
        open_timeout: seconds that an OPEN may wait to be taken and acknowledged, and an ACK to be taken, counted from
            the establishment of the association or the later opening. Then the channel closes.
        close_timeout: seconds that the peer may take for each half of a closing: to confirm the reset of our direction
            once all of our data has departed, and to reset its own after that. Then the channel is reported closed; its
            stream identifier stays taken until both are done.
        early_bytes: bytes kept for streams that are not known yet, all together.
        early_messages: messages kept for streams that are not known yet, all together.
        max_channels: channels that may exist at a time; a peer's OPEN above it is refused.
        max_message_size: bytes that we take in one message; the bound of joining the deprecated partial messages
            (RFC 8831 section 8.2, PPID 52 and 54). The association holds all others to its own limit.
    """

    open_timeout: float = 10.0
    close_timeout: float = 10.0
    early_bytes: int = 65536
    early_messages: int = 256
    max_channels: int = 1024
    max_message_size: int = 262144
