"""The peer connection: the W3C's ``RTCPeerConnection`` in Python (webrtc-pc section 4.4), with packets for media.

A composer. It holds the signalling half (:mod:`pystack.peer.signaling`), the session (``pystack.session``) and its
path (``pystack.aio``), and passes between them what each has to say. It owns no task: everything happens inside a call
of the application, a datagram, or a timer.

Ending (rule L9): there is one exit, :meth:`PeerConnection._terminate`, and every way to end leads there: ``close()``
after a bounded farewell, ``abort()`` at once, the peer's end, a failed handshake, a path that is gone for good, an
operation that hangs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pystack.aio import (
    DatagramPath,
    Debug,
    Driver,
    FullIceOptions,
    FullTransport,
    IceTransport,
    TappedPath,
    clock_of,
    debug_options,
    wall_offset,
)
from pystack.base import Ended, revise
from pystack.dtls import Certificate
from pystack.errors import LOCAL, Closed, InvalidArgument, PeerClosed, Reason, StackError, TransportLost
from pystack.peer import events as told
from pystack.peer.arguments import (
    check_channel,
    check_description,
    check_direction,
    check_flag,
    check_kind,
    check_listener,
    check_names,
    check_rids,
    check_timeout,
)
from pystack.peer.brought import Brought
from pystack.peer.channels import Channels
from pystack.peer.configuration import Configuration
from pystack.peer.datachannel import DataChannel
from pystack.peer.description import IceCandidate, SessionDescription
from pystack.peer.dictionaries import StatsReport
from pystack.peer.events import PeerEvent
from pystack.peer.local import describe_local
from pystack.peer.negotiation import Operations
from pystack.peer.outward import EventHub, EventIterator
from pystack.peer.patience import Patience
from pystack.peer.progress import missing_step, standing
from pystack.peer.rtcp import RtcpPort
from pystack.peer.sender import RtpSender
from pystack.peer.signaling import Signaling
from pystack.peer.stats import collect_stats
from pystack.peer.transceiver import Direction, MediaKind, Transceiver
from pystack.peer.transceivers import Transceivers
from pystack.peer.waiting import Awaited
from pystack.rtp import (
    ByeReceived,
    Congestion,
    CongestionChanged,
    KeyFrameRequested,
    RtcpReceived,
    RtpPacket,
    StreamAnomaly,
    StreamRestarted,
    StreamStarted,
    StreamTold,
)
from pystack.sdp import jsep
from pystack.sdp.attributes.direction import receives
from pystack.session import (
    ConnectionState,
    DataTransportEnded,
    DtlsStateChanged,
    IceState,
    Secured,
    Session,
    connection_state,
)

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PeerConnection"]

T = TypeVar("T")


class PeerConnection:
    """A connection to one peer: data channels and RTP over one bundled transport.

    Make it inside a running event loop. Use it as ``async with PeerConnection() as connection``, or call
    :meth:`close`.

    Args:
        configuration: see :class:`Configuration`; the defaults suit a client.

    Raises:
        InvalidArgument: it is no :class:`Configuration`, such as the W3C's dictionary.

    Attributes:
        transceivers: the media sections, in the order in which they came to be.
        reason: why the connection ended; ``None`` while it lives.
        rtcp: RTCP packets that concern no track of either side, and how to send one.
    """

    def __init__(self, configuration: Configuration | None = None) -> None:
        if configuration is None:
            configuration = Configuration()
        elif not isinstance(configuration, Configuration):
            raise InvalidArgument(
                f"configuration is a Configuration, not {type(configuration).__name__}; "
                "write Configuration(ice_servers=[IceServer.from_url('stun:example.org')])"
            )
        self._configuration = configuration
        self._loop = asyncio.get_running_loop()
        self._random = configuration.randomness
        offset = self._wall_offset = wall_offset(self._loop)
        self._certificate = configuration.certificate or Certificate.generate(offset + self._loop.time())
        self._cname = self._random.token(9).hex()
        self._tls_id = self._random.token(15).hex()
        options = revise(
            configuration.session,
            rtp=revise(
                configuration.session.rtp,
                cname=self._cname,
                ntp_offset=offset,
                tell_rtcp=configuration.inbox_rtcp > 0,
            ),
        )
        debug = debug_options(configuration.debug)
        clock = clock_of(self._loop)
        self._debug = None if debug is None else Debug(debug, clock(), offset, configuration.trace)
        self._session = Session(self._certificate, options, self._random, self._debug or configuration.trace)
        self._ice = self._make_ice()
        self._path: DatagramPath = self._ice
        if self._debug is not None:
            self._path = TappedPath(self._ice, self._debug, clock, self._read_keys)
        self._driver = Driver(self._session, self._path, self._handle_event, self._loop, self._handle_failure)
        self._ice.on_state = self._handle_ice_state
        self._ice.on_candidate = self._handle_candidate
        self._operations = Operations("peer connection", configuration.operation_timeout, self._handle_hang)
        self._hub: EventHub[PeerEvent] = EventHub()
        self._brought_channels: Brought[DataChannel] = Brought("peer connection", _is_closed)
        self._brought_tracks: Brought[Transceiver] = Brought("peer connection", _is_silent)
        self._transceivers = Transceivers(self._session, self._driver, configuration, self._handle_wish)
        self._channels = Channels(self._session, self._driver, self._handle_channel, self._tell_standing)
        self._signaling = Signaling(
            session=self._session,
            driver=self._driver,
            ice=self._ice,
            transceivers=self._transceivers,
            describe=self._describe,
            emit=self._emit,
            on_change=self._refresh,
            on_data_rejected=self._handle_data_rejected,
            session_id=self._random.integer(62),
        )
        self._wants_data = False
        self._state: ConnectionState = "new"
        self._ice_state: IceState = "new"
        self._patience = Patience(configuration.failed_timeout, self._loop, self._give_up)
        self._connected = Awaited()
        self._gathered = Awaited()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self.reason: Reason | None = None
        self.rtcp = RtcpPort(self._session, self._driver, "peer connection", configuration.inbox_rtcp)

    def __repr__(self) -> str:
        return f"<PeerConnection {self._state}, signaling {self.signaling_state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- states

    @property
    def signaling_state(self) -> str:
        """``RTCSignalingState``: ``stable``, ``have-local-offer``, ... ``closed``."""
        return "closed" if self.reason is not None else self._signaling.negotiation.state.value

    @property
    def connection_state(self) -> ConnectionState:
        """``RTCPeerConnectionState``, computed from ICE and DTLS."""
        return self._state

    @property
    def ice_connection_state(self) -> IceState:
        """``RTCIceConnectionState``."""
        return "closed" if self.reason is not None else self._ice.state

    @property
    def ice_gathering_state(self) -> str:
        """``RTCIceGatheringState``: ``new``, ``gathering`` or ``complete``."""
        return self._ice.gathering_state

    @property
    def transceivers(self) -> tuple[Transceiver, ...]:
        """The media sections, in the order in which they came to be; stopped ones until that was negotiated."""
        return tuple(transceiver for transceiver in self._transceivers if not transceiver.gone)

    @property
    def data_channels(self) -> tuple[DataChannel, ...]:
        """The data channels that are not closed."""
        return self._channels.all

    @property
    def local_description(self) -> SessionDescription | None:
        """The pending local description, else the current one, with the candidates gathered so far."""
        return self._signaling.local_text(self._signaling.negotiation.local_description)

    @property
    def remote_description(self) -> SessionDescription | None:
        """The pending remote description, else the current one."""
        return self._signaling.remote_text(self._signaling.negotiation.remote_description)

    @property
    def current_local_description(self) -> SessionDescription | None:
        """The local description in force."""
        return self._signaling.local_text(self._signaling.negotiation.current_local)

    @property
    def current_remote_description(self) -> SessionDescription | None:
        """The remote description in force."""
        return self._signaling.remote_text(self._signaling.negotiation.current_remote)

    @property
    def pending_local_description(self) -> SessionDescription | None:
        """The local description that waits for an answer."""
        return self._signaling.local_text(self._signaling.negotiation.pending_local)

    @property
    def pending_remote_description(self) -> SessionDescription | None:
        """The remote description that waits for our answer; ``None`` is an ordinary value."""
        return self._signaling.remote_text(self._signaling.negotiation.pending_remote)

    # ---- what it carries

    def create_data_channel(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,  # noqa: A002 - the W3C's name
    ) -> DataChannel:
        """Make a data channel; any time, also before the connection is there.

        Args:
            label: its name, at most 65535 bytes of UTF-8.
            ordered: whether messages keep their order.
            max_packet_life_time: milliseconds that a message is tried, 0 to 65535; not with ``max_retransmits``.
            max_retransmits: how often a message is sent again at most, 0 to 65535.
            protocol: the subprotocol's name.
            negotiated: both sides make the channel with the same ``id``; nothing is sent to announce it.
            id: the SCTP stream of a negotiated channel, 0 to 65534.

        Raises:
            InvalidArgument: an argument can never be right.
            LocalProtocolError: the identifier is in use, or no stream is left.
            Closed: the connection ended.
        """
        self._check_open()
        check_channel(
            ordered=ordered,
            max_packet_life_time=max_packet_life_time,
            max_retransmits=max_retransmits,
            negotiated=negotiated,
            id=id,
        )
        handle = self._session.channels.open(
            label,
            self._driver.now(),
            protocol=protocol,
            ordered=ordered,
            max_retransmits=max_retransmits,
            max_lifetime=None if max_packet_life_time is None else max_packet_life_time / 1000,
            negotiated=negotiated,
            id=id,
        )
        channel = self._channels.add(handle)
        self._wants_data = True
        self._driver.soon()
        self._signaling.check_needed()
        return channel

    def add_transceiver(
        self,
        kind: MediaKind,
        *,
        direction: Direction = "sendrecv",
        track_id: str = "",
        stream_ids: Sequence[str] = (),
        send_encodings: Sequence[str] = (),
        receive_encodings: Sequence[str] = (),
    ) -> Transceiver:
        """Add a media section.

        Args:
            kind: ``"audio"`` or ``"video"``.
            direction: what we want of it.
            track_id: our name of what is sent (``a=msid``).
            stream_ids: the streams that it belongs to.
            send_encodings: the rids of the simulcast layers to offer, in order of preference, such as
                ``["q", "h", "f"]``; ``write(packet, rid="h")`` sends a packet of one. What the peer agreed to take is
                :attr:`RtpSender.rids`.
            receive_encodings: the rids of the simulcast layers to ask the peer for in our offers (``a=simulcast:recv``,
                RFC 8853); its browser then makes them, and they come with their rids. What it agreed to send is
                :attr:`RtpReceiver.rids`. A peer that offers its layers by itself needs nothing here.

        Raises:
            InvalidArgument: an argument can never be right.
            Closed: the connection ended.
        """
        self._check_open()
        check_rids("send_encodings", send_encodings)
        check_rids("receive_encodings", receive_encodings)
        if shared := sorted(set(send_encodings) & set(receive_encodings)):
            raise InvalidArgument(f"a rid names one layer of a section, but {shared[:5]} are both sent and received")
        check_kind(kind)
        check_direction(direction)
        check_names(track_id, stream_ids)
        extensions = self._configuration.audio_extensions if kind == "audio" else self._configuration.video_extensions
        if (send_encodings or receive_encodings) and not any(each.uri == jsep.RID_URI for each in extensions):
            raise InvalidArgument(f"the Configuration has no header extension for rids ({jsep.RID_URI}) for {kind}")
        transceiver = self._transceivers.add(
            kind, direction, encodings=tuple(send_encodings), asked=tuple(receive_encodings)
        )
        transceiver.sender.set_track(track_id, stream_ids)
        self._signaling.check_needed()
        return transceiver

    def add_track(self, kind: MediaKind, *, track_id: str = "", stream_ids: Sequence[str] = ()) -> RtpSender:
        """Send a track: on a section of that kind that never sent and has no track, else on a new one.

        So a section that the peer brought is used before another is made (W3C ``addTrack``). To name, or to change,
        what an existing section sends, see :meth:`RtpSender.set_track`.

        Raises:
            InvalidArgument: an argument can never be right.
            Closed: the connection ended.
        """
        self._check_open()
        check_kind(kind)
        check_names(track_id, stream_ids)
        transceiver = self._transceivers.reusable(kind)
        if transceiver is not None:
            transceiver.from_track = True
            transceiver.direction = "sendrecv" if receives(transceiver.direction) else "sendonly"
        else:
            transceiver = self._transceivers.add(kind, "sendrecv", from_track=True)
        transceiver.sender.set_track(track_id or self._random.token(8).hex(), stream_ids)
        self._signaling.check_needed()
        return transceiver.sender

    def remove_track(self, sender: RtpSender) -> None:
        """Stop sending a track; its section stays, and that of a stopped transceiver is none (W3C ``removeTrack``).

        Raises:
            InvalidArgument: the sender belongs to another connection.
            Closed: the connection ended.
        """
        self._check_open()
        if isinstance(sender, RtpSender) and sender.ended:
            return
        for transceiver in self._transceivers:
            if transceiver.sender is sender:
                sender.set_track("")
                transceiver.direction = "recvonly" if receives(transceiver.direction) else "inactive"
                return
        raise InvalidArgument("the sender belongs to another connection")

    # ---- negotiation

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        """Make an offer of what is wanted now; nothing changes until it is applied.

        Raises:
            LocalProtocolError: not legal in this signaling state.
            Closed: the connection ended.
        """
        check_flag("ice_restart", ice_restart)
        return await self._operate("create offer", lambda: self._signaling.create_offer(ice_restart))

    async def create_answer(self) -> SessionDescription:
        """Make the answer to the remote offer that is pending; nothing changes until it is applied.

        Raises:
            LocalProtocolError: there is no remote offer.
            Closed: the connection ended.
        """
        return await self._operate("create answer", self._signaling.create_answer)

    async def set_local_description(self, description: SessionDescription | None = None) -> None:
        """Apply a description of ours: the one made last, or, by default, the one that the state asks for.

        Returns at once: gathering and transports start on their own.

        Raises:
            LocalProtocolError: not legal in this state, or the description is not the one that was made last.
            Closed: the connection ended.
        """
        if description is not None:
            check_description(description)
        await self._operate("set local description", lambda: self._signaling.set_local(description))
        self._note_description("local", self.local_description)

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Apply the peer's description. Returns at once; whatever has to start, starts on its own.

        A remote offer while ours is pending rolls ours back first (W3C 4.4.1.5, perfect negotiation).

        Raises:
            InvalidArgument: the text cannot be used; the message names the line or the section.
            LocalProtocolError: not legal in this state.
            Closed: the connection ended.
        """
        check_description(description)
        self._note_description("remote", description)
        await self._operate("set remote description", lambda: self._signaling.set_remote(description))

    async def add_ice_candidate(self, candidate: IceCandidate | str | None) -> None:
        """Tell a candidate of the peer; ``None`` or an empty one is the end of candidates.

        One that comes before the remote description is kept for it. One that cannot be used is counted, not raised:
        the peer may still be found.

        Raises:
            Closed: the connection ended.
        """
        given = IceCandidate(candidate) if isinstance(candidate, str) else candidate
        if not isinstance(given, IceCandidate | None):
            raise InvalidArgument(
                f"a candidate is an IceCandidate, its text, or None, not {type(given).__name__}; what a browser's "
                "JSON.stringify(candidate) gave is read by IceCandidate.from_json"
            )
        await self._operate("add ICE candidate", lambda: self._signaling.add_candidate(given))

    def restart_ice(self) -> None:
        """Ask for an ICE restart with the next offer, which :class:`NegotiationNeeded` asks for."""
        self._check_open()
        self._signaling.restart_ice()

    # ---- waiting

    def listen(self, callback: Callable[[PeerEvent], None]) -> Callable[[], None]:
        """Call ``callback`` for each event, those kept since the beginning first; return what stops it.

        Raises:
            InvalidArgument: it cannot be called, or is an ``async def``, which nobody would await.
        """
        check_listener("callback", callback, "iterate over events(), or start a task in a plain function")
        return self._hub.listen(callback)

    def events(self) -> EventIterator[PeerEvent]:
        """Yield the events up to and including :class:`PeerConnectionClosed`, those kept since the beginning first.

        Leaving the loop early loses nothing: what comes while nobody listens is kept for whoever listens next.
        """
        return self._hub.iterate(lambda event: isinstance(event, told.PeerConnectionClosed))

    async def next_data_channel(self, *, timeout: float | None = None) -> DataChannel:
        """Return the next channel that the peer opened; each is given once, those that came before first.

        :class:`DataChannelAdded` tells of the same channels; use whichever suits.

        Raises:
            TimeoutError: the peer opened none in time.
            Closed: the connection ended, and all were given.
        """
        return await self._brought_channels.take(timeout)

    async def next_track(self, *, timeout: float | None = None) -> Transceiver:
        """Return the next transceiver on which the peer says that it sends: ``.receiver`` is where its packets come.

        :class:`TrackAdded` tells of the same; use whichever suits.

        Raises:
            TimeoutError: there was none in time.
            Closed: the connection ended, and all were given.
        """
        return await self._brought_tracks.take(timeout)

    async def wait_connected(self, *, timeout: float | None = None) -> None:
        """Wait until ICE and DTLS are up.

        Raises:
            TimeoutError: not in time; the message says what is missing.
            Closed: it failed or ended instead; the reason says why.
        """
        try:
            await self._connected.until(self._is_connected, timeout)
        except TimeoutError:
            step = missing_step(self, self._session.dtls_state)
            raise TimeoutError(f"not connected within {timeout:g} s; {step}") from None

    async def wait_gathered(self, *, timeout: float | None = None) -> None:
        """Wait until all local candidates are in :attr:`local_description`, for signalling without trickling.

        Raises:
            TimeoutError: not in time; the description has those found so far, and the message says what is missing.
            Closed: the connection ended.
        """
        try:
            await self._gathered.until(self._is_gathered, timeout)
        except TimeoutError:
            state = self.ice_gathering_state
            step = (
                "call set_local_description() before, which begins it"
                if state == "new"
                else "local_description has the candidates found so far; give more time, or trickle the rest"
            )
            raise TimeoutError(f"candidates not gathered within {timeout:g} s; gathering is {state}: {step}") from None

    async def wait_closed(self) -> None:
        """Wait until the connection has ended, whoever ended it."""
        await asyncio.shield(self._done)

    @property
    def congestion(self) -> Congestion:
        """How the path of the media that we send is; see :class:`~pystack.rtp.CongestionChanged`.

        Always free of congestion unless ``RtpSessionOptions.watch_congestion`` is set.
        """
        return self._session.rtp.congestion(self._driver.now()) or Congestion()

    def get_stats(self) -> StatsReport:
        """A snapshot of all numbers under their W3C names: ``{id: {"type": ..., ...}}``, ready for JSON.

        Find entries by their ``type``. :class:`~pystack.peer.TransportStats`, :class:`~pystack.peer.InboundRtpStats`
        and their siblings, all in :data:`~pystack.peer.Stats`, have the members of each. Works after the end too: the
        numbers of the transport stay.
        """
        return collect_stats(
            self._session,
            self._ice,
            self._channels.numbered,
            self._transceivers,
            self._certificate,
            controlling=self._signaling.controlling if self._signaling.started else None,
            now=self._driver.now(),
            wall_offset=self._wall_offset,  # as in the sender reports
        )

    # ---- ending

    async def close(self, *, timeout: float | None = None) -> None:
        """End in good order: what channels have taken goes out, then everything is let go of.

        Returns within ``timeout`` seconds (by default the configuration's) and one more for relays, whatever the peer
        does. Idempotent; a second caller awaits the same end. Cancelling it aborts.
        """
        check_timeout(timeout)
        if self.reason is None:
            now = self._driver.now()
            self._operations.terminate(LOCAL)
            self._session.close(now)
            self._driver.soon()
            patience = self._configuration.close_timeout if timeout is None else timeout
            try:
                async with asyncio.timeout(patience):
                    await asyncio.shield(self._done)
            except TimeoutError:
                pass
            finally:
                self.abort()
        await self._ice.wait_closed()

    def abort(self, reason: Reason = LOCAL) -> None:
        """End at once and synchronously; the peer is told if the path takes it now."""
        self._terminate(reason)

    # ---- what the layers say

    def _handle_event(self, event: Any) -> None:
        kind = type(event)
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, event)
        elif kind in self._channels.handlers:
            self._channels.handlers[kind](event)

    def _handle_wish(self) -> None:
        self._signaling.check_needed()

    def _handle_channel(self, channel: DataChannel) -> None:
        self._brought_channels.put(channel)
        self._emit(told.DataChannelAdded(channel))

    def _emit(self, event: PeerEvent) -> None:
        if self._debug is not None:
            self._debug.note(self._driver.now(), "peer", repr(event))
        if isinstance(event, told.TrackAdded):
            self._brought_tracks.put(event.transceiver)
        self._hub.emit(event)

    def _handle_packet(self, item: tuple[int, str, RtpPacket]) -> None:
        key, rid, packet = item
        transceiver = self._transceivers.get(key)
        if transceiver is not None:
            transceiver.receiver.handle_packet(rid, packet)

    def _handle_ice_state(self, state: IceState) -> None:
        if self._ice.state == "closed":  # whoever carries it is gone: there is no restart after that
            self._terminate(self._failure())
            return
        if state in {"connected", "completed"}:
            self._signaling.start_transports()
        self._refresh()
        self._driver.soon()

    def _handle_candidate(self, text: str | None) -> None:
        if text is None:
            self._emit(told.IceGatheringStateChanged("complete"))
            self._emit(told.IceCandidateFound(None))
            self._gathered.ring()
            return
        mid, index = self._signaling.candidate_section
        ufrag = self._ice.local_parameters.ufrag
        self._emit(told.IceCandidateFound(IceCandidate(text, mid, index, ufrag)))

    def _handle_key_frame_request(self, event: KeyFrameRequested) -> None:
        transceiver = self._transceivers.get(event.sender_id)
        if transceiver is not None:
            transceiver.sender.handle_key_frame_request(event.sender_id)

    def _handle_stream_event(self, event: StreamTold) -> None:
        if self._debug is not None:
            self._debug.note(self._driver.now(), "rtp", repr(event))
        transceiver = self._transceivers.get(event.receiver_id)
        if transceiver is not None:
            transceiver.receiver.handle_stream_event(event)

    def _handle_rtcp(self, event: RtcpReceived) -> None:
        packet = event.packet
        halves = [self._transceivers.get(key) for key in event.receivers]
        ports = [half.receiver.rtcp for half in halves if half is not None]
        halves = [self._transceivers.get(key) for key in event.senders]
        ports += [half.sender.rtcp for half in halves if half is not None]
        for port in ports or (self.rtcp,):
            port.handle_packet(packet)

    def _handle_transport_change(self, event: DtlsStateChanged | Secured) -> None:
        if self._session.dtls_state not in {"failed", "closed"}:  # with those comes the end itself, and its reason
            self._refresh()

    def _handle_data_rejected(self) -> None:
        """The peer wants no data: channels end, and who makes another one asks again."""
        self._wants_data = False
        self._session.end_data(self._driver.now(), PeerClosed("the section of data was rejected"))
        self._driver.soon()

    def _handle_data_end(self, event: DataTransportEnded) -> None:
        # Each channel has said so by its own ChannelClosed; the rest of the connection lives on.
        return

    def _handle_end(self, event: Ended) -> None:
        self._terminate(event.reason)

    def _handle_hang(self, operation: str) -> None:
        """The watchdog of an operation bit (requirements row 8)."""
        negotiation = self._signaling.negotiation
        local, remote = (
            "none" if applied is None else applied.type
            for applied in (negotiation.local_description, negotiation.remote_description)
        )
        seconds = self._configuration.operation_timeout
        self._terminate(
            TransportLost(f"operation {operation!r} did not end within {seconds:g} s (local {local}, remote {remote})")
        )

    def _handle_failure(self, error: Exception) -> None:
        """A bug of ours: nobody may wait for what will never come."""
        # The peer hears the reason too, and an exception can hold anything: which it was, is its cause.
        reason = TransportLost("an internal error ended the connection")
        reason.__cause__ = error
        self._terminate(reason)

    # ---- the one exit

    def _terminate(self, reason: Reason) -> None:
        if self.reason is not None:
            return
        failed = reason != LOCAL and connection_state(False, self._ice.state, self._session.dtls_state) == "failed"
        if self._debug is not None:
            self._debug.note(self._driver.now(), "stats", json.dumps(self.get_stats(), indent=2))
        self.reason = reason
        self._patience.follow("closed")
        # The transport first, then what waits: whatever one of them does, each of the others is ended too (AC1.2, 1.4).
        for end in (
            lambda: self._say_farewell(reason),
            self._driver.close,
            self._ice.close,
            lambda: self._operations.terminate(reason),
            self._signaling.end,
            lambda: self._channels.end(reason),
            lambda: self._transceivers.end(reason),
            lambda: self.rtcp.handle_end(reason),
            lambda: self._brought_channels.end(reason),
            lambda: self._brought_tracks.end(reason),
            self._connected.ring,
            self._gathered.ring,
            lambda: self._tell_end(reason, failed=failed),
        ):
            self._carry_out(end)
        if not self._done.done():
            self._done.set_result(None)

    def _say_farewell(self, reason: Reason) -> None:
        now = self._driver.now()
        self._session.abort(now, reason)
        self._session.take_events()  # whoever aborts wants to hear no more; an end of the peer's came last anyway
        self._path.send(self._session.flush(now))  # as far as the path takes it now

    def _tell_end(self, reason: Reason, *, failed: bool) -> None:
        if failed and self._state != "failed":
            self._emit(told.ConnectionStateChanged("failed"))
        self._state = "closed"
        if self._ice_state != "closed":
            self._ice_state = "closed"
            self._emit(told.IceConnectionStateChanged("closed"))
        self._emit(told.SignalingStateChanged("closed"))
        self._emit(told.ConnectionStateChanged("closed"))
        self._emit(told.PeerConnectionClosed(reason))
        self._hub.end()
        if self._debug is not None:
            self._debug.close(self._driver.now())

    def _carry_out(self, end: Callable[[], None]) -> None:
        """End one part; a failure of it is told to the loop and costs the others nothing."""
        try:
            end()
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "a part of a peer connection did not end cleanly", "exception": error, "connection": self}
            )

    # ---- parts

    def _make_ice(self) -> IceTransport:
        configuration = self._configuration
        if configuration.mux is not None:
            return configuration.mux.transport()
        return FullTransport(
            FullIceOptions(
                servers=configuration.ice_servers,
                policy=configuration.ice_transport_policy,
                port_range=configuration.port_range,
                address_filter=configuration.address_filter,
                loopback=configuration.loopback,
            ),
            self._random,
        )

    def _tell_standing(self) -> str:
        return standing(self, self._session.dtls_state)

    def _note_description(self, whose: str, description: SessionDescription | None) -> None:
        if self._debug is not None and description is not None:
            self._debug.note(self._driver.now(), "signaling", f"{whose} {description.type}\n{description.sdp}")

    def _read_keys(self) -> str | None:
        return self._session.key_log

    def _describe(self) -> jsep.LocalSession:
        options = self._configuration.session.association
        return describe_local(
            ice=self._ice,
            certificate=self._certificate,
            transceivers=tuple(self._transceivers),
            data=self._wants_data,
            cname=self._cname,
            sctp_port=options.local_port,
            max_message_size=options.max_message_size,
            # A server lets the client speak first: its ClientHello comes with the path (RFC 8842 section 5.3).
            setup="passive" if self._ice.local_parameters.lite else "active",
            tls_id=self._tls_id,
            negotiation=self._signaling.negotiation,
        )

    def _refresh(self) -> None:
        """Compute the states and say what changed."""
        if self.reason is not None:
            return
        ice = self._ice.state
        if ice != self._ice_state:
            self._ice_state = ice
            self._emit(told.IceConnectionStateChanged(ice))
        state = connection_state(False, ice, self._session.dtls_state)
        if state in {self._state, "closed"}:
            return
        self._state = state
        self._patience.follow(state)
        self._connected.ring()
        self._emit(told.ConnectionStateChanged(state))

    def _give_up(self) -> None:
        self._terminate(self._failure())

    def _failure(self) -> Reason:
        reason = self._ice.reason
        return reason if isinstance(reason, StackError) else TransportLost("no path to the peer")

    def _check_open(self) -> None:
        if self.reason is not None:
            raise Closed.because("peer connection", self.reason)

    def _is_connected(self) -> bool:
        self._check_open()
        if self._state == "failed":
            raise Closed("peer connection", self._failure(), has="failed")
        return self._state == "connected"

    def _is_gathered(self) -> bool:
        self._check_open()
        return self._ice.gathering_state == "complete"

    async def _operate(self, name: str, step: Callable[[], T]) -> T:
        async def operation() -> T:
            return step()

        return await self._operations.run(name, operation)


def _is_closed(channel: DataChannel) -> bool:
    return channel.ready_state == "closed"


def _is_silent(transceiver: Transceiver) -> bool:
    return transceiver.stopped or not transceiver.remote_sends


_HANDLERS: dict[type, Callable[[PeerConnection, Any], None]] = {
    tuple: PeerConnection._handle_packet,
    KeyFrameRequested: PeerConnection._handle_key_frame_request,
    RtcpReceived: PeerConnection._handle_rtcp,
    StreamStarted: PeerConnection._handle_stream_event,
    StreamRestarted: PeerConnection._handle_stream_event,
    ByeReceived: PeerConnection._handle_stream_event,
    StreamAnomaly: PeerConnection._handle_stream_event,
    DtlsStateChanged: PeerConnection._handle_transport_change,
    Secured: PeerConnection._handle_transport_change,
    DataTransportEnded: PeerConnection._handle_data_end,
    Ended: PeerConnection._handle_end,
    CongestionChanged: PeerConnection._emit,
}
"""Which part of the connection hears which event of the session; what is not listed needs no hearing."""
