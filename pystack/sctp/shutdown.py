"""Ending in good order: SHUTDOWN, SHUTDOWN-ACK, SHUTDOWN-COMPLETE, and all their crossings (RFC 9260 section 9.2).

Queued data departs and is acknowledged first. T2 repeats what is not answered, under the association error counter;
the guard timer bounds the whole, so that a shutdown always ends.
"""

from __future__ import annotations

from typing import Final

from pystack.base import TimerSet
from pystack.errors import LOCAL, PeerClosed, TransportLost
from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.events import ShutdownStarted
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.rx.tracker import TsnTracker
from pystack.sctp.states import AssociationState, Lifecycle, Move
from pystack.sctp.tx.gate import Gate
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.send_queue import SendQueue
from pystack.sctp.wire.causes import CauseCode
from pystack.sctp.wire.control import SHUTDOWN_ACK, encode_abort, encode_shutdown, encode_shutdown_complete
from pystack.sctp.wire.fast import MASK32

__all__ = ["Shutdown"]

T2: Final = "t2-shutdown"
GUARD: Final = "shutdown-guard"


class Shutdown:
    """The shutdown procedure of one association.

    Attributes:
        started: no more messages are taken from the user.
        draining: the machine waits for everything to be acknowledged.
    """

    __slots__ = (
        "_asked",
        "_errors",
        "_gate",
        "_lifecycle",
        "_options",
        "_outbox",
        "_queue",
        "_retransmitter",
        "_rto",
        "_timers",
        "_tracker",
        "draining",
        "started",
    )

    def __init__(
        self,
        options: AssociationOptions,
        lifecycle: Lifecycle,
        timers: TimerSet,
        outbox: Outbox,
        tracker: TsnTracker,
        queue: SendQueue,
        gate: Gate,
        retransmitter: Retransmitter,
        rto: RetransmissionTimeout,
        errors: ErrorCounter,
    ) -> None:
        self._options = options
        self._lifecycle = lifecycle
        self._timers = timers
        self._outbox = outbox
        self._tracker = tracker
        self._queue = queue
        self._gate = gate
        self._retransmitter = retransmitter
        self._rto = rto
        self._errors = errors
        self._asked = False
        self.started = False
        self.draining = False

    def request(self, now: float) -> None:
        """The user asks for it. While connecting it waits for the connection; repeated it changes nothing."""
        self._asked = True
        if self._lifecycle.state is AssociationState.CLOSED:
            self._outbox.end(LOCAL)
            return
        if not self.started:
            self._start(now, remote=False)
            self.established(now)

    def established(self, now: float) -> None:
        """The association stands; a shutdown that was asked for meanwhile begins."""
        if self.started and self._lifecycle.allows(Move.SHUTDOWN):
            self._lifecycle.move(Move.SHUTDOWN, now)
            self.draining = True
            self.advance(now)

    def _start(self, now: float, *, remote: bool) -> None:
        self.started = True
        self._timers.set(GUARD, now + self._options.shutdown_guard)
        self._outbox.events.append(ShutdownStarted(remote))
        for stream in self._queue.streams():
            # What waits for a stream's reset would wait for something that may never come.
            while stream.held:
                self._gate.released(stream, self._queue.remove(stream.held[-1]))
        self._gate.open_for_good()

    def advance(self, now: float) -> None:
        """Go on if everything is acknowledged; the composer asks after every input while ``draining``."""
        if self._gate.queued or len(self._retransmitter.outstanding) or not self._lifecycle.allows(Move.DRAINED):
            return
        self.draining = False
        if self._lifecycle.move(Move.DRAINED, now) is AssociationState.SHUTDOWN_SENT:
            self._say_shutdown(now)
        else:
            self._say_ack(now)

    def _say_shutdown(self, now: float) -> None:
        self._outbox.chunk(encode_shutdown(self._tracker.cumulative & MASK32))
        self._timers.set(T2, now + self._rto.value)

    def _say_ack(self, now: float) -> None:
        self._outbox.chunk(SHUTDOWN_ACK)
        self._timers.set(T2, now + self._rto.value)

    def data_arrived(self, now: float) -> None:
        """Data came after our SHUTDOWN: say it again with what has arrived now."""
        if self._lifecycle.state is AssociationState.SHUTDOWN_SENT:
            self._say_shutdown(now)

    def handle_shutdown(self, cumulative: int, now: float) -> None:
        """SHUTDOWN from the peer: it takes no more from its user, and acknowledges up to ``cumulative``."""
        state = self._lifecycle.state
        if state is AssociationState.SHUTDOWN_ACK_SENT:
            self._say_ack(now)
            return
        if state is AssociationState.SHUTDOWN_RECEIVED:
            self._retransmitter.handle_cumulative(cumulative, now)
            return
        if not self._lifecycle.allows(Move.PEER_SHUTDOWN):
            self._outbox.drop("shutdown-state", now)
            return
        self._retransmitter.handle_cumulative(cumulative, now)
        if not self.started:
            self._start(now, remote=True)
        if self._lifecycle.move(Move.PEER_SHUTDOWN, now) is AssociationState.SHUTDOWN_ACK_SENT:
            self._say_ack(now)
        else:
            self.draining = True

    def handle_ack(self, now: float) -> None:
        """SHUTDOWN-ACK: say SHUTDOWN-COMPLETE, and that was it."""
        if self._lifecycle.allows(Move.SHUTDOWN_ACK):
            self._finish(encode_shutdown_complete())
        else:
            self._outbox.drop("shutdown-ack-state", now)

    def handle_complete(self, now: float) -> None:
        """SHUTDOWN-COMPLETE answers our SHUTDOWN-ACK."""
        if self._lifecycle.state is AssociationState.SHUTDOWN_ACK_SENT:
            self._finish(None)
        else:
            self._outbox.drop("shutdown-complete-state", now)

    def _finish(self, farewell: bytes | None) -> None:
        self._outbox.end(LOCAL if self._asked else PeerClosed("the peer shut the association down"), farewell)

    def expire_t2(self, now: float) -> None:
        """Nobody answered."""
        self._errors.strike("unanswered shutdowns")
        self._rto.back_off()
        if self._lifecycle.state is AssociationState.SHUTDOWN_SENT:
            self._say_shutdown(now)
        elif self._lifecycle.state is AssociationState.SHUTDOWN_ACK_SENT:
            self._say_ack(now)

    def expire_guard(self, now: float) -> None:
        """It took too long altogether."""
        self._outbox.end(
            TransportLost(f"the shutdown took longer than {self._options.shutdown_guard:g} s"),
            encode_abort([(CauseCode.USER_INITIATED_ABORT, b"shutdown took too long")]),
        )
