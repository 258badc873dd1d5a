"""One participant outside its room: the socket that it signals on and the transport that its media takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfu.rooms import LeaveReason
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
        media: its transport.
        last_sequence: of its reliable data messages, the number of the last that arrived.
    """

    def __init__(self, host: RoomHost, sid: str, identity: str, socket: SignalSocket) -> None:
        self.sid = sid
        self.identity = identity
        self.socket: SignalSocket | None = None
        self.last_sequence = 0
        self._host: RoomHost | None = host
        self.media: MediaSession = host.open_media(self)
        self.take_socket(socket)

    def take_socket(self, socket: SignalSocket) -> None:
        """Speak to the client through this one from now on."""
        if self.socket is not None:
            self.socket.finish()
        self.socket = socket
        socket.on_overflow = self.socket_overflow

    # ------------------------------------------------------------------ what the transport tells

    def media_connected(self) -> None:
        """The transport works."""
        if self._host is not None:
            self._host.connected(self)

    def media_lost(self, why: str, *, goodbye: bool = False) -> None:
        """The transport has ended by itself; ``goodbye`` if the client closed it in good order."""
        if self._host is not None:
            self._host.lost(self, why, LeaveReason.CLIENT_INITIATED if goodbye else LeaveReason.CONNECTION_TIMEOUT)

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
        self.media.start(self._negotiate(offer_id, sdp), "negotiation")

    def add_candidate(self, candidate: str) -> None:
        """Hand on an ICE candidate."""
        self.media.start(self.media.add_candidate(candidate), "candidate")

    def close(self) -> None:
        """Let go of both sides; what is queued for the client still goes out."""
        self._host = None
        self.media.close()
        if self.socket is not None:
            self.socket.finish()

    def stats(self) -> dict[str, Any]:
        """What the debug page shows."""
        return self.media.stats()

    async def _negotiate(self, offer_id: int, sdp: str) -> None:
        try:
            sections = await self.media.apply_offer(sdp)
            plans = self._host.plan(self, offer_id, sections) if self._host is not None else None
            if plans is None:
                return
            answer = await self.media.make_answer(plans)
        except NegotiationFailed as error:
            if self._host is not None:
                self._host.negotiation_failed(self, str(error))
            return
        if self._host is not None:
            self._host.answered(self, offer_id, answer.sdp, answer.mime_types)
