"""What one session has to say of its own; everything else it passes on as its layers said it.

The data channels' events (:mod:`pystack.datachannel.events`) and the RTP session's (:mod:`pystack.rtp`) come through
unchanged, in the order in which they happened within each layer, and :class:`pystack.base.Ended` is the last of all.
"""

from __future__ import annotations

import attrs

from pystack.errors import Reason
from pystack.session.transport_state import DtlsState

__all__ = ["DataTransportEnded", "DtlsStateChanged", "Secured"]


@attrs.frozen
class DtlsStateChanged:
    """The DTLS transport moved (W3C ``RTCDtlsTransportState``)."""

    state: DtlsState


@attrs.frozen
class Secured:
    """The handshake is over and the peer is who its description said: media and channels may flow.

    Attributes:
        srtp_profile: the protection profile agreed (RFC 5764 section 4.1.2), or ``None`` without media protection.
        cipher: the cipher suite, by its IANA name.
        version: the protocol version, for people.
    """

    srtp_profile: int | None
    cipher: str
    version: str


@attrs.frozen
class DataTransportEnded:
    """The SCTP association ended; the channels have said so each, DTLS and media live on if they can."""

    reason: Reason
