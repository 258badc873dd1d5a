"""One participant outside its room: the socket that it signals on and the transports that its media takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pystack import Congestion
from sfu.rooms import AnswerArrived, LeaveReason, OfferWanted
from sfu.server.media_session import MediaSession, NegotiationFailed
from sfu.server.socket import SignalSocket

if TYPE_CHECKING:
    from sfu.server.room_host import RoomHost

__all__ = ["Member"]


class Member:
    """What the runtime holds of one participant; gone as soon as the room says so.

    Attributes:
        sid: the participant's session id.
        identity: its identity.
        socket: for signalling to it; ``None`` while that is lost.
        inbound: the transport that it publishes on.
        outbound: the transport that it receives on; the same, unless the client has two.
        last_sequence: of its reliable data messages, the number of the last that arrived.
    """

    def __init__(self, host: RoomHost, sid: str, identity: str, socket: SignalSocket, *, dual: bool) -> None:
        self.sid = sid
        self.identity = identity
        self.socket: SignalSocket | None = None
        self.last_sequence = 0
        self._host: RoomHost | None = host
        self.inbound: MediaSession = host.open_media(self)
        self.outbound: MediaSession = host.open_media(self) if dual else self.inbound
        self.take_socket(socket)

    def take_socket(self, socket: SignalSocket) -> None:
        """Speak to the client through this one from now on."""
        if self.socket is not None:
            self.socket.finish()
        self.socket = socket
        socket.on_overflow = self.socket_overflow

    # ------------------------------------------------------------------ what the transport tells

    def media_connected(self, session: MediaSession) -> None:
        """A transport works; the client waits for the one that it receives on."""
        if self._host is not None and session is self.outbound:
            self._host.connected(self)

    def media_lost(self, why: str, *, goodbye: bool = False) -> None:
        """The transport has ended by itself; ``goodbye`` if the client closed it in good order."""
        if self._host is not None:
            self._host.lost(self, why, LeaveReason.CLIENT_INITIATED if goodbye else LeaveReason.CONNECTION_TIMEOUT)

    def media_congested(self, session: MediaSession, congestion: Congestion) -> None:
        """How the path to the client is has changed."""
        if self._host is not None and session is self.outbound:
            self._host.regulator.changed(self.sid, congestion)

    def media_message(self, label: str, message: bytes) -> None:
        """A data message arrived."""
        if self._host is not None:
            self._host.relay(self, label, message)

    def media_frame(self, packet: bytes) -> None:
        """A packet of a data track arrived."""
        if self._host is not None:
            self._host.relay_frame(self, packet)

    # ------------------------------------------------------------------ what the socket tells

    def socket_overflow(self) -> None:
        """The client does not read its signalling."""
        if self._host is not None:
            self._host.lost(self, "the client does not read its signalling", LeaveReason.SIGNAL_CLOSE)

    # ------------------------------------------------------------------ what the room wants

    def negotiate(self, offer_id: int, sdp: str) -> None:
        """Apply an offer and answer it, in a task of this participant's own."""
        self.inbound.start(self._negotiate(offer_id, sdp), "negotiation")

    def offer(self, wanted: OfferWanted) -> None:
        """Make an offer of ours, in a task of this participant's own."""
        self.outbound.start(self._offer(wanted), "offer")

    def accept(self, answer: AnswerArrived) -> None:
        """Apply the client's answer to it."""
        self.outbound.start(self._accept(answer), "answer")

    def add_candidate(self, candidate: str, *, outbound: bool) -> None:
        """Hand on an ICE candidate."""
        session = self.outbound if outbound else self.inbound
        session.start(session.add_candidate(candidate), "candidate")

    def close(self) -> None:
        """Let go of both sides; what is queued for the client still goes out."""
        self._host = None
        self.inbound.close()
        if self.dual:
            self.outbound.close()
        if self.socket is not None:
            self.socket.finish()

    def stats(self) -> dict[str, Any]:
        """What the debug page shows."""
        return self.outbound.stats() | ({"publishes_on": self.inbound.stats()} if self.dual else {})

    @property
    def dual(self) -> bool:
        """Whether the client has a second peer connection for what it receives."""
        return self.outbound is not self.inbound

    async def _negotiate(self, offer_id: int, sdp: str) -> None:
        with self._telling_failure():
            sections = await self.inbound.apply_offer(sdp)
            plans = self._host.plan(self, offer_id, sections) if self._host is not None else None
            if plans is None:
                return
            answer = await self.inbound.make_answer(plans)
            if self._host is not None:
                self._host.answered(self, offer_id, answer.sdp, answer.mime_types)

    async def _offer(self, wanted: OfferWanted) -> None:
        with self._telling_failure():
            made = await self.outbound.make_offer(wanted.sections, restart_ice=wanted.restart_ice)
            if self._host is not None:
                self._host.offer_made(self, wanted.offer_id, made.sdp, made.mids)

    async def _accept(self, answer: AnswerArrived) -> None:
        with self._telling_failure():
            await self.outbound.apply_answer(answer.sdp)
            if self._host is not None:
                self._host.answer_applied(self, answer.offer_id)

    @contextmanager
    def _telling_failure(self) -> Iterator[None]:
        try:
            yield
        except NegotiationFailed as error:
            if self._host is not None:
                self._host.negotiation_failed(self, str(error))
