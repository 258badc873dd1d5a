"""What can be chosen about one session, with defaults that today's browsers get along with."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pystack.datachannel import ChannelOptions
from pystack.dtls import DtlsOptions
from pystack.rtp import RtpSessionOptions
from pystack.sctp import AssociationOptions
from pystack.session.pacing import Pacer

__all__ = ["SessionOptions"]


@attrs.frozen(kw_only=True)
class SessionOptions:
    """Options of each layer, and the bounds of what the session itself keeps.

    Attributes:
        held_datagrams: how many datagrams are kept that came before the layer they are for was ready: a ClientHello
            before the answer, media before the keys.
        media_age: seconds after which an RTP packet that the path would not take is dropped; late media is worthless.
        media_packets: how many protected packets may wait for the path.
        pacer: makes what spreads the media of one session; ``None`` lets everything through at once, bounded by the two
            values above.
    """

    dtls: DtlsOptions = attrs.field(factory=DtlsOptions)
    association: AssociationOptions = attrs.field(factory=AssociationOptions)
    channels: ChannelOptions = attrs.field(factory=ChannelOptions)
    rtp: RtpSessionOptions = attrs.field(factory=RtpSessionOptions)
    held_datagrams: int = 32
    media_age: float = 0.1
    media_packets: int = 2048
    pacer: Callable[[], Pacer] | None = None
