"""All layers of one peer above ICE, as one core: the composer.

It routes and owns no logic of theirs: DTLS records to the engine, what is inside them to the data channels, SRTP
through its contexts to the RTP session, and the same way back down. One datagram is one chain of plain calls. What is
its own is only what no layer can decide alone: what comes before what (keys before media, trust before data), and that
an end is one end for all of them.

ICE is not in here: which path carries the datagrams, and STUN itself, belong to the transport below (``pystack.aio``),
which may be ICE-lite on a shared port or a full agent; a session sees one anonymous path.

Called by ``pystack.peer`` (which drives it over an ICE transport) and by ``pystack.testing``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import inf
from typing import Any, Literal

import attrs

from pystack import datachannel, dtls
from pystack.base import Ended, Randomness, Trace
from pystack.datachannel import DataChannels
from pystack.dtls import Certificate, CryptoProvider, DtlsEngine
from pystack.errors import LOCAL, PeerClosed, Reason
from pystack.rtp import RtcpPacket, RtpPacket, RtpSession
from pystack.sctp import Association, AssociationStats
from pystack.session.demux import DTLS, RTCP, RTP, classify
from pystack.session.events import DataTransportEnded, DtlsStateChanged, Secured
from pystack.session.media import MediaQueue
from pystack.session.options import SessionOptions
from pystack.session.pacing import Pacer
from pystack.session.protection import protect_media
from pystack.session.transport_state import DtlsState
from pystack.srtp import SrtpReceiver, SrtpSender

__all__ = ["Session"]

_APPLICATION_DATA = 23


class Session:
    """DTLS, SRTP, RTP, SCTP and data channels of one peer; a :class:`pystack.base.Core`.

    Args:
        certificate: what we show in the DTLS handshake.
        options: of all layers.
        randomness: where random numbers come from.
        trace: a write-only observer of the layers.
        provider: the asymmetric operations of DTLS, which draw randomness of their own; tests give a seeded one.

    Attributes:
        channels: the data channels; use its commands, but drive it only through the session.
        rtp: the RTP session, likewise.
        drops: datagrams dropped by this layer itself, by reason.
        dtls_state: where the DTLS transport stands.
        secured: what the handshake agreed on; ``None`` before.
        peer_certificate: the certificate of the peer in DER; ``None`` before it is trusted.
    """

    def __init__(
        self,
        certificate: Certificate,
        options: SessionOptions,
        randomness: Randomness,
        trace: Trace | None = None,
        provider: CryptoProvider | None = None,
    ) -> None:
        self._provider = provider
        self._certificate = certificate
        self._options = options
        self._randomness = randomness
        self._trace = trace
        self._association = Association(options.association, randomness, trace)
        self.channels = DataChannels(self._association, options.channels)
        self.channels.max_message_size = 0  # not known yet: what waits is asked again when it is
        self._remote_port = options.association.remote_port
        self.rtp = RtpSession(options.rtp, randomness, trace)
        self.drops: Counter[str] = Counter()
        self.dtls_state: DtlsState = "new"
        self._role: Literal["client", "server"] = "client"
        self._engine: DtlsEngine | None = None
        self._protect: SrtpSender | None = None
        self._unprotect: SrtpReceiver | None = None
        self._secured = False
        self._data_wanted = False
        self._data_started = False
        self.pacer: Pacer = (
            MediaQueue(options.media_age, options.media_packets) if options.pacer is None else options.pacer()
        )
        self._held: list[bytes] = []
        self._farewell: list[bytes] = []
        self.secured: Secured | None = None
        self.peer_certificate: bytes | None = None
        self._events: list[Any] = []
        self._media_flows = False
        self._closing = False
        self._established = False
        self._now = 0.0
        self._ended: Reason | None = None

    # ---- commands

    def start(self, role: Literal["client", "server"], fingerprints: tuple[tuple[str, str], ...], now: float) -> None:
        """The path is there and the roles are known: begin the DTLS handshake.

        Later calls change nothing, so each applied description may ask for it.
        """
        if self._engine is not None or self._ended is not None:
            return
        self._role = role
        self._engine = DtlsEngine(
            role, self._certificate, self._options.dtls, self._randomness, self._provider, self._trace
        )
        self._engine.trust(fingerprints, now)
        self._engine.start(now)
        self._set_dtls_state("connecting")
        self._absorb_dtls(now)
        self._replay_held(now)  # which may end it: a stranger's datagrams can be among them

    def start_data(self, max_message_size: int, now: float, remote_port: int | None = None) -> None:
        """A data section was agreed: start the association once the handshake is over. Idempotent.

        Args:
            max_message_size: what the peer takes, in bytes; 0 is no limit.
            now: the time.
            remote_port: the peer's SCTP port (``a=sctp-port``, RFC 8841 section 5), if it is not the options'.
        """
        self.channels.max_message_size = max_message_size
        if remote_port is not None and not self._data_started and self._ended is None:
            self._set_remote_port(remote_port)
        self._data_wanted = True
        self._start_data_if_ready(now)

    def end_data(self, now: float, reason: Reason) -> None:
        """The data section was rejected: channels end. An association that never ran can still be agreed on later."""
        self._data_wanted = False
        if self._data_started:
            self.channels.abort(now, reason)
        else:
            self.channels.end_all(now, reason)

    def send_rtp(
        self,
        sender_id: int,
        packet: RtpPacket,
        now: float,
        payload_type: int | None = None,
        sequence_number: int | None = None,
        timestamp: int | None = None,
    ) -> bool:
        """Send one RTP packet; the hot path of a forwarder.

        Returns:
            Whether it was taken; what is not (before the keys, after the end, a payload type that was not agreed) is
            counted.
        """
        protect = self._protect
        if protect is None:
            self.drops["rtp-out-before-keys"] += 1
            return False
        parts = self.rtp.send_parts(sender_id, packet, now, payload_type, sequence_number, timestamp)
        if parts is None:
            return False
        self._media_flows = True
        self.pacer.push(protect.protect_parts(*parts), now)
        return True

    def pad(self, sender_id: int, size: int, now: float) -> int:
        """Send about ``size`` bytes that hold nothing new, to probe the path; return how many it were.

        See :meth:`pystack.rtp.RtpSession.pad`: none for audio, and none where no retransmissions were agreed.
        """
        protect = self._protect
        if protect is None:
            return 0
        packets = self.rtp.pad(sender_id, size, now)
        for packet in packets:
            self.pacer.push(protect.protect(packet), now)
        return sum(map(len, packets))

    def send_rtcp(self, packet: RtcpPacket | bytes) -> bool:
        """Send an RTCP packet of the caller's own; see :meth:`pystack.rtp.RtpSession.send_rtcp`.

        What comes before the keys waits for them.

        Raises:
            InvalidArgument: no RTCP, or a field that cannot stand in it.
        """
        if self._ended is not None:
            return False
        taken = self.rtp.send_rtcp(packet)
        self._media_flows = True
        return taken

    def close(self, now: float) -> None:
        """End in good order: what is queued on channels goes out first, as far as the peer takes it.

        Ends with :class:`~pystack.base.Ended` once the association is shut down; whoever does not want to wait for
        that calls :meth:`abort`.
        """
        if self._ended is not None or self._closing:
            return
        if not self._established:
            self.abort(now)
            return
        self._closing = True
        self.channels.shutdown(now)
        self._absorb_channels(now)

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End at once. The next flush carries the farewells of all layers (SCTP ABORT, RTCP BYE, close_notify)."""
        self._finish(now, reason)

    # ---- what can be read

    @property
    def dtls_role(self) -> Literal["client", "server"] | None:
        """Our role in the handshake, ``None`` before it began."""
        return None if self._engine is None else self._role

    @property
    def key_log(self) -> str | None:
        """The DTLS keys as a line of an NSS key log, while there are any: for debuggers, because it gives all away."""
        return None if self._engine is None else self._engine.key_log

    @property
    def association(self) -> AssociationStats:
        """A snapshot of the association's numbers."""
        return self._association.stats()

    def dropped(self) -> dict[str, int]:
        """Everything that was dropped on the way in or out, by layer and reason."""
        parts: list[tuple[str, Mapping[str, int]]] = [
            ("session", self.drops),
            ("rtp", self.rtp.drops),
            ("datachannel", self.channels.drops),
            ("sctp", self._association.drops),
            ("media", {"late": self.pacer.dropped_late, "full": self.pacer.dropped_full}),
        ]
        if self._engine is not None:
            parts.append(("dtls", self._engine.drops))
        if self._unprotect is not None:
            parts.append(("srtp", self._unprotect.drops))
        return {f"{layer}: {why}": count for layer, drops in parts for why, count in drops.items() if count}

    # ---- the core

    @property
    def deadline(self) -> float:
        """When :meth:`tick` wants to be called."""
        if self._ended is not None:
            return inf
        engine = self._engine
        below = inf if engine is None else engine.deadline
        return min(below, self.channels.deadline, self.rtp.deadline, self.pacer.deadline)

    def receive(self, data: bytes, now: float) -> None:
        """Take one datagram that is not STUN."""
        if self._ended is not None:
            return
        self._now = now
        kind = classify(data)
        if kind == DTLS:
            engine = self._engine
            if engine is None:
                self._hold(data)
                return
            if self._secured and data[0] == _APPLICATION_DATA:
                plain = engine.open(data, now)
                if plain is not None:
                    self.channels.receive(plain, now)
                    if self._closing:
                        self._absorb_channels(now)  # the end may have come: the next flush carries the farewell
                    return
            engine.receive(data, now)
            self._absorb_dtls(now)
        elif kind in {RTP, RTCP}:
            unprotect = self._unprotect
            if unprotect is None:
                self._hold(data)
            elif kind == RTP:
                packet = unprotect.unprotect(data)
                if packet is not None:
                    self._media_flows = True
                    self.rtp.receive_rtp(packet, now)
                elif unprotect.replayed is not None:
                    # Clients probe the bandwidth with old packets: feedback counts them, and nothing else does.
                    self.rtp.record_replay(unprotect.replayed, now)
            else:
                packet = unprotect.unprotect_rtcp(data)
                if packet is not None:
                    self._media_flows = True
                    self.rtp.receive_rtcp(packet, now)
        else:
            self.drops["unknown-first-byte" if data else "empty"] += 1

    def tick(self, now: float) -> None:
        """Time has come for one of the layers."""
        if self._ended is not None:
            return
        self._now = now
        engine = self._engine
        if engine is not None and engine.deadline <= now:
            engine.tick(now)
            self._absorb_dtls(now)
        if self.channels.deadline <= now:
            self.channels.tick(now)
            if self._closing:
                self._absorb_channels(now)
        if self.rtp.deadline <= now:
            self.rtp.tick(now)
        if self.pacer.deadline <= now:
            self.pacer.tick(now)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """Hand over the datagrams that should go out: handshake, then media and reports, then data."""
        if self._ended is not None:
            if not self._farewell:
                return []
            cut = len(self._farewell) if limit == inf else int(limit)
            out, self._farewell = self._farewell[:cut], self._farewell[cut:]
            return out
        engine = self._engine
        if engine is None:
            return []
        out = engine.flush(now, limit)
        protect = self._protect
        if protect is not None and self._media_flows:
            self._collect_rtp(protect, now)
            if self.pacer:
                self.pacer.pop_into(out, now, limit - len(out))
        if self._data_started and len(out) < limit:
            seal = engine.seal
            out.extend([seal(packet) for packet in self.channels.flush(now, limit - len(out))])
        return out

    def take_events(self) -> list[Any]:
        """What happened, oldest first within each layer; ``Ended`` is the last of all.

        A packet of media is a plain tuple among them, ``(receiver id, rid, packet)``: nothing is made per packet.
        """
        if self._ended is None:
            self._absorb_channels(self._now)
        if self._ended is None:
            self._absorb_rtp()
        events = self._events
        if events:
            self._events = []
        return events

    # ---- between the layers

    def _absorb_dtls(self, now: float) -> None:
        """Take from the engine what it has to say; called after whatever may have moved it."""
        engine = self._engine
        assert engine is not None
        end: Ended | None = None
        for event in engine.take_events():
            if isinstance(event, dtls.Connected):
                self._secure(event, now)
            elif isinstance(event, Ended):
                end = event
        for plain in engine.take_data():  # also what shared a datagram with the end
            self.channels.receive(plain, now)
        if end is not None:
            self._finish(now, end.reason, dtls_alive=False)
        elif self._closing:
            self._absorb_channels(now)

    def _secure(self, event: dtls.Connected, now: float) -> None:
        engine = self._engine
        assert engine is not None
        if event.srtp_profile is not None:
            self._protect, self._unprotect = protect_media(engine, self._role, event.srtp_profile)
        self._secured = True
        self._set_dtls_state("connected")
        self.secured = Secured(event.srtp_profile, event.cipher, event.version)
        self.peer_certificate = engine.peer_certificate
        self._events.append(self.secured)
        self._start_data_if_ready(now)
        self._replay_held(now)

    def _set_remote_port(self, port: int) -> None:
        """The association learns its ports at birth, and the peer's is known only now: nothing has used it yet."""
        options = self._options.association
        if port != self._remote_port:
            self._remote_port = port
            self._association = Association(attrs.evolve(options, remote_port=port), self._randomness, self._trace)
            self.channels.association = self._association

    def _start_data_if_ready(self, now: float) -> None:
        if self._secured and self._data_wanted and not self._data_started and self._ended is None:
            self._data_started = True
            self.channels.start(self._role == "client", now)

    def _absorb_channels(self, now: float) -> None:
        for event in self.channels.take_events():
            if isinstance(event, Ended):
                self._established = False
                self._events.append(DataTransportEnded(event.reason))
                if self._closing:
                    self._finish(now, LOCAL)
                continue
            if isinstance(event, datachannel.TransportEstablished):
                self._established = True
            self._events.append(event)

    def _absorb_rtp(self) -> None:
        self._events += self.rtp.take_packets()
        self._events += [event for event in self.rtp.take_events() if type(event) is not Ended]

    def _set_dtls_state(self, state: DtlsState) -> None:
        if state != self.dtls_state:
            self.dtls_state = state
            self._events.append(DtlsStateChanged(state))

    # ---- early and late

    def _hold(self, data: bytes) -> None:
        if len(self._held) < self._options.held_datagrams:
            self._held.append(data)
        else:
            self.drops["held-overflow"] += 1

    def _replay_held(self, now: float) -> None:
        held, self._held = self._held, []
        for data in held:
            self.receive(data, now)

    def _collect_rtp(self, protect: SrtpSender, now: float) -> None:
        """Move what the RTP session wants to send, retransmissions and reports, into the media queue."""
        media, reports = self.rtp.flush(now)
        for packet in media:
            self.pacer.push(protect.protect(packet), now)
        for packet in reports:
            self.pacer.push_control(protect.protect_rtcp(packet), now)

    def _finish(self, now: float, reason: Reason, *, dtls_alive: bool = True) -> None:
        """The one exit: every layer ends with it, and says so to everybody, now."""
        if self._ended is not None:
            return
        self._ended = reason
        engine, protect = self._engine, self._protect
        farewell: list[bytes] = []
        self.channels.abort(now, reason)
        self._absorb_rtp()  # also what shared a batch with the end
        self.rtp.close(now)
        if engine is not None:
            if self._secured and dtls_alive:
                if protect is not None:
                    self._collect_rtp(protect, now)
                    self.pacer.pop_into(farewell, now, inf)
                if self._data_started:
                    farewell += [engine.seal(packet) for packet in self.channels.flush(now)]
            engine.close(now)
            farewell += engine.flush(now)
        self._farewell = farewell
        self._set_dtls_state("closed" if reason == LOCAL or isinstance(reason, PeerClosed) else "failed")
        self._absorb_channels(now)
        self._held.clear()
        self.pacer.clear()
        self._protect = self._unprotect = self._engine = None
        self._events.append(Ended(reason))
