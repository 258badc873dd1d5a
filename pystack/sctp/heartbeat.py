"""Heartbeats on an idle association (RFC 9260 section 8.3): is the peer still there, and how far away?

While T3 runs or a stream reset is under way the peer is asked already, and that counts what is not answered: a
heartbeat that is not answered then counts for nothing, one that is answered still clears the counter. So an outage is
counted once.
"""

from __future__ import annotations

from math import inf
from typing import Final

from pystack.base import Randomness, TimerSet
from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.reset import RECONFIG
from pystack.sctp.stats import Counters
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.scheduler import Scheduler
from pystack.sctp.wire.control import encode_heartbeat, encode_heartbeat_ack, heartbeat_information

__all__ = ["Heartbeat"]

INTERVAL: Final = "heartbeat"
TIMEOUT: Final = "heartbeat-timeout"
_NONCE_SIZE: Final = 16


class Heartbeat:
    """Sends, answers and times heartbeats."""

    __slots__ = (
        "_counters",
        "_errors",
        "_interval",
        "_nonce",
        "_outbox",
        "_randomness",
        "_retransmitter",
        "_rto",
        "_scheduler",
        "_sent_at",
        "_timers",
    )

    def __init__(
        self,
        options: AssociationOptions,
        randomness: Randomness,
        timers: TimerSet,
        outbox: Outbox,
        scheduler: Scheduler,
        retransmitter: Retransmitter,
        rto: RetransmissionTimeout,
        errors: ErrorCounter,
        counters: Counters,
    ) -> None:
        self._interval = options.heartbeat_interval
        self._randomness = randomness
        self._timers = timers
        self._outbox = outbox
        self._scheduler = scheduler
        self._retransmitter = retransmitter
        self._rto = rto
        self._errors = errors
        self._counters = counters
        self._nonce = b""
        self._sent_at = -inf

    def begin(self, now: float) -> None:
        """The association stands."""
        self._nonce = b""
        self._timers.cancel(TIMEOUT)
        self._arm(now)

    def _arm(self, since: float) -> None:
        if self._interval:
            # Half of the time-out more or less, so that associations do not beat in step.
            self._timers.set(INTERVAL, since + self._interval + self._rto.value * (0.5 + self._randomness.uniform()))

    def expire(self, now: float) -> None:
        """The interval is over: beat if nothing was sent in it."""
        quiet_since = self._scheduler.last_departure
        if now - quiet_since < self._interval:
            self._arm(quiet_since)
            return
        self._nonce = self._randomness.token(_NONCE_SIZE)
        self._sent_at = now
        self._counters.heartbeats_sent += 1
        self._outbox.chunk(encode_heartbeat(self._nonce))
        self._timers.set(TIMEOUT, now + self._rto.value)
        self._arm(now)

    def expire_timeout(self, now: float) -> None:
        """The answer did not come."""
        self._nonce = b""
        if self._retransmitter.watching or self._timers.armed(RECONFIG):
            return
        self._errors.strike("unanswered heartbeats")
        self._rto.back_off()

    def handle_request(self, body: bytes) -> None:
        """HEARTBEAT: the body goes back as it is.

        Raises:
            DecodeError: there is no information in it.
        """
        heartbeat_information(body)
        self._outbox.chunk(encode_heartbeat_ack(body))

    def handle_ack(self, body: bytes, now: float) -> None:
        """HEARTBEAT-ACK; only the one that answers the last HEARTBEAT counts.

        Raises:
            DecodeError: there is no information in it.
        """
        if not self._nonce or heartbeat_information(body) != self._nonce:
            self._outbox.drop("heartbeat-ack-unasked", now)
            return
        self._nonce = b""
        self._timers.cancel(TIMEOUT)
        self._errors.clear()
        self._rto.sample(now - self._sent_at)
