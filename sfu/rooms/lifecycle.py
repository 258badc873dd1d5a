"""The states of participants and rooms as tables, and why a participant leaves.

A participant only moves forward; a room that is closing takes nobody in any more (a join then makes a new room).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

from livekit.protocol import models, rtc

from pystack.base import Table

__all__ = [
    "PARTICIPANT_TABLE",
    "LeaveReason",
    "ParticipantInput",
    "ParticipantState",
    "leave_action",
]


class ParticipantState(IntEnum):
    """The numbers are those of LiveKit's ``ParticipantInfo.State``."""

    JOINING = models.ParticipantInfo.State.JOINING
    JOINED = models.ParticipantInfo.State.JOINED
    ACTIVE = models.ParticipantInfo.State.ACTIVE
    DISCONNECTED = models.ParticipantInfo.State.DISCONNECTED


class ParticipantInput(Enum):
    """What moves a participant."""

    ADMITTED = "admitted"
    CONNECTED = "connected"
    LEFT = "left"


PARTICIPANT_TABLE: Final[Table[ParticipantState, ParticipantInput]] = {
    ParticipantState.JOINING: {
        ParticipantInput.ADMITTED: ParticipantState.JOINED,
        ParticipantInput.LEFT: ParticipantState.DISCONNECTED,
    },
    ParticipantState.JOINED: {
        ParticipantInput.CONNECTED: ParticipantState.ACTIVE,
        ParticipantInput.LEFT: ParticipantState.DISCONNECTED,
    },
    ParticipantState.ACTIVE: {ParticipantInput.LEFT: ParticipantState.DISCONNECTED},
    ParticipantState.DISCONNECTED: {},
}


class LeaveReason(IntEnum):
    """Why a participant leaves; the numbers are those of LiveKit's ``DisconnectReason``."""

    CLIENT_INITIATED = models.DisconnectReason.CLIENT_INITIATED
    DUPLICATE_IDENTITY = models.DisconnectReason.DUPLICATE_IDENTITY
    SERVER_SHUTDOWN = models.DisconnectReason.SERVER_SHUTDOWN
    PARTICIPANT_REMOVED = models.DisconnectReason.PARTICIPANT_REMOVED
    ROOM_DELETED = models.DisconnectReason.ROOM_DELETED
    STATE_MISMATCH = models.DisconnectReason.STATE_MISMATCH
    JOIN_FAILURE = models.DisconnectReason.JOIN_FAILURE
    SIGNAL_CLOSE = models.DisconnectReason.SIGNAL_CLOSE
    ROOM_CLOSED = models.DisconnectReason.ROOM_CLOSED
    CONNECTION_TIMEOUT = models.DisconnectReason.CONNECTION_TIMEOUT


_COME_BACK: Final = frozenset({LeaveReason.CONNECTION_TIMEOUT, LeaveReason.SIGNAL_CLOSE})


def leave_action(reason: LeaveReason) -> rtc.LeaveRequest.Action:
    """What the client is asked to do: join anew after an accident, stay away after an intended end."""
    return rtc.LeaveRequest.RECONNECT if reason in _COME_BACK else rtc.LeaveRequest.DISCONNECT
