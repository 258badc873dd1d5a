"""The signaling states of one peer connection and the moves between them (RFC 9429 3.2, W3C webrtc 4.3.1).

An offer of one side opens an exchange; the other side's answer, or a rollback of the side that made the offer, ends
it. A provisional answer may be repeated and is ended by the answer alone. A second offer of the same side replaces its
first. Whatever is not in the table is an error of the caller. (That a remote offer may roll back our own is decided by
the caller, who rolls back first.)

Called by ``jsep.apply``.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pystack.base import Table

__all__ = ["SIGNALING_TABLE", "SignalingInput", "SignalingState"]


class SignalingState(Enum):
    """The values are the W3C names."""

    STABLE = "stable"
    HAVE_LOCAL_OFFER = "have-local-offer"
    HAVE_REMOTE_OFFER = "have-remote-offer"
    HAVE_LOCAL_PRANSWER = "have-local-pranswer"
    HAVE_REMOTE_PRANSWER = "have-remote-pranswer"
    CLOSED = "closed"


class SignalingInput(Enum):
    """What can be done to a negotiation; the value reads well in an error."""

    APPLY_LOCAL_OFFER = "apply local offer"
    APPLY_LOCAL_ANSWER = "apply local answer"
    APPLY_LOCAL_PRANSWER = "apply local pranswer"
    ROLL_BACK_LOCAL = "roll back local"
    APPLY_REMOTE_OFFER = "apply remote offer"
    APPLY_REMOTE_ANSWER = "apply remote answer"
    APPLY_REMOTE_PRANSWER = "apply remote pranswer"
    ROLL_BACK_REMOTE = "roll back remote"
    CLOSE = "close"


_S = SignalingState
_I = SignalingInput

SIGNALING_TABLE: Final[Table[SignalingState, SignalingInput]] = {
    _S.STABLE: {
        _I.APPLY_LOCAL_OFFER: _S.HAVE_LOCAL_OFFER,
        _I.APPLY_REMOTE_OFFER: _S.HAVE_REMOTE_OFFER,
        _I.CLOSE: _S.CLOSED,
    },
    _S.HAVE_LOCAL_OFFER: {
        _I.APPLY_LOCAL_OFFER: _S.HAVE_LOCAL_OFFER,
        _I.APPLY_REMOTE_ANSWER: _S.STABLE,
        _I.APPLY_REMOTE_PRANSWER: _S.HAVE_REMOTE_PRANSWER,
        _I.ROLL_BACK_LOCAL: _S.STABLE,
        _I.CLOSE: _S.CLOSED,
    },
    _S.HAVE_REMOTE_OFFER: {
        _I.APPLY_REMOTE_OFFER: _S.HAVE_REMOTE_OFFER,
        _I.APPLY_LOCAL_ANSWER: _S.STABLE,
        _I.APPLY_LOCAL_PRANSWER: _S.HAVE_LOCAL_PRANSWER,
        _I.ROLL_BACK_REMOTE: _S.STABLE,
        _I.CLOSE: _S.CLOSED,
    },
    _S.HAVE_LOCAL_PRANSWER: {
        _I.APPLY_LOCAL_PRANSWER: _S.HAVE_LOCAL_PRANSWER,
        _I.APPLY_LOCAL_ANSWER: _S.STABLE,
        _I.CLOSE: _S.CLOSED,
    },
    _S.HAVE_REMOTE_PRANSWER: {
        _I.APPLY_REMOTE_PRANSWER: _S.HAVE_REMOTE_PRANSWER,
        _I.APPLY_REMOTE_ANSWER: _S.STABLE,
        _I.CLOSE: _S.CLOSED,
    },
    _S.CLOSED: {_I.CLOSE: _S.CLOSED},
}
