"""The states of an ICE transport as tables.

``NEW`` until it is started. ``CHECKING`` until the peer nominates a path. ``CONNECTED`` while authenticated checks
keep coming; ``DISCONNECTED`` after 10 s without one, and back at the next; ``FAILED`` 5 s later, or when no path was
nominated in time. ``FAILED`` is left only by a restart: an agent that goes quiet for 15 s and comes back must not
half-work with a peer that has given up. ``CLOSED`` is for good.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pystack.base import Table

__all__ = ["LITE_TABLE", "LiteInput", "LiteState"]


class LiteState(Enum):
    """Where an agent stands; the values are those of W3C's ``RTCIceTransportState``."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class LiteInput(Enum):
    """What moves an agent."""

    STARTED = 0
    NOMINATED = 1
    HEARD = 2
    SILENCE = 3
    GIVEN_UP = 4
    RESTARTED = 5
    CLOSED = 6


LITE_TABLE: Final[Table[LiteState, LiteInput]] = {
    LiteState.NEW: {LiteInput.STARTED: LiteState.CHECKING, LiteInput.CLOSED: LiteState.CLOSED},
    LiteState.CHECKING: {
        LiteInput.NOMINATED: LiteState.CONNECTED,
        LiteInput.GIVEN_UP: LiteState.FAILED,
        LiteInput.CLOSED: LiteState.CLOSED,
    },
    LiteState.CONNECTED: {LiteInput.SILENCE: LiteState.DISCONNECTED, LiteInput.CLOSED: LiteState.CLOSED},
    LiteState.DISCONNECTED: {
        LiteInput.HEARD: LiteState.CONNECTED,
        LiteInput.RESTARTED: LiteState.CHECKING,
        LiteInput.GIVEN_UP: LiteState.FAILED,
        LiteInput.CLOSED: LiteState.CLOSED,
    },
    LiteState.FAILED: {LiteInput.RESTARTED: LiteState.CHECKING, LiteInput.CLOSED: LiteState.CLOSED},
    LiteState.CLOSED: {},
}
