"""The SRTP contexts of a session, made from what its DTLS handshake agreed (RFC 5764 section 4.2).

DTLS and SRTP are siblings that do not know each other: the profile travels between them as the integer of the
registry, and here is where the two halves of the keying material find their direction.
"""

from __future__ import annotations

from typing import Literal

from pystack.dtls import DtlsEngine
from pystack.srtp import SrtpReceiver, SrtpSender

__all__ = ["protect_media"]


def protect_media(
    engine: DtlsEngine, role: Literal["client", "server"], profile: int
) -> tuple[SrtpSender, SrtpReceiver]:
    """Return the sending and the receiving SRTP context of this side, after the handshake."""
    client_key, server_key, client_salt, server_salt = engine.srtp_keying_material()
    if role == "client":
        return SrtpSender(profile, client_key, client_salt), SrtpReceiver(profile, server_key, server_salt)
    return SrtpSender(profile, server_key, server_salt), SrtpReceiver(profile, client_key, client_salt)
