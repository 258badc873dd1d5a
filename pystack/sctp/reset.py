"""Stream reset (RFC 6525): streams begin anew, so that their identifiers can be used again.

Outgoing: a stream that is to be reset first lets everything queued depart; what comes later is held. Then one request
names all that are ready, and at most one request is under way; it is repeated until it is answered, under the
association error counter. Incoming: performed once everything up to the request's last TSN has arrived; until then the
answer is "in progress" and the peer asks again. Other requests are denied, never ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from pystack.base import Backoff, TimerSet
from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.events import IncomingReset, OutgoingResetDone, OutgoingResetFailed
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.rx.receiver import Receiver
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.send_queue import SendQueue
from pystack.sctp.wire.fast import MASK32
from pystack.sctp.wire.reconfig import (
    OtherRequest,
    OutgoingResetRequest,
    ReconfigResponse,
    ResetResult,
    decode_reconfig,
    encode_reconfig,
)

__all__ = ["StreamResets"]

RECONFIG: Final = "reconfig"
_NOBODY: Final = ReconfigResponse(0, ResetResult.BAD_SEQUENCE_NUMBER)


@attrs.define
class _Request:
    chunk: bytes
    sequence: int
    streams: tuple[int, ...]


class StreamResets:
    """Both directions of stream reset.

    Attributes:
        wanted: outgoing streams whose reset was asked for and is not in a request yet, in that order.
        deferred: the peer's request that waits for its last TSN.
        supported: the peer can do it; ``None`` before that is known.
    """

    __slots__ = (
        "_backoff",
        "_errors",
        "_max_streams",
        "_next_sequence",
        "_outbox",
        "_peer_sequence",
        "_queue",
        "_receiver",
        "_request",
        "_response",
        "_retransmitter",
        "_rto",
        "_timers",
        "deferred",
        "supported",
        "wanted",
    )

    def __init__(
        self,
        options: AssociationOptions,
        timers: TimerSet,
        outbox: Outbox,
        queue: SendQueue,
        retransmitter: Retransmitter,
        receiver: Receiver,
        rto: RetransmissionTimeout,
        errors: ErrorCounter,
    ) -> None:
        self._timers = timers
        self._outbox = outbox
        self._queue = queue
        self._retransmitter = retransmitter
        self._receiver = receiver
        self._rto = rto
        self._errors = errors
        self._max_streams = (options.capacity - 20) // 2 & ~1
        self._backoff = Backoff(options.rto_initial, options.rto_max)
        self._request: _Request | None = None
        self._next_sequence = 0
        self._peer_sequence = 0
        self._response = _NOBODY
        self.wanted: dict[int, None] = {}
        self.deferred: OutgoingResetRequest | None = None
        self.supported: bool | None = None

    def begin(self, local_tsn: int, peer_tsn: int, *, supported: bool) -> None:
        """The association stands, or began anew: every stream is at zero, so whatever was asked for is done."""
        self._next_sequence = local_tsn
        self._peer_sequence = peer_tsn
        self._response = ReconfigResponse((peer_tsn - 1) & MASK32, ResetResult.NOTHING_TO_DO)
        self.deferred = None
        restarted = self.supported is not None
        self.supported = supported
        if restarted:
            request, self._request = self._request, None
            self._timers.cancel(RECONFIG)
            done = (*(request.streams if request else ()), *self.wanted)
            self.wanted.clear()
            if done:
                self._release(done)
                self._outbox.events.append(OutgoingResetDone(done))
        elif not supported and self.wanted:
            self._fail(tuple(self.wanted))
            self.wanted.clear()

    # -- outgoing ----------------------------------------------------------------------------------------------------

    def ask(self, streams: Sequence[int]) -> None:
        """The user wants these reset; those on their way already are not asked for twice."""
        under_way = self._request.streams if self._request else ()
        fresh = tuple(number for number in dict.fromkeys(streams) if number not in under_way)
        if self.supported is False:
            self._fail(fresh)
            return
        for number in fresh:
            self._queue.stream(number).resetting = True
            self.wanted[number] = None

    def prepare(self, now: float) -> None:
        """Make a request of the streams that are ready; called before a flush while any is wanted."""
        if self._request is not None or not self.supported:
            return
        ready = [number for number in self.wanted if not self._queue.stream(number).queue][: self._max_streams]
        if not ready:
            return
        for number in ready:
            del self.wanted[number]
        sequence = self._next_sequence
        self._next_sequence = (sequence + 1) & MASK32
        request = OutgoingResetRequest(
            sequence,
            self._response.response_sequence,
            (self._retransmitter.outstanding.next_tsn - 1) & MASK32,
            tuple(ready),
        )
        self._request = _Request(encode_reconfig(request), sequence, request.streams)
        self._backoff = Backoff(self._rto.value, self._backoff.maximum)
        self._send(now)

    def _send(self, now: float) -> None:
        assert self._request is not None
        self._outbox.chunk(self._request.chunk)
        self._timers.set(RECONFIG, now + self._backoff.next())

    def expire(self, now: float) -> None:
        """No answer, or the peer said to ask again."""
        if self._request is not None:
            self._errors.strike("unanswered stream resets")
            self._send(now)

    def _handle_response(self, response: ReconfigResponse, now: float) -> None:
        request = self._request
        if request is None or response.response_sequence != request.sequence:
            self._outbox.drop("reset-response-unasked", now)
            return
        self._errors.clear()
        if response.result in (ResetResult.IN_PROGRESS, ResetResult.REQUEST_IN_PROGRESS):
            self._backoff.reset()
            self._timers.set(RECONFIG, now + self._rto.value)
            return
        self._request = None
        self._timers.cancel(RECONFIG)
        if response.result in (ResetResult.PERFORMED, ResetResult.NOTHING_TO_DO):
            self._release(request.streams)
            self._outbox.events.append(OutgoingResetDone(request.streams))
        else:
            self._fail(request.streams)

    def _release(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            stream = self._queue.stream(number)
            stream.next_ssn = stream.next_unordered = 0
            self._queue.release_held(stream)

    def _fail(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            self._queue.release_held(self._queue.stream(number))
        if numbers:
            self._outbox.events.append(OutgoingResetFailed(numbers))

    # -- incoming ----------------------------------------------------------------------------------------------------

    def handle_reconfig(self, body: bytes, now: float) -> None:
        """RE-CONFIG: up to two parameters, each on its own.

        Raises:
            DecodeError: nothing in it can be read.
        """
        for parameter in decode_reconfig(body)[:2]:
            if isinstance(parameter, ReconfigResponse):
                self._handle_response(parameter, now)
            else:
                self._handle_request(parameter)

    def _handle_request(self, request: OutgoingResetRequest | OtherRequest) -> None:
        sequence = request.request_sequence
        if sequence == self._peer_sequence:
            if isinstance(request, OtherRequest):
                self._settle(sequence, ResetResult.DENIED)
            elif self._receiver.tracker.plain(request.last_tsn) > self._receiver.tracker.cumulative:
                self.deferred = request
                self._outbox.chunk(encode_reconfig(ReconfigResponse(sequence, ResetResult.IN_PROGRESS)))
                return
            else:
                self._perform(request)
        elif sequence != self._response.response_sequence:
            answer = ReconfigResponse(sequence, ResetResult.BAD_SEQUENCE_NUMBER)
            self._outbox.chunk(encode_reconfig(answer))
            return
        self._outbox.chunk(encode_reconfig(self._response))

    def perform_deferred(self) -> None:
        """Perform the deferred request if everything before it has arrived; the peer learns it when it asks again."""
        request = self.deferred
        if request is not None:
            tracker = self._receiver.tracker
            if tracker.plain(request.last_tsn) <= tracker.cumulative:
                self._perform(request)

    def _perform(self, request: OutgoingResetRequest) -> None:
        self.deferred = None
        self._receiver.reset(request.streams)
        self._settle(request.request_sequence, ResetResult.PERFORMED)
        self._outbox.events.append(IncomingReset(request.streams or self._receiver.known_streams()))

    def _settle(self, sequence: int, result: ResetResult) -> None:
        self._response = ReconfigResponse(sequence, result)
        self._peer_sequence = (sequence + 1) & MASK32
