"""What a DTLS engine tells the layer above. The end is :class:`pystack.base.Ended`."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from pystack.base import Ended

__all__ = ["Connected", "DtlsEvent", "PeerCertificate"]


@attrs.frozen
class PeerCertificate:
    """The peer showed a certificate and proved that it holds the key. Whether to trust it is for ``trust()``.

    ``fingerprint`` is SHA-256 in the form of SDP, ``AB:CD:…``.
    """

    der: bytes = attrs.field(repr=False)
    fingerprint: str


@attrs.frozen
class Connected:
    """The handshake is complete *and* the peer's fingerprint is trusted: data and SRTP keys are ready.

    ``srtp_profile`` is the negotiated protection profile, or ``None``; ``version`` is ``"DTLS 1.2"``.
    """

    srtp_profile: int | None
    cipher: str
    version: str


DtlsEvent: TypeAlias = PeerCertificate | Connected | Ended
"""Any of the events of an engine."""
