"""Consent to send, asked by a full agent on its selected path (RFC 7675), and with it liveness.

The idea: every two seconds or so ask the peer on the path in use; as long as authentic answers come, it consents. The
same silence that makes ICE-lite give up makes this side give up: 10 s to "disconnected", 5 s more to the end. (RFC
7675 allows 30 s; the agent of aioice takes about 33 s, for all connections alike.)

A :class:`~pystack.base.Core`: ``receive`` takes STUN answers that came on the selected path, ``flush`` gives requests
for it. Each request has its own transaction and is not repeated: the next one is the repetition.

Called by :mod:`pystack.aio.full`.
"""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import Any, Final

import attrs

from pystack.base import Ended, Machine, Randomness, TimerSet, Trace
from pystack.errors import LOCAL, DecodeError, Reason, TransportLost
from pystack.ice.candidate import candidate_priority
from pystack.ice.credentials import Credentials
from pystack.ice.events import StateChanged
from pystack.ice.states import LITE_TABLE, LiteInput, LiteState
from pystack.ice.stun import BINDING, TRANSACTION_ID_SIZE, StunClass, binding_request, parse

__all__ = ["Consent", "ConsentOptions"]

_REMEMBERED: Final = 16


@attrs.frozen(kw_only=True)
class ConsentOptions:
    """In seconds.

    Attributes:
        interval: between requests; each wait is drawn from 0.8 to 1.2 of it (RFC 7675 section 5.1).
        disconnected_after: without an answer.
        failed_after: after that; then it ends.
    """

    interval: float = 2.0
    disconnected_after: float = 10.0
    failed_after: float = 5.0


class Consent:
    """The consent of one peer, from the moment a path was nominated. Begins in ``CONNECTED``.

    Attributes:
        drops: what was not taken for an answer, by reason.
        requests: how often the peer was asked.
        responses: how often it consented.
        round_trip_time: seconds that the last answer took; ``None`` before the first.
        total_round_trip_time: of all answers.
    """

    def __init__(
        self,
        local: Credentials,
        remote: Credentials,
        randomness: Randomness,
        *,
        controlling: bool,
        tie_breaker: int,
        now: float,
        options: ConsentOptions = ConsentOptions(),
        trace: Trace | None = None,
    ) -> None:
        self._username = f"{remote.ufrag}:{local.ufrag}"
        self._key = remote.key
        self._randomness = randomness
        self._controlling = controlling
        self._tie_breaker = tie_breaker
        self._options = options
        self._trace = trace
        self._machine = Machine(LITE_TABLE, LiteState.CONNECTED)
        self._timers = TimerSet()
        self._due = False
        # An answer may come late by as long as we are patient; what is older does not prove that the peer is there.
        self._asked: dict[bytes, float] = {}
        self._events: list[Any] = []
        self.drops: Counter[str] = Counter()
        self.requests = 0
        self.responses = 0
        self.round_trip_time: float | None = None
        self.total_round_trip_time = 0.0
        self._timers.set("silence", now + options.disconnected_after)
        self._schedule(now)

    @property
    def deadline(self) -> float:
        """The earliest timer, in absolute seconds."""
        return self._timers.deadline

    @property
    def state(self) -> LiteState:
        """``CONNECTED``, ``DISCONNECTED`` or ``CLOSED``."""
        return self._machine.state

    def set_controlling(self, controlling: bool) -> None:
        """Follow a role that was switched (RFC 8445 section 7.2.5.1)."""
        self._controlling = controlling

    def close(self, now: float) -> None:
        """Stop asking."""
        self.abort(now)

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End at once for ``reason``; harmless when repeated."""
        if not self._machine.allows(LiteInput.CLOSED):
            return
        self._machine.move(LiteInput.CLOSED)
        self._timers.clear()
        self._asked.clear()
        self._due = False
        self._events.append(Ended(reason))

    def receive(self, data: bytes, now: float) -> None:
        """Take a STUN answer from the selected path; what is none of ours is counted."""
        self.accepts(data, now)

    def accepts(self, data: bytes, now: float) -> bool:
        """Take a STUN message; tell whether it was the answer to one of our requests, right or wrong."""
        if self._machine.state is LiteState.CLOSED or data[8:20] not in self._asked:
            return False
        try:
            message = parse(data)
        except DecodeError:
            self._drop("malformed", now)
            return True
        if message.method != BINDING or message.message_class is StunClass.REQUEST:
            self._drop("unexpected", now)
        elif not message.authentic(self._key):
            self._drop("integrity", now)
        elif message.message_class is not StunClass.SUCCESS:
            self._drop("refused", now)
        else:
            self.responses += 1
            self.round_trip_time = now - self._asked.pop(message.transaction_id)
            self.total_round_trip_time += self.round_trip_time
            self._timers.cancel("give-up")
            self._timers.set("silence", now + self._options.disconnected_after)
            if self._machine.allows(LiteInput.HEARD):
                self._machine.move(LiteInput.HEARD)
                self._events.append(StateChanged(LiteState.CONNECTED))
        return True

    def tick(self, now: float) -> None:
        """Ask again, or notice silence."""
        for name in self._timers.expired(now):
            if self._trace is not None:
                self._trace.timer(now, "consent", name)
            if name == "ask":
                self._due = True
                self._schedule(now)
            elif name == "silence":
                self._machine.move(LiteInput.SILENCE)
                self._events.append(StateChanged(LiteState.DISCONNECTED))
                self._timers.set("give-up", now + self._options.failed_after)
            else:
                self.abort(now, TransportLost("consent expired: the peer answers no more"))
                return

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """Hand over the request that is due, if any."""
        if not self._due or limit < 1:
            return []
        self._due = False
        transaction_id = self._randomness.token(TRANSACTION_ID_SIZE)
        if len(self._asked) >= _REMEMBERED:
            del self._asked[next(iter(self._asked))]
        self._asked[transaction_id] = now
        self.requests += 1
        request = binding_request(
            transaction_id,
            self._username,
            self._key,
            priority=candidate_priority("prflx"),
            tie_breaker=self._tie_breaker,
            controlling=self._controlling,
        )
        if self._trace is not None:
            self._trace.packet(now, "consent", "out", request)
        return [request]

    def take_events(self) -> list[Any]:
        """``StateChanged`` between connected and disconnected, then one ``Ended``."""
        events, self._events = self._events, []
        return events

    def _schedule(self, now: float) -> None:
        self._timers.set("ask", now + self._options.interval * (0.8 + 0.4 * self._randomness.uniform()))

    def _drop(self, why: str, now: float) -> None:
        self.drops[why] += 1
        if self._trace is not None:
            self._trace.dropped(now, "consent", why)
