"""A room's numbered event as LiveKit's ``WebhookEvent``: a pure function, so what is told is what the event holds."""

from __future__ import annotations

from typing import Any, Final

from livekit.protocol import webhook

from sfu.rooms import (
    ConnectionAborted,
    ParticipantJoined,
    ParticipantLeft,
    RoomFinished,
    RoomStarted,
    TrackPublished,
    TrackUnpublished,
)

__all__ = ["event_message", "event_name", "is_told"]

_NAMES: Final[dict[type, str]] = {
    RoomStarted: "room_started",
    RoomFinished: "room_finished",
    ParticipantJoined: "participant_joined",
    ParticipantLeft: "participant_left",
    ConnectionAborted: "participant_connection_aborted",
    TrackPublished: "track_published",
    TrackUnpublished: "track_unpublished",
}


def is_told(event: Any) -> bool:
    """Whether it is one of those events; the others are for the server itself."""
    return type(event) in _NAMES


def event_name(event: Any) -> str:
    """What webhooks call it."""
    return _NAMES[type(event)]


def event_message(event: Any, at: float) -> webhook.WebhookEvent:
    """Return the message for an event that happened ``at`` (Unix time in seconds).

    Its ``id`` is the room's with the event's number in the room, so who gets one twice can tell, and whether one is
    missing.
    """
    message = webhook.WebhookEvent(
        event=event_name(event), room=event.room, id=f"EV_{event.room.sid}_{event.number}", created_at=int(at)
    )
    if not isinstance(event, RoomStarted | RoomFinished):
        message.participant.CopyFrom(event.participant)
    if isinstance(event, TrackPublished | TrackUnpublished):
        message.track.CopyFrom(event.track.to_message())
    return message
