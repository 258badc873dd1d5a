"""The state of a connection as one word, computed from its layers and stored nowhere (W3C webrtc-pc section 4.3.3)."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["ConnectionState", "DtlsState", "IceState", "connection_state"]

IceState: TypeAlias = Literal["new", "checking", "connected", "completed", "disconnected", "failed", "closed"]
"""A value of ``RTCIceTransportState``."""
DtlsState: TypeAlias = Literal["new", "connecting", "connected", "closed", "failed"]
"""A value of ``RTCDtlsTransportState``."""
ConnectionState: TypeAlias = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
"""A value of ``RTCPeerConnectionState``."""


def connection_state(closed: bool, ice: IceState, dtls: DtlsState) -> ConnectionState:
    """Compute ``RTCPeerConnectionState`` from the ICE and DTLS transports of one bundle."""
    if closed:
        return "closed"
    if ice == "failed" or dtls == "failed":
        return "failed"
    if ice == "disconnected":
        return "disconnected"
    if ice == "closed" or dtls == "closed":
        return "closed"
    if ice == "new" and dtls == "new":
        return "new"
    if ice in {"connected", "completed"} and dtls == "connected":
        return "connected"
    return "connecting"
