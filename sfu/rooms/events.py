"""What a room wants done outside it, and what it tells about itself: values, oldest first from ``take_events``.

The first group are effects for the runtime (apply this offer, let this track flow); the second are the webhook-like
events, numbered per room and each with the room as of that very moment.
"""

from __future__ import annotations

import attrs
from livekit.protocol import models

from sfu.rooms.lifecycle import LeaveReason
from sfu.tracks import Kind, SentSection, TrackInfo

__all__ = [
    "AnswerArrived",
    "CandidateArrived",
    "ConnectionAborted",
    "OfferArrived",
    "OfferWanted",
    "ParticipantClosed",
    "ParticipantJoined",
    "ParticipantLeft",
    "RoomEvent",
    "RoomFinished",
    "RoomStarted",
    "RouteAdded",
    "RouteChanged",
    "RouteRemoved",
    "TrackPublished",
    "TrackUnpublished",
]


@attrs.frozen
class OfferArrived:
    """Apply this offer; then ``Room.plan`` and ``Room.answered``, or ``Room.negotiation_failed``."""

    participant: str
    offer_id: int
    sdp: str


@attrs.frozen
class OfferWanted:
    """Make an offer of exactly these sections; then ``Room.offer_made``, or ``Room.negotiation_failed``."""

    participant: str
    offer_id: int
    sections: tuple[SentSection, ...]
    restart_ice: bool


@attrs.frozen
class AnswerArrived:
    """Apply this answer to our offer; then ``Room.answer_applied``, or ``Room.negotiation_failed``."""

    participant: str
    offer_id: int
    sdp: str


@attrs.frozen
class CandidateArrived:
    """Hand this ICE candidate (JSON of an ``RTCIceCandidateInit``) to the participant's transport.

    ``outbound``: to the one on which we offer, where there are two.
    """

    participant: str
    candidate: str
    outbound: bool


@attrs.frozen
class RouteAdded:
    """From now on the track flows to the subscriber's section ``mid`` (or, where we offer, of that name).

    ``ceiling`` is the best simulcast layer that the subscriber wants, 0 being the lowest. ``since`` is when it could
    first have flowed: the later of the binding and the subscriber's working transport.
    """

    track: str
    publisher: str
    subscriber: str
    mid: str
    kind: Kind
    generation: int
    paused: bool
    ceiling: int
    since: float


@attrs.frozen
class RouteChanged:
    """What the subscriber is to get of the track has changed.

    ``paused``: muted by the publisher, or disabled by the subscriber. ``ceiling``: the best layer that it wants.
    """

    track: str
    subscriber: str
    generation: int
    paused: bool
    ceiling: int


@attrs.frozen
class RouteRemoved:
    """The track does not flow to the subscriber any more; ``generation`` says which binding ended."""

    track: str
    subscriber: str
    generation: int


@attrs.frozen
class ParticipantClosed:
    """The participant is gone from the room: close its transport and socket after what is still to be flushed.

    ``reason`` says why, ``duration`` is in seconds since its transport first worked (0 if it never did).
    """

    participant: str
    identity: str
    reason: LeaveReason
    duration: float
    message: str


@attrs.frozen
class RoomStarted:
    """The first event of a room."""

    number: int
    room: models.Room


@attrs.frozen
class ParticipantJoined:
    """Somebody's transport works. ``room`` counts it."""

    number: int
    room: models.Room
    participant: models.ParticipantInfo


@attrs.frozen
class ParticipantLeft:
    """Somebody who had joined left. ``room`` does not count it any more."""

    number: int
    room: models.Room
    participant: models.ParticipantInfo


@attrs.frozen
class ConnectionAborted:
    """Somebody left whose transport never worked."""

    number: int
    room: models.Room
    participant: models.ParticipantInfo


@attrs.frozen
class TrackPublished:
    """A track is live."""

    number: int
    room: models.Room
    participant: models.ParticipantInfo
    track: TrackInfo


@attrs.frozen
class TrackUnpublished:
    """A track has ended."""

    number: int
    room: models.Room
    participant: models.ParticipantInfo
    track: TrackInfo


@attrs.frozen
class RoomFinished:
    """The last numbered event of a room."""

    number: int
    room: models.Room


RoomEvent = (
    OfferArrived
    | OfferWanted
    | AnswerArrived
    | CandidateArrived
    | RouteAdded
    | RouteChanged
    | RouteRemoved
    | ParticipantClosed
    | RoomStarted
    | ParticipantJoined
    | ParticipantLeft
    | ConnectionAborted
    | TrackPublished
    | TrackUnpublished
    | RoomFinished
)
