"""Where the packets of one remote track arrive (W3C ``RTCRtpReceiver``, at the level of packets).

Packets go to one place: the tap of a forwarder, called synchronously in the chain that began at the socket, or an
inbox for ``async for``. What arrives before either is kept, bounded; when the inbox is full the oldest are dropped and
counted, because late media is worth less than new.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from pystack.errors import LOCAL, Closed, PeerClosed, Reason
from pystack.peer.arguments import check_callback, check_listener
from pystack.peer.inbox import Inbox
from pystack.peer.outward import EventHub, call_out
from pystack.peer.rtcp import RtcpPort
from pystack.rtp import CodecSpec, HeaderExtensionMap, ReceptionWindow, RedUnwrapper, RtpPacket, StreamTold

if TYPE_CHECKING:
    from pystack.aio import Driver
    from pystack.session import Session

__all__ = ["RtpReceiver"]

_KEPT_EVENTS: Final = 32


class RtpReceiver:
    """The receiving half of a transceiver.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        track_id: the remote's name of the track (``a=msid``), ``""`` if it gave none.
        stream_ids: the remote's names of the streams that the track belongs to.
        codecs: what was agreed, in order of preference; empty before.
        encodings: the simulcast layers that our offers ask for, by rid; empty when they ask for none.
        rids: the simulcast layers that come, by rid; empty without simulcast.
        extensions: what the ids of header extensions mean here.
        receiving: whether the peer agreed that media may come here.
        dropped: packets dropped because nobody read them in time.
        red: set a :class:`~pystack.rtp.RedUnwrapper` to get redundant audio unwrapped, with lost packets brought back
            from copies; ``None``, as at the start: packets come as they were sent, which is what a forwarder wants.
        rtcp: what the sender of the track says of it by RTCP, and how to answer by hand.
    """

    def __init__(
        self,
        session: Session,
        driver: Driver,
        key: int,
        kind: str,
        inbox_packets: int,
        inbox_rtcp: int,
        encodings: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.track_id = ""
        self.stream_ids: tuple[str, ...] = ()
        self.codecs: tuple[CodecSpec, ...] = ()
        self.encodings = encodings
        self.rids: tuple[str, ...] = ()
        self.extensions = HeaderExtensionMap()
        self.receiving = False
        self.dropped = 0
        self.red: RedUnwrapper | None = None
        self._session = session
        self._driver = driver
        self._key = key
        self._limit = inbox_packets
        self._inbox: Inbox[tuple[RtpPacket, str]] = Inbox(f"{kind} receiver")
        self._tap: Callable[[RtpPacket, str], object] | None = None
        self._ended: Reason | None = None
        self._hub: EventHub[StreamTold] = EventHub(_KEPT_EVENTS)
        self.rtcp = RtcpPort(session, driver, f"{kind} receiver", inbox_rtcp)

    @property
    def on_packet(self) -> Callable[[RtpPacket, str], object] | None:
        """Called with each packet and its rid, in the chain that began at the socket; what was kept comes first.

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``, which nobody would await.
        """
        return self._tap

    @on_packet.setter
    def on_packet(self, tap: Callable[[RtpPacket, str], object] | None) -> None:
        check_callback("on_packet", tap, "take the packets by async for, or start a task in a plain function")
        self._tap = tap
        self._inbox.set_tap(None if tap is None else self._deliver)

    async def read(self, *, timeout: float | None = None) -> tuple[RtpPacket, str]:
        """Return the next packet and the rid of its simulcast layer (``""`` without simulcast).

        Raises:
            TimeoutError: nothing came in time.
            Closed: the connection ended and everything was read.
        """
        return await self._inbox.take(timeout)

    async def __aiter__(self) -> AsyncIterator[RtpPacket]:
        """Yield packets until the connection ends in good order; raise :class:`Closed` if it ends otherwise."""
        while True:
            try:
                packet, _ = await self.read()
            except Closed as end:
                if end.reason == LOCAL or isinstance(end.reason, PeerClosed):
                    return
                raise
            yield packet

    def request_key_frame(self, rid: str = "") -> None:
        """Ask the remote for a key frame (PLI, or FIR where only that was agreed); merged and throttled.

        A stream that has not started begins with a key frame anyway; asking it does nothing.
        """
        if self.receiving and self._ended is None:
            self._session.rtp.request_key_frame(self._key, self._driver.now(), rid)
            self._driver.soon()

    def listen(self, callback: Callable[[StreamTold], None]) -> Callable[[], None]:
        """Call ``callback`` for what happens to the streams of the track, the last that nobody heard first.

        :class:`~pystack.rtp.StreamStarted`, :class:`~pystack.rtp.StreamRestarted`, :class:`~pystack.rtp.ByeReceived`
        and :class:`~pystack.rtp.StreamAnomaly`, of its layers and of their retransmissions alike: a log that listens
        here hears of all. Returns what stops it.

        Raises:
            InvalidArgument: it cannot be called, or is an ``async def``, which nobody would await.
        """
        check_listener("callback", callback, "start a task in a plain function")
        return self._hub.listen(callback)

    def capture_time(self, packet: RtpPacket, rid: str = "") -> float | None:
        """When a packet's timestamp was on its sender's wall clock, in seconds since 1970.

        Tracks of one peer are played together by it (RFC 3550 section 6.4.1). ``None`` before its first report.
        """
        return self._session.rtp.capture_time(self._key, packet.timestamp, rid)

    def reception_window(self, rid: str = "", observer: str = "") -> ReceptionWindow | None:
        """What was received of one layer since ``observer`` asked last; ``None`` at its first question.

        Each observer has windows of its own, so one that asks every second and one that asks every minute do not
        disturb each other.
        """
        if not self.receiving or self._ended is not None:
            return None
        return self._session.rtp.reception_window(self._key, self._driver.now(), rid, observer)

    # ---- what the connection tells it

    def handle_stream_event(self, event: StreamTold) -> None:
        """Something happened to one of the streams."""
        self._hub.emit(event)

    def handle_packet(self, rid: str, packet: RtpPacket) -> None:
        """A packet arrived."""
        if self.red is None:
            self._hand_on(rid, packet)
            return
        for each in self.red.unwrap(packet, self.codecs):
            self._hand_on(rid, each)

    def handle_end(self, reason: Reason) -> None:
        """The connection, or the section, ended."""
        if self._ended is not None:
            return
        self._ended = reason
        self.receiving = False
        self._tap = None
        self._inbox.set_tap(None)
        self._inbox.terminate(reason)
        self._hub.end()
        self.rtcp.handle_end(reason)

    def _hand_on(self, rid: str, packet: RtpPacket) -> None:
        tap = self._tap
        if tap is not None and not self._inbox:
            call_out(tap, packet, rid)
            return
        if self._ended is not None:
            return
        if len(self._inbox) >= self._limit:
            self._inbox.pop()
            self.dropped += 1
        self._inbox.put((packet, rid))

    def _deliver(self, item: tuple[RtpPacket, str]) -> None:
        if self._tap is not None:
            call_out(self._tap, *item)
