"""One negotiated codec of a media section, as the RTP plane needs it. The session makes these from SDP."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["CodecSpec"]


@attrs.frozen(kw_only=True)
class CodecSpec:
    """A payload type and what it means (RFC 8866 section 6.6, RFC 4585 section 4.2, RFC 4588 section 8.1).

    Attributes:
        payload_type: 0 to 127.
        name: the encoding name as in SDP: ``opus``, ``VP8``, ``H264``, ``rtx``; compared without case.
        clock_rate: RTP timestamp units per second.
        channels: audio channels.
        fmtp: format parameters; ``apt`` of an ``rtx`` codec is read.
        rtcp_fb: accepted feedback: ``nack``, ``nack pli``, ``ccm fir``, ``goog-remb``, ``transport-cc``.
        rtx_payload_type: the payload type of its retransmissions, if negotiated.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: Mapping[str, str] = attrs.field(factory=dict)
    rtcp_fb: tuple[str, ...] = ()
    rtx_payload_type: int | None = None
