"""The DTLS engine, a composer: it routes records to their parts and carries out what the parts decide.

Where things are decided: :mod:`records` (numbers, protection, replay), :mod:`fragments` (whole messages in order),
:mod:`client12` and :mod:`server12` (what a message means), :mod:`flights` (what is sent when, and again),
:mod:`close` (alerts), :mod:`certificate` (whom to trust). RFC 6347 throughout; RFC 5764 for the SRTP keys.

Called by the session: ``receive`` and ``flush`` for the handshake and its end, ``seal`` and ``open`` for the data in
between. What ``flush`` returns should leave before what ``seal`` returned after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Literal

from pystack.base import Ended, Machine, Randomness, TimerSet, Trace
from pystack.dtls.certificate import Certificate, Fingerprints, fingerprint
from pystack.dtls.client12 import ClientHandshake12
from pystack.dtls.close import CLOSE_NOTIFY, SUSPICION_TIMER, Suspicion, fatal, reason_of
from pystack.dtls.events import Connected, DtlsEvent, PeerCertificate
from pystack.dtls.export import Agreement, srtp_keying_material
from pystack.dtls.flights import FLIGHT_TIMER, Flights, Outgoing
from pystack.dtls.fragments import Arrival, FragmentAssembler
from pystack.dtls.handshake import Handshake, Refusal, Step
from pystack.dtls.options import DtlsOptions
from pystack.dtls.provider import CryptoProvider, NativeProvider
from pystack.dtls.records import PlainWriter, Reader, Writer, make_reader, make_writer
from pystack.dtls.server12 import ServerHandshake12
from pystack.dtls.states import ENGINE_TABLE, EngineInput, EngineState
from pystack.dtls.wire.alert import Alert, AlertDescription
from pystack.dtls.wire.handshake import Fragment, HandshakeType, parse_fragments
from pystack.dtls.wire.record import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_SIZE,
    Record,
    split_records,
)
from pystack.errors import LOCAL, Closed, DecodeError, HandshakeFailed, LocalProtocolError, Reason, TransportLost

__all__ = ["DtlsEngine"]

_HANDSHAKE_TIMER = "handshake"
_TRUST_TIMER = "trust"
_LARGEST_OVERHEAD = 37


def _refusing(state: EngineState) -> Callable[[bytes], bytes]:
    def seal(plaintext: bytes) -> bytes:
        raise LocalProtocolError("seal", state.name)

    return seal


def _closed(reason: Reason) -> Callable[[bytes], bytes]:
    def seal(plaintext: bytes) -> bytes:
        raise Closed.because("DTLS", reason)

    return seal


def _not_ready(datagram: bytes, now: float) -> bytes | None:
    return None


class DtlsEngine:
    """One end of one DTLS connection: a :class:`pystack.base.Core`.

    Attributes:
        deadline: when ``tick`` is due, absolute seconds.
        drops: how many things were dropped, by reason.
        record_overhead: bytes that ``seal`` adds; before the handshake the largest that it can be.
        seal: HOT. Plaintext → one application-data record, to be sent as a datagram. Raises ``LocalProtocolError``
            before :class:`~pystack.dtls.Connected`, ``Closed`` after the end, ``MessageTooLarge`` above 16384 bytes.
        open: HOT. A datagram that is exactly one application-data record → plaintext. ``None``: it is not, or the
            connection is not ready, or it would be dropped; nothing has changed, and ``receive`` deals with it.
    """

    def __init__(
        self,
        role: Literal["client", "server"],
        certificate: Certificate,
        options: DtlsOptions,
        randomness: Randomness,
        provider: CryptoProvider | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.role = role
        self.deadline = inf
        self.drops: dict[str, int] = {}
        self.record_overhead = _LARGEST_OVERHEAD
        self.seal: Callable[[bytes], bytes] = _refusing(EngineState.NEW)
        self.open: Callable[[bytes, float], bytes | None] = _not_ready
        self._client = role == "client"
        self._options = options
        self._trace = trace
        self._machine = Machine(ENGINE_TABLE, EngineState.NEW)
        self._timers = TimerSet()
        side = ClientHandshake12 if self._client else ServerHandshake12
        self._handshake: Handshake | None = side(certificate, options, randomness, provider or NativeProvider())
        self._fragments = FragmentAssembler()
        self._flights = Flights(options, self._timers)
        self._suspicion = Suspicion(options.alert_grace, self._timers)
        self._plain = PlainWriter()
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._protecting = False
        self._heard = False
        self._wanted: Fingerprints | None = None
        self._peer: bytes | None = None
        self._agreement: Agreement | None = None
        self._reason: Reason = LOCAL
        self._early: list[Record] = []
        self._early_bytes = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._out: list[bytes] = []
        self._events: list[DtlsEvent] = []

    # Commands

    def start(self, now: float) -> None:
        """Begin the handshake: a client sends its hello, a server waits for one. Both have ``handshake_timeout``.

        Raises:
            LocalProtocolError: it has begun already.
        """
        self._move(EngineInput.START, now)
        self._timers.set(_HANDSHAKE_TIMER, now + self._options.handshake_timeout)
        assert self._handshake is not None
        self._carry_out(self._handshake.start(), now)
        self.deadline = self._timers.deadline

    def trust(self, fingerprints: Sequence[tuple[str, str]], now: float) -> None:
        """Say which certificate the peer must have: ``(algorithm, "AB:CD:…")`` pairs of its description.

        Before, during or after the handshake; again, when a new description comes. A peer with another certificate is
        refused with ``bad_certificate``. Harmless after the end.

        Raises:
            InvalidArgument: no pair of a known algorithm, or a malformed value.
        """
        self._wanted = Fingerprints(fingerprints)
        if self._machine.state is not EngineState.ENDED and self._peer is not None:
            self._judge(self._wanted, self._peer, now)
        self.deadline = self._timers.deadline

    def close(self, now: float) -> None:
        """End it in good order. The next flush has the farewell. Harmless after the end."""
        self._end(LOCAL, CLOSE_NOTIFY, now)

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End it at once, with a fatal alert. Harmless after the end."""
        self._end(reason, fatal(AlertDescription.INTERNAL_ERROR), now)

    def export(self, label: bytes, length: int, context: bytes | None = None) -> bytes:
        """Keying material for others (RFC 5705).

        Raises:
            LocalProtocolError: before :class:`~pystack.dtls.Connected`.
            Closed: after the end.
        """
        return self._agreed("export").export(label, length, context)

    def srtp_keying_material(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Client key, server key, client salt, server salt of the negotiated SRTP profile (RFC 5764 section 4.2).

        Raises:
            LocalProtocolError: before :class:`~pystack.dtls.Connected`, or without a negotiated profile.
            Closed: after the end.
        """
        agreement = self._agreed("srtp keying material")
        if agreement.srtp_profile is None:
            raise LocalProtocolError("srtp keying material", self.state.name, "no SRTP profile was negotiated")
        return srtp_keying_material(agreement, agreement.srtp_profile)

    # What happened

    @property
    def state(self) -> EngineState:
        """Where it stands."""
        return self._machine.state

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER, once it proved to hold the key."""
        return self._peer

    @property
    def key_log(self) -> str | None:
        """The line of an NSS key log once there are keys, until the end: for debuggers, because it gives all away."""
        if self._agreement is not None:
            return self._agreement.key_log
        return None if self._handshake is None else self._handshake.key_log

    @property
    def repetitions(self) -> int:
        """How often a flight was sent again."""
        return self._flights.repetitions

    def take_events(self) -> list[DtlsEvent]:
        """What happened since the last call, oldest first."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def take_data(self) -> list[bytes]:
        """Application data that ``receive`` decrypted, oldest first; what came before trust comes after it."""
        if not self._data:
            return []
        data, self._data = self._data, []
        self._data_bytes = 0
        return data

    # The core

    def receive(self, data: bytes, now: float) -> None:
        """Take one datagram. Never raises on what a peer sent."""
        if self._machine.state is EngineState.NEW:
            self._drop("datagram before start", now)
            return
        try:
            for record in split_records(data):
                if self._machine.state is EngineState.ENDED:
                    return
                self._take_record(record, now)
        except DecodeError as error:
            self._drop(error.message, now)
        self.deadline = self._timers.deadline

    def tick(self, now: float) -> None:
        """Time has come. Harmless when early or repeated."""
        for name in self._timers.expired(now):
            if self._machine.state is EngineState.ENDED:
                break  # by another timer that came due with this one
            if self._trace is not None:
                self._trace.timer(now, "dtls", name)
            if name == FLIGHT_TIMER:
                self._flights.handle_timeout(now)
            elif name == SUSPICION_TIMER:
                self._end(self._suspicion.verdict, None, now)
            elif name == _HANDSHAKE_TIMER:
                self._end(self._timed_out(), fatal(AlertDescription.HANDSHAKE_FAILURE), now)
            else:
                reason = HandshakeFailed("no fingerprint to trust the DTLS peer by came in time")
                self._end(reason, fatal(AlertDescription.BAD_CERTIFICATE), now)
        self.deadline = self._timers.deadline

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """The datagrams of the handshake, or the farewell, at most ``limit`` of them."""
        if self._flights.pending and self._machine.state is not EngineState.ENDED:
            # An unsent rest of an earlier copy is in this one too, or has been answered.
            self._out = self._flights.build(self._plain, self._writer)
        if not self._out or limit < 1:
            return []
        if limit >= len(self._out):
            out, self._out = self._out, []
            return out
        count = int(limit)
        out, self._out = self._out[:count], self._out[count:]
        return out

    # Records

    def _take_record(self, record: Record, now: float) -> None:
        try:
            if record.epoch == 0:
                if self._handshake is None:
                    raise DecodeError("epoch 0 after the handshake")
                self._take_content(record.kind, record.payload, 0, now)
            elif record.epoch != 1:
                raise DecodeError("unknown epoch")
            elif self._reader is None:
                self._keep_early(record)
            else:
                self._take_content(record.kind, self._reader.unprotect(record), 1, now)
        except DecodeError as error:
            self._drop(error.message, now)

    def _keep_early(self, record: Record) -> None:
        size = len(record.payload) + HEADER_SIZE
        if self._early_bytes + size > self._options.held_bytes:
            raise DecodeError("too much before the keys")
        self._early_bytes += size
        self._early.append(record)

    def _take_content(self, kind: int, payload: bytes, epoch: int, now: float) -> None:
        if kind == HANDSHAKE:
            for fragment in parse_fragments(payload):
                try:
                    self._take_fragment(fragment, epoch, now)
                except DecodeError as error:  # the next one in the record may be good
                    self._drop(error.message, now)
        elif kind == ALERT:
            self._take_alert(Alert.parse(payload), epoch, now)
        elif kind == CHANGE_CIPHER_SPEC:
            # Epochs are in the records, so it says nothing (RFC 6347 section 4.1).
            if payload != b"\x01":
                raise DecodeError("malformed ChangeCipherSpec")
        elif epoch == 0:
            raise DecodeError("application data without protection")
        else:
            self._take_application_data(payload)

    def _take_application_data(self, payload: bytes) -> None:
        size = len(payload) + HEADER_SIZE
        if self._machine.state is EngineState.CONNECTED:
            if self._data_bytes + size > self._options.data_bytes:
                raise DecodeError("too much data that nobody takes")
            self._data_bytes += size
            self._data.append(payload)
        else:
            if self._held_bytes + size > self._options.held_bytes:
                raise DecodeError("too much data before trust")
            self._held_bytes += size
            self._held.append(payload)

    def _take_alert(self, alert: Alert, epoch: int, now: float) -> None:
        if epoch == 0:
            # A server that has heard nothing yet has nobody who could refuse it.
            if self._client or self._heard:
                self._suspicion.hear(alert, now)
            raise DecodeError("alert without protection")
        reason: Reason | None = reason_of(alert)
        if reason is None:
            raise DecodeError("warning alert")
        if self._machine.state is not EngineState.CONNECTED:
            reason = HandshakeFailed("DTLS handshake refused by the peer", cause=reason_of(alert))
        answer = CLOSE_NOTIFY if alert.description == AlertDescription.CLOSE_NOTIFY else None
        self._end(reason, answer, now)

    # The handshake

    def _take_fragment(self, fragment: Fragment, epoch: int, now: float) -> None:
        if self._machine.state is EngineState.ENDED:
            return
        # Only a Finished is protected, and it always is: whatever else claims so is forged, or a renegotiation.
        if (fragment.kind == HandshakeType.FINISHED) != (epoch == 1):
            raise DecodeError("handshake message in the wrong epoch")
        if self._handshake is None:
            # Authentic: the client did not get our last flight. (As client we have forgotten ours: there is no need.)
            if fragment.sequence < self._fragments.next:
                self._flights.repeat(now)
            raise DecodeError("handshake message after the handshake")
        if self._fragments.add(fragment) is Arrival.REPEATED:
            self._flights.handle_repetition(fragment.sequence, self._fragments.next, now)
            raise DecodeError("repeated handshake message")
        self._take_messages(now)

    def _take_messages(self, now: float) -> None:
        while self._handshake is not None and (message := self._fragments.peek()) is not None:
            self._heard = True
            if self._trace is not None:
                self._trace.packet(now, "dtls", "in", message.body)
            try:
                if not self._handshake.allows(message.kind):
                    raise DecodeError("unexpected handshake message")
                step = self._handshake.handle(message.kind, message.sequence, message.body)
            except DecodeError:
                # Anybody could have sent it. The place stays open for the peer's own.
                self._fragments.reject()
                raise
            except Refusal as refusal:
                self._end(HandshakeFailed(f"DTLS handshake: {refusal.message}"), fatal(refusal.alert), now)
                return
            self._fragments.advance()
            self._suspicion.clear()
            self._carry_out(step, now)

    def _carry_out(self, step: Step, now: float) -> None:
        if step.certificate is not None:
            self._peer = step.certificate
            self._events.append(PeerCertificate(step.certificate, fingerprint(step.certificate)))
            if self._wanted is not None:
                self._judge(self._wanted, step.certificate, now)
            if self._machine.state is EngineState.ENDED:
                return
        if step.keys is not None:
            self._writer = make_writer(step.keys, client=self._client)
            self._reader = make_reader(step.keys, client=self._client, replay_window=self._options.replay_window)
        if step.flight:
            self._protecting = any(isinstance(item, Outgoing) and item.epoch == 1 for item in step.flight)
            self._flights.begin(step.flight, self._fragments.next, now, timed=step.timed)
            if self._trace is not None:
                for item in step.flight:
                    if isinstance(item, Outgoing):
                        self._trace.packet(now, "dtls", "out", item.body)
        if step.agreement is not None:
            self._complete(step.agreement, now)
        if step.keys is not None:
            early, self._early = self._early, []
            for record in early:
                if self._machine.state is not EngineState.ENDED:
                    self._take_record(record, now)

    def _complete(self, agreement: Agreement, now: float) -> None:
        self._agreement = agreement
        self._handshake = None
        self._fragments.clear()
        self._timers.cancel(_HANDSHAKE_TIMER)
        if self._client:
            self._flights.forget()
        self._move(EngineInput.COMPLETE, now)
        if self._wanted is None:
            self._timers.set(_TRUST_TIMER, now + self._options.trust_timeout)
        else:
            self._connect(now)

    def _judge(self, wanted: Fingerprints, peer: bytes, now: float) -> None:
        if not wanted.match(peer):
            reason = HandshakeFailed("the DTLS peer's certificate does not have the announced fingerprint")
            self._end(reason, fatal(AlertDescription.BAD_CERTIFICATE), now)
        elif self._machine.state is EngineState.UNTRUSTED:
            self._connect(now)

    def _connect(self, now: float) -> None:
        assert self._agreement is not None
        assert self._writer is not None
        assert self._reader is not None
        self._timers.cancel(_TRUST_TIMER)
        self._move(EngineInput.TRUST, now)
        self.record_overhead = self._writer.overhead
        self.seal = self._writer.seal
        self.open = self._reader.open
        self._data, self._held = self._held, []
        self._data_bytes, self._held_bytes = self._held_bytes, 0
        agreement = self._agreement
        self._events.append(Connected(agreement.srtp_profile, agreement.cipher, agreement.version))

    # The end

    def _timed_out(self) -> HandshakeFailed:
        waiting = self._handshake.waiting_for if self._handshake is not None else ""
        text = f"DTLS handshake not finished in {self._options.handshake_timeout:g} s, waiting for {waiting}"
        return HandshakeFailed(text, cause=None if self._heard else TransportLost("the peer was not heard"))

    def _end(self, reason: Reason, alert: Alert | None, now: float) -> None:
        before = self._machine.state
        if before is EngineState.ENDED:
            return
        self._move(EngineInput.END, now)
        self._flights.forget()
        self._timers.clear()
        self._out = []
        if alert is not None and before is not EngineState.NEW and (self._client or self._heard):
            writer = self._writer if self._protecting else None
            self._out = [(writer or self._plain).protect(ALERT, alert.serialize())]
        self._reason = reason
        self.seal = _closed(reason)
        self.open = _not_ready
        self._handshake = self._writer = self._reader = self._agreement = None
        self._fragments.clear()
        self._early, self._held = [], []
        self._events.append(Ended(reason))
        self.deadline = self._timers.deadline

    def _agreed(self, operation: str) -> Agreement:
        if self._machine.state is EngineState.ENDED:
            raise Closed.because("DTLS", self._reason)
        if self._agreement is None or self._machine.state is not EngineState.CONNECTED:
            raise LocalProtocolError(operation, self._machine.state.name)
        return self._agreement

    # Bookkeeping

    def _move(self, given: EngineInput, now: float) -> None:
        before = self._machine.state
        after = self._machine.move(given)
        self.seal = _refusing(after)
        if self._trace is not None:
            self._trace.state(now, "dtls", before.name, after.name)

    def _drop(self, why: str, now: float) -> None:
        self.drops[why] = self.drops.get(why, 0) + 1
        if self._trace is not None:
            self._trace.dropped(now, "dtls", why)
