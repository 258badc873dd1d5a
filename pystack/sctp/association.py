"""The association: names its parts and passes things on. It decides nothing that a part could decide.

One object is one SCTP association over one path below which DTLS runs (RFC 9260, 3758, 6525, 9653, as profiled by
RFC 8831 and 8261). It is a Core: bytes and time go in by call, packets come out of ``flush``, events out of
``take_events``. Called by ``pystack.datachannel`` and by ``pystack.session``.

``receive`` walks a packet once. DATA and SACK are read where they lie; every other chunk goes through the table of
handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from math import inf

from pystack.base import Randomness, TimerSet, Trace
from pystack.errors import (
    LOCAL,
    Closed,
    DecodeError,
    InvalidArgument,
    LocalProtocolError,
    MessageTooLarge,
    PeerAborted,
    Reason,
)
from pystack.sctp import shutdown as _shutdown
from pystack.sctp.cookie import PeerParameters
from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.events import AssociationEvent, Established, Restarted
from pystack.sctp.handshake import T1_COOKIE, T1_INIT, Adopt, Adoption, Handshake
from pystack.sctp.heartbeat import INTERVAL, TIMEOUT, Heartbeat
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.reset import RECONFIG, StreamResets
from pystack.sctp.rx.receiver import Receiver
from pystack.sctp.shutdown import Shutdown
from pystack.sctp.states import AssociationState, Lifecycle, Move
from pystack.sctp.stats import AssociationStats, Counters
from pystack.sctp.tx.congestion import CongestionWindow
from pystack.sctp.tx.gate import Gate
from pystack.sctp.tx.interleaver import Interleaver
from pystack.sctp.tx.packer import Packer
from pystack.sctp.tx.priority import PriorityRing
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.scheduler import Scheduler
from pystack.sctp.tx.send_queue import OutgoingMessage, SendQueue
from pystack.sctp.wire.causes import CauseCode, decode_causes, describe_causes
from pystack.sctp.wire.control import (
    REFLECTED,
    encode_abort,
    encode_error,
    encode_shutdown_complete,
    shutdown_tsn,
)
from pystack.sctp.wire.data import UNORDERED
from pystack.sctp.wire.fast import Seal, unpack_sack
from pystack.sctp.wire.forward import ForwardTsnChunk, IForwardTsnChunk
from pystack.sctp.wire.packet import ChunkType, Packet, build_packet

__all__ = ["Association"]

_LIFETIME = "message-lifetime"
_REPORT_LIMIT = 200
_AT_ONCE = 0.01
"""Seconds that a message with no lifetime at all has for its departure: whoever sends it flushes a moment later."""


class Association:
    """One SCTP association.

    Args:
        options: see :class:`AssociationOptions`.
        randomness: for tags, sequence numbers, the cookie's key, heartbeats.
        trace: an optional observer.

    Attributes:
        max_outgoing_message_size: the largest message that the peer takes, 0 for no limit; may be changed at any time.
    """

    def __init__(self, options: AssociationOptions, randomness: Randomness, trace: Trace | None = None) -> None:
        self.max_outgoing_message_size = options.max_outgoing_message_size
        self._options = options
        self._trace = trace
        self._named_timers = TimerSet()
        self._counters = Counters()
        self._outbox = outbox = Outbox(trace)
        self._lifecycle = Lifecycle(trace)
        self._errors = ErrorCounter(options.max_association_retransmits, outbox)
        self._rto = RetransmissionTimeout(options)
        self._congestion = CongestionWindow(options)
        self._priorities = PriorityRing() if options.scheduler == "priority" else None
        self._queue = SendQueue(self._priorities)
        self._gate = Gate(options, outbox)
        self._retransmitter = Retransmitter(
            options, self._queue, self._gate, self._congestion, self._rto, self._errors, self._counters, outbox
        )
        self._scheduler = Scheduler(
            options, self._queue, self._gate, self._congestion, self._rto, self._retransmitter, self._counters
        )
        self._interleaver = Interleaver(
            options, self._gate, self._congestion, self._retransmitter, self._scheduler, self._counters
        )
        self._receiver = Receiver(options, outbox, self._counters)
        self._packer = Packer(
            options, self._lifecycle, outbox, self._receiver.acker, self._retransmitter, self._scheduler
        )
        self._handshake = Handshake(options, randomness, self._lifecycle, self._named_timers, outbox)
        self._shutdown = Shutdown(
            options,
            self._lifecycle,
            self._named_timers,
            outbox,
            self._receiver.tracker,
            self._queue,
            self._gate,
            self._retransmitter,
            self._rto,
            self._errors,
        )
        self._heartbeat = Heartbeat(
            options,
            randomness,
            self._named_timers,
            outbox,
            self._scheduler,
            self._retransmitter,
            self._rto,
            self._errors,
            self._counters,
        )
        self._resets = StreamResets(
            options,
            self._named_timers,
            outbox,
            self._queue,
            self._retransmitter,
            self._receiver,
            self._rto,
            self._errors,
        )
        self._opener = self._make_opener()
        self._handlers: dict[int, Callable[[int, bytes, float], None]] = {
            ChunkType.DATA: self._on_wrong_data,
            ChunkType.INIT: self._on_misplaced_init,
            ChunkType.INIT_ACK: self._on_init_ack,
            ChunkType.HEARTBEAT: self._on_heartbeat,
            ChunkType.HEARTBEAT_ACK: self._on_heartbeat_ack,
            ChunkType.ABORT: self._on_abort,
            ChunkType.SHUTDOWN: self._on_shutdown,
            ChunkType.SHUTDOWN_ACK: self._on_shutdown_ack,
            ChunkType.ERROR: self._on_error,
            ChunkType.COOKIE_ECHO: self._on_cookie_echo,
            ChunkType.COOKIE_ACK: self._on_cookie_ack,
            ChunkType.ECNE: self._on_ignored,
            ChunkType.CWR: self._on_ignored,
            ChunkType.SHUTDOWN_COMPLETE: self._on_shutdown_complete,
        }
        if options.partial_reliability:
            self._handlers[ChunkType.FORWARD_TSN] = self._on_forward
        if options.interleaving:
            self._handlers[ChunkType.I_DATA] = self._on_wrong_data
            self._handlers[ChunkType.I_FORWARD_TSN] = self._on_iforward
        if options.stream_reset:
            self._handlers[ChunkType.RE_CONFIG] = self._on_reconfig
        self._expiries: dict[str, Callable[[float], None]] = {
            T1_INIT: self._handshake.expire_init,
            T1_COOKIE: self._handshake.expire_cookie,
            _shutdown.T2: self._shutdown.expire_t2,
            _shutdown.GUARD: self._shutdown.expire_guard,
            INTERVAL: self._heartbeat.expire,
            TIMEOUT: self._heartbeat.expire_timeout,
            RECONFIG: self._resets.expire,
            _LIFETIME: self._retransmitter.expire_messages,
        }

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> AssociationState:
        """Where the association stands; changes only inside calls."""
        return self._lifecycle.state

    @property
    def deadline(self) -> float:
        """When to call :meth:`tick` next, ``inf`` for never. Always current."""
        return min(
            self._named_timers.deadline,
            self._retransmitter.t3_at,
            self._retransmitter.soon_at,
            self._receiver.acker.at,
        )

    @property
    def deadline_reason(self) -> str:
        """The name of the timer behind :attr:`deadline`; ``""`` when there is none."""
        deadline = self.deadline
        if deadline == inf:
            return ""
        if deadline == self._retransmitter.t3_at:
            return "t3-rtx"
        if deadline == self._retransmitter.soon_at:
            return "loss-detection"
        return "delayed-sack" if deadline == self._receiver.acker.at else self._named_timers.reason

    @property
    def drops(self) -> dict[str, int]:
        """What was dropped of the peer's, by cause."""
        return self._outbox.drops

    def buffered_amount(self, stream: int) -> int:
        """Bytes of the stream that were admitted and have not departed."""
        known = self._queue.known(stream)
        return known.queued if known is not None else 0

    def stats(self) -> AssociationStats:
        """A snapshot of numbers."""
        return AssociationStats(
            state=self.state.value,
            congestion_window=self._congestion.window,
            slow_start_threshold=self._congestion.threshold,
            peer_window=self._retransmitter.peer_window,
            receive_window=self._receiver.window.free,
            flight=self._retransmitter.outstanding.flight,
            outstanding=len(self._retransmitter.outstanding),
            smoothed_rtt=self._rto.srtt,
            rto=self._rto.value,
            buffered=self._gate.queued,
            errors=self._errors.count,
            counters=copy(self._counters),
        )

    def take_events(self) -> list[AssociationEvent]:
        """What happened since the last call, oldest first."""
        events = self._outbox.events
        if events:
            self._outbox.events = []
        return events

    # -- commands ----------------------------------------------------------------------------------------------------

    def connect(self, now: float) -> None:
        """Begin the handshake. Both sides may; a side that does not answers all the same.

        Does nothing if the peer was faster.

        Raises:
            Closed: the association has ended.
            LocalProtocolError: called twice.
        """
        self._check_open()
        if self._lifecycle.state in (AssociationState.CLOSED, AssociationState.COOKIE_WAIT):
            self._handshake.connect(now)

    def send(
        self,
        stream: int,
        data: bytes,
        now: float,
        *,
        ppid: int,
        ordered: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> bool:
        """Hand in a message; it is taken whole or not at all.

        Args:
            stream: stream identifier.
            data: at least one byte (RFC 8831 has PPIDs for empty messages).
            now: the clock.
            ppid: payload protocol identifier, 32 bits, handed to the peer's application as it is.
            ordered: keep its order within the stream.
            max_retransmits: give it up after so many retransmissions of a fragment (RFC 7496); ``None``: never.
            lifetime: give it up after so many seconds (RFC 3758); ``None``: never. 0: it goes at once and once, or not
                at all.

        Returns:
            False if it was refused for lack of room. Then nothing has changed, and exactly one ``Writable(stream)`` or
            ``Ended`` follows, whichever comes first.

        Raises:
            Closed: the association has ended.
            LocalProtocolError: it is being shut down.
            MessageTooLarge: above :attr:`max_outgoing_message_size`.
            InvalidArgument: no such stream, no data, or a negative limit.
        """
        if self._outbox.reason is not None or self._shutdown.started:
            self._check_open()
            raise LocalProtocolError("send", self.state.value)
        size = len(data)
        if not 0 <= stream < self._usable_streams or not size or not 0 <= ppid <= 0xFFFFFFFF:
            raise InvalidArgument(
                f"a message needs a stream below {self._usable_streams}, at least one byte and a 32-bit ppid"
            )
        if (max_retransmits is not None and max_retransmits < 0) or (lifetime is not None and lifetime < 0):
            raise InvalidArgument("max_retransmits and lifetime must not be negative")
        if 0 < self.max_outgoing_message_size < size:
            raise MessageTooLarge(self.max_outgoing_message_size, size)
        line = self._queue.stream(stream)
        if not self._gate.admit(line, size):
            return False
        if lifetime == 0:
            lifetime, max_retransmits = _AT_ONCE, 0
        message = OutgoingMessage(
            line,
            data if type(data) is bytes else bytes(data),
            ppid,
            0 if ordered else UNORDERED,
            -1 if max_retransmits is None else max_retransmits,
            inf if lifetime is None else now + lifetime,
        )
        self._queue.put(message)
        if lifetime is not None:
            self._named_timers.set(_LIFETIME, self._queue.next_expiry)
        return True

    def consume(self, stream: int, nbytes: int, now: float) -> None:
        """The reader took ``nbytes`` that were received on ``stream``: the window opens again by as much.

        Raises:
            InvalidArgument: ``nbytes`` is negative.
        """
        if nbytes < 0:
            raise InvalidArgument("nbytes must not be negative")
        if self._outbox.reason is None:
            self._receiver.consume(stream, nbytes)

    def reset(self, streams: Sequence[int], now: float) -> None:
        """Reset outgoing streams once their queued data has departed (RFC 6525).

        Each is told by ``OutgoingResetAsked`` once that is so, and answered by ``OutgoingResetDone`` or
        ``OutgoingResetFailed``, or by ``Ended``. Messages sent on them meanwhile are held and depart afterwards,
        counted from zero.

        Raises:
            Closed: the association has ended.
            InvalidArgument: no such stream.
        """
        self._check_open()
        if any(not 0 <= stream < self._usable_streams for stream in streams):
            raise InvalidArgument(f"streams must be below {self._usable_streams}")
        self._resets.ask(streams)

    def set_low_threshold(self, stream: int, nbytes: int) -> None:
        """``BufferedAmountLow`` is told when the stream's buffered amount falls to ``nbytes`` from above.

        Raises:
            InvalidArgument: ``nbytes`` is negative.
        """
        if nbytes < 0:
            raise InvalidArgument("nbytes must not be negative")
        self._queue.stream(stream).low_threshold = nbytes

    def set_priority(self, stream: int, priority: int) -> None:
        """With the ``"priority"`` scheduler the stream with the lowest number goes first; 256 unless said."""
        line = self._queue.stream(stream)
        line.priority = priority
        if self._priorities is not None:
            self._priorities.move(line)

    def shutdown(self, now: float) -> None:
        """End in good order: what was taken is delivered first, nothing more is taken. Returns at once.

        ``Ended("local")`` follows within ``shutdown_guard`` seconds. Harmless when repeated or late.
        """
        if self._outbox.reason is None:
            self._shutdown.request(now)
            self._settle(now)

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End at once, with ``Ended(reason)``; the next flush carries an ABORT. Harmless when repeated or late."""
        text = b"" if reason == LOCAL else str(reason).encode()[:_REPORT_LIMIT]
        self._outbox.end(reason, encode_abort([(CauseCode.USER_INITIATED_ABORT, text)]))
        self._settle(now)

    def _check_open(self) -> None:
        if self._outbox.reason is not None:
            raise Closed.because("association", self._outbox.reason)

    # -- the core ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """One SCTP packet from below. Never raises on what a peer sent."""
        if self._outbox.reason is not None:
            return
        if self._trace is not None:
            self._trace.packet(now, "sctp", "in", data)
        self._counters.packets_received += 1
        body = self._opener.open(data)
        if body is not None:
            self._read(body, now)
        else:
            self._receive_unusual(data, now)
        self._settle(now)

    def tick(self, now: float) -> None:
        """Time has come. Harmless when early or repeated."""
        if now < self.deadline:
            return
        for name in self._named_timers.expired(now):
            if self._outbox.reason is None:
                if self._trace is not None:
                    self._trace.timer(now, "sctp", name)
                self._expiries[name](now)
        if self._receiver.acker.at <= now:
            self._receiver.acker.expire()
        if self._retransmitter.soon_at <= now and self._outbox.reason is None:
            if self._trace is not None:
                self._trace.timer(now, "sctp", "loss-detection")
            self._retransmitter.look_again(now)
        if self._retransmitter.t3_at <= now and self._outbox.reason is None:
            if self._trace is not None:
                self._trace.timer(now, "sctp", "t3-rtx")
            self._retransmitter.expire(now)
        if self._outbox.reason is None:
            self._named_timers.set(_LIFETIME, self._queue.next_expiry)
        self._settle(now)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """The packets that should go down now, at most ``limit``; cheap when there are none."""
        if limit < 1:
            return []
        outbox = self._outbox
        packets: list[bytes] = []
        if outbox.packets:
            packets = outbox.packets[: int(min(limit, len(outbox.packets)))]
            del outbox.packets[: len(packets)]
        going = outbox.reason is None
        resets = self._resets
        while going:
            if resets.wanted or resets.ready:
                resets.prepare(now)
            packets += self._packer.fill(now, limit - len(packets))
            self._settle(now)
            # The last of a stream's data has departed or was given up: what waited for that goes in the same flush.
            if (resets.wanted or resets.ready) and outbox.reason is None:
                resets.prepare(now)
            going = bool(outbox.chunks) and len(packets) < limit
        self._counters.packets_sent += len(packets)
        if self._trace is not None:
            for packet in packets:
                self._trace.packet(now, "sctp", "out", packet)
        return packets

    def _settle(self, now: float) -> None:
        """After every input: let the parts go on that wait for others, and carry out an end."""
        if self._resets.deferred is not None:
            self._resets.perform_deferred()
        if self._shutdown.draining:
            self._shutdown.advance(now)
        if self._outbox.reason is not None and self._lifecycle.state is not AssociationState.ENDED:
            self._finish(now)

    def _finish(self, now: float) -> None:
        outbox = self._outbox
        if outbox.farewell is not None and self._handshake.peer is not None:
            outbox.packet(self._packer.seal.close(outbox.farewell))
        outbox.farewell = None
        outbox.chunks.clear()
        self._lifecycle.move(Move.END, now)
        self._named_timers.clear()
        self._queue.clear()
        self._gate.forget()
        self._receiver.close()
        self._retransmitter.begin(0, 0)
        self._shutdown.draining = False
        self._resets.deferred = None
        self._resets.wanted.clear()
        self._resets.ready.clear()

    # -- packets -----------------------------------------------------------------------------------------------------

    def _make_opener(self) -> Seal:
        options = self._options
        return Seal(options.remote_port, options.local_port, self._handshake.local_tag, zero=options.zero_checksum)

    def _read(self, body: bytes, now: float) -> None:
        """Walk the chunks of a packet with our tag. Hot."""
        receiver, outbox, lifecycle = self._receiver, self._outbox, self._lifecycle
        data_kind = receiver.data_kind
        handle_data = receiver.handle_idata if data_kind else receiver.handle_data
        at, end = 0, len(body)
        while at + 4 <= end:
            kind = body[at]
            length = body[at + 2] << 8 | body[at + 3]
            stop = at + length
            if length < 4 or stop > end:
                outbox.drop("malformed", now)
                break
            if kind == data_kind:
                if lifecycle.receives:
                    handle_data(body, at, stop, now)
                else:
                    outbox.drop("data-state", now)
            elif kind == 3:
                self._on_sack(body, at, stop, now)
            elif not self._handle(kind, body[at + 1], body[at + 4 : stop], now):
                break
            else:  # a cookie says what data comes in, and data may stand behind it
                data_kind = receiver.data_kind
                handle_data = receiver.handle_idata if data_kind else receiver.handle_data
            if outbox.reason is not None:
                return
            at = stop + (-length & 3)
        if receiver.saw_data:
            receiver.packet_done(now)
            if self._shutdown.started:
                self._shutdown.data_arrived(now)

    def _handle(self, kind: int, flags: int, body: bytes, now: float) -> bool:
        """One chunk that is not hot; returns whether to go on with the packet."""
        handler = self._handlers.get(kind)
        if handler is None:
            return self._on_unknown(kind, flags, body, now)
        try:
            handler(flags, body, now)
        except DecodeError as error:
            self._outbox.drop(f"malformed: {error.message}", now)
        return True

    def _receive_unusual(self, data: bytes, now: float) -> None:
        """A packet without our tag: a few kinds are legal all the same (RFC 9260 section 8.5.1)."""
        try:
            packet = Packet.decode(data, accept_zero=False)
        except DecodeError as error:
            self._outbox.drop(f"malformed: {error.message}", now)
            return
        if (packet.source_port, packet.destination_port) != (self._options.remote_port, self._options.local_port):
            self._outbox.drop("ports", now)
            return
        kind, flags, body = packet.chunks[0] if packet.chunks else (-1, 0, b"")
        peer_tag = self._handshake.peer.tag if self._handshake.peer is not None else None
        try:
            if packet.tag == 0 and kind == ChunkType.INIT and len(packet.chunks) == 1:
                self._handshake.handle_init(body, now)
            elif kind == ChunkType.COOKIE_ECHO:
                self._adopt(self._handshake.handle_cookie_echo(body, packet.tag, now), now)
                if self._outbox.reason is None and packet.tag == self._handshake.local_tag:
                    length = 4 + len(body)
                    self._read(data[12 + length + (-length & 3) :], now)
            elif flags & REFLECTED and packet.tag == peer_tag and kind == ChunkType.ABORT:
                self._end_by_abort(body)
            elif flags & REFLECTED and packet.tag == peer_tag and kind == ChunkType.SHUTDOWN_COMPLETE:
                self._shutdown.handle_complete(now)
            else:
                self._outbox.drop("tag", now)
        except DecodeError as error:
            self._outbox.drop(f"malformed: {error.message}", now)

    def _adopt(self, adoption: Adoption | None, now: float) -> None:
        """Carry out what a cookie led to."""
        if adoption is None or adoption.kind is Adopt.AGAIN:
            return
        restart = adoption.kind is Adopt.RESTART
        if restart:
            self._counters.restarts += 1
            self._drop_begun_messages()
        self._meet(adoption.peer)
        if restart:
            self._outbox.events.append(Restarted())
            peer = adoption.peer
            self._resets.begin(self._handshake.local_tsn, peer.initial_tsn, supported=peer.stream_reset)
            self._shutdown.draining = self._shutdown.started
            self._heartbeat.begin(now)
        else:
            self._establish(adoption.peer, now)

    def _drop_begun_messages(self) -> None:
        for stream in self._queue.streams():
            if stream.queue and stream.queue[0].offset:
                self._gate.released(stream, self._queue.remove(stream.queue[0]))
            stream.next_ssn = stream.next_unordered = stream.begins_at = 0

    def _meet(self, peer: PeerParameters) -> None:
        """The peer is known: set every part that needs to know it."""
        options, handshake = self._options, self._handshake
        self._opener = self._make_opener()
        self._packer.seal = Seal(options.local_port, options.remote_port, peer.tag)
        self._congestion.begin()
        self._errors.clear()
        self._retransmitter.begin(handshake.local_tsn, peer.a_rwnd)
        self._retransmitter.partial_reliability = peer.partial_reliability
        self._retransmitter.interleaving = peer.interleaving
        self._interleaver.forget()
        self._interleaver.budget = peer.a_rwnd // 2
        self._packer.next_chunk = (self._interleaver if peer.interleaving else self._scheduler).next_chunk
        if self._priorities is not None:
            self._priorities.cuts_in = peer.interleaving
        self._receiver.begin(
            peer.initial_tsn, min(options.streams, peer.outbound_streams), interleaving=peer.interleaving
        )
        self._packer.seal.zero = self._lifecycle.receives and peer.zero_checksum

    def _establish(self, peer: PeerParameters, now: float) -> None:
        """The handshake is done."""
        usable = self._usable_streams
        self._packer.seal.zero = peer.zero_checksum
        for stream in self._queue.streams():
            if stream.number >= usable:
                while stream.queue:
                    self._gate.released(stream, self._queue.remove(stream.queue[-1]))
        self._outbox.events.append(
            Established(
                inbound_streams=self._receiver.streams,
                outbound_streams=usable,
                partial_reliability=peer.partial_reliability,
                stream_reset=peer.stream_reset,
                zero_checksum=peer.zero_checksum,
                interleaving=peer.interleaving,
            )
        )
        self._resets.begin(self._handshake.local_tsn, peer.initial_tsn, supported=peer.stream_reset)
        self._heartbeat.begin(now)
        self._shutdown.established(now)

    @property
    def _usable_streams(self) -> int:
        peer = self._handshake.peer
        return self._options.streams if peer is None else min(self._options.streams, peer.inbound_streams)

    # -- chunks ------------------------------------------------------------------------------------------------------

    def _on_sack(self, body: bytes, at: int, stop: int, now: float) -> None:
        """SACK. Hot: lengths are checked here, everything else where it is applied."""
        if not self._lifecycle.sends:
            self._outbox.drop("sack-state", now)
            return
        if stop - at < 16:
            self._outbox.drop("malformed: SACK too short", now)
            return
        cumulative, a_rwnd, gaps, duplicates = unpack_sack(body, at + 4)
        if not gaps and not duplicates:
            self._retransmitter.handle_sack(cumulative, a_rwnd, b"", now)
        elif stop - at < 16 + 4 * (gaps + duplicates):
            self._outbox.drop("malformed: SACK counts", now)
        else:
            self._retransmitter.handle_sack(
                cumulative, a_rwnd, body[at + 16 : at + 16 + 4 * gaps], now, duplicates=duplicates > 0
            )

    def _on_misplaced_init(self, flags: int, body: bytes, now: float) -> None:
        self._outbox.drop("init-tag", now)

    def _on_init_ack(self, flags: int, body: bytes, now: float) -> None:
        peer = self._handshake.handle_init_ack(body, now)
        if peer is not None:
            self._meet(peer)

    def _on_cookie_echo(self, flags: int, body: bytes, now: float) -> None:
        self._adopt(self._handshake.handle_cookie_echo(body, self._handshake.local_tag, now), now)

    def _on_cookie_ack(self, flags: int, body: bytes, now: float) -> None:
        if self._handshake.handle_cookie_ack(now):
            assert self._handshake.peer is not None
            self._establish(self._handshake.peer, now)

    def _on_heartbeat(self, flags: int, body: bytes, now: float) -> None:
        if self._handshake.peer is None:
            self._outbox.drop("heartbeat-state", now)
        else:
            self._heartbeat.handle_request(body)

    def _on_heartbeat_ack(self, flags: int, body: bytes, now: float) -> None:
        self._heartbeat.handle_ack(body, now)

    def _on_abort(self, flags: int, body: bytes, now: float) -> None:
        if flags & REFLECTED or self._lifecycle.state is AssociationState.CLOSED:
            self._outbox.drop("abort-tag", now)
        else:
            self._end_by_abort(body)

    def _end_by_abort(self, body: bytes) -> None:
        self._outbox.end(PeerAborted(f"the peer aborted: {describe_causes(decode_causes(body))}"))

    def _on_error(self, flags: int, body: bytes, now: float) -> None:
        causes = decode_causes(body)
        self._outbox.drop("peer-error", now)
        if any(code == CauseCode.STALE_COOKIE for code, _ in causes):
            self._handshake.handle_stale_cookie(now)

    def _on_shutdown(self, flags: int, body: bytes, now: float) -> None:
        self._shutdown.handle_shutdown(shutdown_tsn(body), now)

    def _on_shutdown_ack(self, flags: int, body: bytes, now: float) -> None:
        if self._lifecycle.state in (AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED):
            # Out of the blue for us (RFC 9260 section 8.5.1 E): say so, and go on connecting.
            self._outbox.packet(
                build_packet(
                    self._options.local_port,
                    self._options.remote_port,
                    self._handshake.local_tag,
                    [encode_shutdown_complete(reflected=True)],
                )
            )
        else:
            self._shutdown.handle_ack(now)

    def _on_shutdown_complete(self, flags: int, body: bytes, now: float) -> None:
        if flags & REFLECTED:
            self._outbox.drop("shutdown-complete-tag", now)
        else:
            self._shutdown.handle_complete(now)

    def _on_wrong_data(self, flags: int, body: bytes, now: float) -> None:
        """DATA or I-DATA, and it is the other that was agreed upon."""
        if self._lifecycle.receives:
            self._receiver.refuse_kind()
        else:
            self._outbox.drop("data-state", now)

    def _on_iforward(self, flags: int, body: bytes, now: float) -> None:
        if not self._lifecycle.receives:
            self._outbox.drop("forward-tsn-state", now)
        elif not self._retransmitter.interleaving:
            self._receiver.refuse_kind()
        else:
            self._receiver.handle_iforward(IForwardTsnChunk.decode(body))

    def _on_forward(self, flags: int, body: bytes, now: float) -> None:
        if self._lifecycle.receives and self._retransmitter.interleaving:
            self._receiver.refuse_kind()
        elif self._lifecycle.receives:
            self._receiver.handle_forward(ForwardTsnChunk.decode(body))
        else:
            self._outbox.drop("forward-tsn-state", now)

    def _on_reconfig(self, flags: int, body: bytes, now: float) -> None:
        if self._lifecycle.receives or self._lifecycle.sends:
            self._resets.handle_reconfig(body, now)
        else:
            self._outbox.drop("reconfig-state", now)

    def _on_ignored(self, flags: int, body: bytes, now: float) -> None:
        """ECNE and CWR: congestion marks do not pass through DTLS."""

    def _on_unknown(self, kind: int, flags: int, body: bytes, now: float) -> bool:
        """By the two upper bits (RFC 9260 section 3.2): 01 and 11 are reported, 10 and 11 are skipped."""
        self._outbox.drop("unknown-chunk", now)
        if kind & 0x40 and self._handshake.peer is not None:
            quoted = bytes([kind, flags]) + (4 + len(body)).to_bytes(2, "big") + body
            self._outbox.chunk(encode_error([(CauseCode.UNRECOGNIZED_CHUNK_TYPE, quoted[:_REPORT_LIMIT])]))
        return bool(kind & 0x80)
