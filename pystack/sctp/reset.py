"""Stream reset (RFC 6525): streams begin anew, so that their identifiers can be used again.

Outgoing: a stream that is to be reset first lets everything queued depart; what comes later is held. Then one request
names all that are ready, and at most one request is under way; it is repeated until it is answered, under the
association error counter. Incoming: performed once everything up to the request's last TSN has arrived; until then the
answer is "in progress" and the peer asks again. Other requests are denied, never ignored.

How to ask again is read in two ways (RFC 6525 sections 5.2.1 and 5.2.2). By the letter a repetition under the same
number gets the same answer, for ever, and dcSCTP does so: after "in progress" it asks under the next number. Others
repeat the same one and expect another answer. We ask as the former and answer both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import attrs

from pystack.base import Backoff, TimerSet
from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.events import IncomingReset, OutgoingResetAsked, OutgoingResetDone, OutgoingResetFailed
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
_MOST_DELAYS: Final = 6
"""How often a peer that has acknowledged everything may say "in progress": it then has nothing to wait for."""


@attrs.define
class _Request:
    """Our request: what it names stays, its number changes whenever the peer puts it off.

    Attributes:
        last_tsn: plain.
        put_off: the peer said "in progress" and was not asked again yet.
        delays: how often it said so without a reason.
    """

    streams: tuple[int, ...]
    last_tsn: int
    sequence: int = 0
    chunk: bytes = b""
    put_off: bool = False
    delays: int = 0


class StreamResets:
    """Both directions of stream reset.

    Attributes:
        wanted: outgoing streams whose reset was asked for and that have data to depart, in that order.
        ready: those that have none any more and are not in a request yet.
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
        "_unaware",
        "deferred",
        "ready",
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
        self._unaware: OutgoingResetRequest | None = None  # performed, and "in progress" is all that the peer heard
        self.wanted: dict[int, None] = {}
        self.ready: dict[int, None] = {}
        self.deferred: OutgoingResetRequest | None = None
        self.supported: bool | None = None

    def begin(self, local_tsn: int, peer_tsn: int, *, supported: bool) -> None:
        """The association stands, or began anew: every stream is at zero, so whatever was asked for is done."""
        self._next_sequence = local_tsn
        self._peer_sequence = peer_tsn
        self._response = ReconfigResponse((peer_tsn - 1) & MASK32, ResetResult.NOTHING_TO_DO)
        self.deferred = self._unaware = None
        restarted = self.supported is not None
        self.supported = supported
        if restarted:
            request, self._request = self._request, None
            self._timers.cancel(RECONFIG)
            done = (*(request.streams if request else ()), *self.ready, *self.wanted)
            self.ready.clear()
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
            if number not in self.ready:
                self.wanted[number] = None

    def prepare(self, now: float) -> None:
        """Make a request of the streams that are ready; called around a flush while any is wanted."""
        if not self.supported:
            return
        departed = tuple(number for number in self.wanted if not self._queue.stream(number).queue)
        if departed:
            for number in departed:
                del self.wanted[number]
                self.ready[number] = None
            self._outbox.events.append(OutgoingResetAsked(departed))
        if self._request is None and self.ready:
            streams = tuple(islice(self.ready, self._max_streams))
            for number in streams:
                del self.ready[number]
            self._request = _Request(streams, self._retransmitter.outstanding.next_tsn - 1)
            self._ask_anew(self._request, now)

    def _ask_anew(self, request: _Request, now: float) -> None:
        """Ask under the next number."""
        request.put_off = False
        request.sequence = self._next_sequence
        self._next_sequence = (request.sequence + 1) & MASK32
        request.chunk = encode_reconfig(
            OutgoingResetRequest(
                request.sequence, self._response.response_sequence, request.last_tsn & MASK32, request.streams
            )
        )
        self._backoff = Backoff(self._rto.value, self._backoff.maximum)
        self._send(request, now)

    def _send(self, request: _Request, now: float) -> None:
        self._outbox.chunk(request.chunk)
        self._timers.set(RECONFIG, now + self._backoff.next())

    def expire(self, now: float) -> None:
        """No answer, or the peer said to ask again."""
        request = self._request
        if request is None:
            return
        if request.put_off:
            self._ask_anew(request, now)
            return
        if not self._retransmitter.watching:
            self._errors.strike("unanswered stream resets")
        self._send(request, now)

    def _handle_response(self, response: ReconfigResponse, now: float) -> None:
        request = self._request
        if request is None or response.response_sequence != request.sequence:
            self._outbox.drop("reset-response-unasked", now)
            return
        self._errors.clear()
        if response.result in (ResetResult.IN_PROGRESS, ResetResult.REQUEST_IN_PROGRESS):
            if request.put_off:
                return  # said twice
            if self._retransmitter.outstanding.cumulative >= request.last_tsn:
                request.delays += 1
            if request.delays <= _MOST_DELAYS:
                request.put_off = True
                pause = self._rto.value * 2 ** max(0, request.delays - 1)
                self._timers.set(RECONFIG, now + min(pause, self._backoff.maximum))
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
            self._retransmitter.stream_begins(stream)
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
        asks_again = self.deferred is not None and isinstance(request, OutgoingResetRequest)
        if asks_again and sequence == (self._peer_sequence + 1) & MASK32:
            self._settle(self._peer_sequence, ResetResult.IN_PROGRESS)
        if sequence == self._peer_sequence:
            if isinstance(request, OtherRequest):
                self._settle(sequence, ResetResult.DENIED)
            elif self._is_performed(request):
                self._unaware = None
                self._settle(sequence, ResetResult.PERFORMED)
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
                self._unaware = request

    def _is_performed(self, request: OutgoingResetRequest) -> bool:
        """Whether this is what was performed since the peer heard "in progress": the next channel is not to close."""
        done = self._unaware
        return done is not None and (done.streams, done.last_tsn) == (request.streams, request.last_tsn)

    def _perform(self, request: OutgoingResetRequest) -> None:
        self.deferred = self._unaware = None
        self._settle(request.request_sequence, ResetResult.PERFORMED)
        streams = self._receiver.reset(request.streams)
        if streams:
            self._outbox.events.append(IncomingReset(streams))

    def _settle(self, sequence: int, result: ResetResult) -> None:
        self._response = ReconfigResponse(sequence, result)
        self._peer_sequence = (sequence + 1) & MASK32
