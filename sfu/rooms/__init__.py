"""The control core of a room: who is here, what they publish, what they receive; no socket, no clock, no task."""

from sfu.rooms.administration import Administration, RequestRefused
from sfu.rooms.events import (
    AnswerArrived,
    CandidateArrived,
    ConnectionAborted,
    OfferArrived,
    OfferWanted,
    ParticipantClosed,
    ParticipantJoined,
    ParticipantLeft,
    RoomEvent,
    RoomFinished,
    RoomStarted,
    RouteAdded,
    RouteChanged,
    RouteRemoved,
    TrackPublished,
    TrackUnpublished,
)
from sfu.rooms.grants import Grants
from sfu.rooms.lifecycle import LeaveReason, ParticipantState
from sfu.rooms.membership import RoomFull
from sfu.rooms.options import RoomOptions, too_much
from sfu.rooms.participant import Admission, Participant
from sfu.rooms.room import Room
from sfu.rooms.roster import Roster

__all__ = [
    "Administration",
    "Admission",
    "AnswerArrived",
    "CandidateArrived",
    "ConnectionAborted",
    "Grants",
    "LeaveReason",
    "OfferArrived",
    "OfferWanted",
    "Participant",
    "ParticipantClosed",
    "ParticipantJoined",
    "ParticipantLeft",
    "ParticipantState",
    "RequestRefused",
    "Room",
    "RoomEvent",
    "RoomFinished",
    "RoomFull",
    "RoomOptions",
    "RoomStarted",
    "Roster",
    "RouteAdded",
    "RouteChanged",
    "RouteRemoved",
    "TrackPublished",
    "TrackUnpublished",
    "too_much",
]
