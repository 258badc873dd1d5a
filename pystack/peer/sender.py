"""Where packets go out to the peer (W3C ``RTCRtpSender``, at the level of packets).

``write`` is synchronous: it is the last link of a forwarder's chain, from one socket to another. Sequence numbers,
timestamps and payload types are the caller's; SSRC, the header extensions of this hop, reports, history and
retransmissions are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pystack.errors import Closed, DecodeError, InvalidArgument, LocalProtocolError, Reason
from pystack.peer.outward import call_out
from pystack.peer.rtcp import RtcpPort
from pystack.rtp import CodecSpec, RtpPacket

if TYPE_CHECKING:
    from pystack.aio import Driver
    from pystack.session import Session

__all__ = ["RtpSender", "check_names"]


def check_names(track_id: str, stream_ids: Sequence[str]) -> None:
    """See that names of a track can stand in a description.

    Raises:
        InvalidArgument: one cannot.
    """
    for what, name in [("track id", track_id)] * bool(track_id) + [("stream id", each) for each in stream_ids]:
        if not name or not name.isprintable() or any(letter.isspace() for letter in name):
            raise InvalidArgument(
                f"{what} {name[:40]!r} is empty or has a space or a control character; take a UUID, say"
            )


class RtpSender:
    """The sending half of a transceiver.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        ssrc: the SSRC of what is sent. ``rtx_ssrc``: that of its retransmissions.
        track_id, stream_ids: our names for the track and its streams; see :meth:`set_track`.
        codecs: what was agreed, with the payload types to write, in order of preference; empty before.
        on_key_frame_request: called when the peer asks for a key frame.
        sending: whether the peer agreed that we send here.
        dropped: packets refused because nothing was agreed yet, or the keys are not there.
        rtcp: what the peer says of this stream by RTCP, and how to add to what is said to it.
    """

    def __init__(
        self, session: Session, driver: Driver, key: int, kind: str, draw_ssrc: Callable[[], int], inbox_rtcp: int
    ) -> None:
        self.kind = kind
        self._draw_ssrc = draw_ssrc
        self.ssrc = draw_ssrc()
        self.rtx_ssrc = draw_ssrc()
        self.track_id = ""
        self._last_track = ""
        self.stream_ids: tuple[str, ...] = ()
        self.codecs: tuple[CodecSpec, ...] = ()
        self.on_key_frame_request: Callable[[], None] | None = None
        self.sending = False
        self.dropped = 0
        self._session = session
        self._driver = driver
        self._key = key
        self._ended: Reason | None = None
        self.rtcp = RtcpPort(session, driver, f"{kind} sender", inbox_rtcp)

    def set_track(self, track_id: str, stream_ids: Sequence[str] = ()) -> None:
        """Name what is sent, for the next description (``a=msid``, RFC 8830).

        Another track on a section that was used before gets SSRCs of its own: a browser takes an SSRC that it knows for
        the old track, decodes it and shows nothing.

        Args:
            track_id: an identifier without spaces, such as a UUID; ``""`` for none.
            stream_ids: identifiers likewise.

        Raises:
            InvalidArgument: a name that cannot stand in a description.
        """
        check_names(track_id, stream_ids)
        if track_id:
            if self._last_track not in {"", track_id}:
                self.ssrc = self._draw_ssrc()
                self.rtx_ssrc = self._draw_ssrc()
            self._last_track = track_id
        self.track_id = track_id
        self.stream_ids = tuple(stream_ids)

    def write(
        self,
        packet: RtpPacket,
        *,
        payload_type: int | None = None,
        sequence_number: int | None = None,
        timestamp: int | None = None,
    ) -> bool:
        """Send one packet. Hot.

        The overrides spare a forwarder a packet object for each of its subscribers; ``packet`` is not changed. Header
        extensions of a packet that was received are translated to the ids agreed here, by URI.

        Args:
            packet: what to send.
            payload_type: instead of the packet's.
            sequence_number: instead of the packet's, 16 bits.
            timestamp: instead of the packet's, 32 bits.

        Returns:
            Whether it was taken; a refused packet is counted in :attr:`dropped`.

        Raises:
            Closed: the connection ended.
        """
        if not self.sending:
            if self._ended is not None:
                raise Closed.because(f"{self.kind} sender", self._ended)
            self.dropped += 1
            return False
        driver = self._driver
        if not self._session.send_rtp(self._key, packet, driver.now(), payload_type, sequence_number, timestamp):
            self.dropped += 1
            return False
        driver.soon()
        return True

    def write_raw(self, data: bytes) -> bool:
        """Send one packet given as it would be on the wire; see :meth:`write`, whose rules are the same.

        Header extensions in it carry the ids that were agreed for this sender.

        Raises:
            InvalidArgument: the bytes are not RTP.
            Closed: the connection ended.
        """
        try:
            packet = RtpPacket.parse(data)
        except DecodeError as error:
            raise InvalidArgument(f"cannot be sent as RTP: {error}") from None
        return self.write(packet)

    def require_codec(self, name: str) -> CodecSpec:
        """Return the agreed codec of this name.

        Raises:
            LocalProtocolError: it was not agreed; the message lists what was.
        """
        for codec in self.codecs:
            if codec.name.lower() == name.lower():
                return codec
        agreed = ", ".join(codec.name for codec in self.codecs) or "nothing yet"
        raise LocalProtocolError(
            "send " + name, "negotiated", f"{name} was not agreed for this sender; agreed: {agreed}"
        )

    # ---- what the connection tells it

    def handle_key_frame_request(self) -> None:
        """The peer wants a key frame."""
        if self.on_key_frame_request is not None:
            call_out(self.on_key_frame_request)

    def handle_end(self, reason: Reason) -> None:
        """The connection ended."""
        if self._ended is None:
            self._ended = reason
            self._draw_ssrc = int  # no more of them, and no hold on who gives them
            self.sending = False
            self.rtcp.handle_end(reason)
            self.on_key_frame_request = None
