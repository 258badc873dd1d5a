"""What a connection tells its application: one small class an event, named after the W3C's handlers.

An event carries what changed and nothing that can be read elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import attrs

from pystack.aio import GatheringState, IceState
from pystack.errors import Reason
from pystack.peer.description import IceCandidate
from pystack.rtp import CongestionChanged
from pystack.session import ConnectionState

if TYPE_CHECKING:
    from pystack.peer.datachannel import DataChannel
    from pystack.peer.transceiver import Transceiver

__all__ = [
    "CongestionChanged",
    "ConnectionStateChanged",
    "DataChannelAdded",
    "IceCandidateFound",
    "IceConnectionStateChanged",
    "IceGatheringStateChanged",
    "NegotiationNeeded",
    "PeerConnectionClosed",
    "PeerEvent",
    "SignalingStateChanged",
    "TrackAdded",
    "TrackRemoved",
]


@attrs.frozen
class SignalingStateChanged:
    """``signaling_state`` changed; ``state`` is a value of ``RTCSignalingState``."""

    state: str


@attrs.frozen
class ConnectionStateChanged:
    """``connection_state`` changed; ``state`` is a value of ``RTCPeerConnectionState``."""

    state: ConnectionState


@attrs.frozen
class IceConnectionStateChanged:
    """``ice_connection_state`` changed; ``state`` is a value of ``RTCIceConnectionState``."""

    state: IceState


@attrs.frozen
class IceGatheringStateChanged:
    """``ice_gathering_state`` changed; ``state`` is a value of ``RTCIceGatheringState``."""

    state: GatheringState


@attrs.frozen
class IceCandidateFound:
    """A local candidate to signal to the peer (RFC 8838); ``None`` when there will be no more."""

    candidate: IceCandidate | None


@attrs.frozen
class DataChannelAdded:
    """The peer opened ``channel``; it is open, and what arrived meanwhile waits in its inbox."""

    channel: DataChannel


@attrs.frozen
class TrackAdded:
    """The peer says that it will send on ``transceiver``: ``transceiver.receiver`` is where its packets come."""

    transceiver: Transceiver


@attrs.frozen
class TrackRemoved:
    """The peer says that it no longer sends on ``transceiver``."""

    transceiver: Transceiver


@attrs.frozen
class NegotiationNeeded:
    """Something changed that the peer has to agree to: make an offer."""


@attrs.frozen
class PeerConnectionClosed:
    """The terminal event, once and last; ``reason`` is ``"local"`` or the error that ended it."""

    reason: Reason


PeerEvent: TypeAlias = (
    SignalingStateChanged
    | ConnectionStateChanged
    | IceConnectionStateChanged
    | IceGatheringStateChanged
    | IceCandidateFound
    | DataChannelAdded
    | TrackAdded
    | TrackRemoved
    | NegotiationNeeded
    | CongestionChanged
    | PeerConnectionClosed
)
"""Everything that a listener may hear."""
