"""The association's state machine as a table (RFC 9260 section 4).

Two states are ours. ``CLOSED`` is only the beginning: nothing was sent yet, and a peer's INIT is answered without
keeping anything. ``ENDED`` is the one way out; nothing leaves it. Side effects live with the procedures that move the
machine: ``handshake.py``, ``shutdown.py``, and ``Outbox.end`` for every other end.

In which states a chunk is looked at is data as well: :data:`RECEIVES_DATA` and :data:`TAKES_MESSAGES`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pystack.base import Machine, Table, Trace

__all__ = ["ASSOCIATION_TABLE", "RECEIVES_DATA", "SENDS_DATA", "AssociationState", "Lifecycle", "Move"]


class AssociationState(Enum):
    """Where an association stands."""

    CLOSED = "closed"
    COOKIE_WAIT = "cookie-wait"
    COOKIE_ECHOED = "cookie-echoed"
    ESTABLISHED = "established"
    SHUTDOWN_PENDING = "shutdown-pending"
    SHUTDOWN_SENT = "shutdown-sent"
    SHUTDOWN_RECEIVED = "shutdown-received"
    SHUTDOWN_ACK_SENT = "shutdown-ack-sent"
    ENDED = "ended"


class Move(Enum):
    """What moves it."""

    CONNECT = "connect"
    INIT_ACK = "init-ack received"
    COOKIE_ECHO = "valid cookie received"
    COOKIE_ACK = "cookie-ack received"
    SHUTDOWN = "shutdown asked for"
    PEER_SHUTDOWN = "shutdown received"
    DRAINED = "everything acknowledged"
    SHUTDOWN_ACK = "shutdown-ack received"
    END = "end"


_S = AssociationState
_M = Move

ASSOCIATION_TABLE: Final[Table[AssociationState, Move]] = {
    _S.CLOSED: {_M.CONNECT: _S.COOKIE_WAIT, _M.COOKIE_ECHO: _S.ESTABLISHED, _M.END: _S.ENDED},
    _S.COOKIE_WAIT: {_M.INIT_ACK: _S.COOKIE_ECHOED, _M.COOKIE_ECHO: _S.ESTABLISHED, _M.END: _S.ENDED},
    _S.COOKIE_ECHOED: {_M.COOKIE_ACK: _S.ESTABLISHED, _M.COOKIE_ECHO: _S.ESTABLISHED, _M.END: _S.ENDED},
    _S.ESTABLISHED: {
        _M.SHUTDOWN: _S.SHUTDOWN_PENDING,
        _M.PEER_SHUTDOWN: _S.SHUTDOWN_RECEIVED,
        _M.COOKIE_ECHO: _S.ESTABLISHED,  # a restart of the peer
        _M.END: _S.ENDED,
    },
    _S.SHUTDOWN_PENDING: {
        _M.DRAINED: _S.SHUTDOWN_SENT,
        _M.PEER_SHUTDOWN: _S.SHUTDOWN_RECEIVED,
        _M.COOKIE_ECHO: _S.SHUTDOWN_PENDING,
        _M.END: _S.ENDED,
    },
    _S.SHUTDOWN_SENT: {
        _M.PEER_SHUTDOWN: _S.SHUTDOWN_ACK_SENT,  # both at once
        _M.SHUTDOWN_ACK: _S.ENDED,
        _M.COOKIE_ECHO: _S.SHUTDOWN_PENDING,
        _M.END: _S.ENDED,
    },
    _S.SHUTDOWN_RECEIVED: {_M.DRAINED: _S.SHUTDOWN_ACK_SENT, _M.END: _S.ENDED},
    _S.SHUTDOWN_ACK_SENT: {_M.SHUTDOWN_ACK: _S.ENDED, _M.END: _S.ENDED},
    _S.ENDED: {},
}

RECEIVES_DATA: Final = (_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_SENT)
"""DATA and FORWARD-TSN are taken in these states, and dropped in all others (RFC 9260 section 6)."""

SENDS_DATA: Final = (_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_RECEIVED)
"""DATA departs in these states."""


class Lifecycle:
    """The machine, and the flags that the hot path reads instead of asking it."""

    __slots__ = ("_machine", "_trace", "receives", "sends")

    def __init__(self, trace: Trace | None) -> None:
        self._machine: Machine[AssociationState, Move] = Machine(ASSOCIATION_TABLE, _S.CLOSED)
        self._trace = trace
        self.receives = False
        self.sends = False

    @property
    def state(self) -> AssociationState:
        """The present state."""
        return self._machine.state

    def allows(self, given: Move) -> bool:
        """Tell whether ``given`` is legal here; ask before moving on a peer's word."""
        return self._machine.allows(given)

    def move(self, given: Move, now: float) -> AssociationState:
        """Follow ``given``.

        Raises:
            LocalProtocolError: not legal here.
        """
        before = self._machine.state
        after = self._machine.move(given)
        self.receives = after in RECEIVES_DATA
        self.sends = after in SENDS_DATA
        if self._trace is not None and after is not before:
            self._trace.state(now, "sctp", before.value, after.value)
        return after
