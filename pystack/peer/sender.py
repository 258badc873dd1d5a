"""Where packets go out to the peer (W3C ``RTCRtpSender``, at the level of packets).

``write`` is synchronous: it is the last link of a forwarder's chain, from one socket to another. Sequence numbers,
timestamps and payload types are the caller's; SSRC, the header extensions of this hop, reports, history and
retransmissions are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from pystack.errors import Closed, DecodeError, InvalidArgument, LocalProtocolError, Reason
from pystack.peer.arguments import check_callback, check_names
from pystack.peer.outward import call_out
from pystack.peer.rtcp import RtcpPort
from pystack.rtp import CodecSpec, ReportWindow, RtpPacket

if TYPE_CHECKING:
    from pystack.aio import Driver
    from pystack.session import Session

__all__ = ["RtpSender"]

_START_A_TASK: Final = "start a task in a plain function"


class RtpSender:
    """The sending half of a transceiver.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        ssrc: the SSRC of what is sent. ``rtx_ssrc``: that of its retransmissions.
        track_id, stream_ids: our names for the track and its streams; see :meth:`set_track`.
        codecs: what was agreed, with the payload types to write, in order of preference; empty before.
        encodings: the simulcast layers to send, by rid: those that ``add_transceiver`` was given or, without any, those
            that the peer's first offer asks for; empty without simulcast.
        rids: those of them that the peer agreed to take; with none of them, the first layer is sent as the only one.
        sending: whether the peer agreed that we send here.
        dropped: packets refused because nothing was agreed yet, or the keys are not there.
        rtcp: what the peer says of this stream by RTCP, and how to add to what is said to it.
    """

    def __init__(
        self,
        session: Session,
        driver: Driver,
        key: int,
        kind: str,
        draw_ssrc: Callable[[], int],
        on_rename: Callable[[], None],
        inbox_rtcp: int,
        encodings: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.rids: tuple[str, ...] = ()
        self.codecs: tuple[CodecSpec, ...] = ()
        self._key = key
        self._draw_ssrc = draw_ssrc
        self._on_rename: Callable[[], None] = on_rename
        self._set_encodings(encodings)
        self._adopted = False
        self._draw()
        self.track_id = ""
        self._last_track = ""
        self.stream_ids: tuple[str, ...] = ()
        self._on_key_frame_request: Callable[[], None] | None = None
        self._on_layer_key_frame_request: Callable[[str], None] | None = None
        self.sending = False
        self.dropped = 0
        self._session = session
        self._driver = driver
        self._ended: Reason | None = None
        self.rtcp = RtcpPort(session, driver, f"{kind} sender", inbox_rtcp)

    @property
    def on_key_frame_request(self) -> Callable[[], None] | None:
        """Called when the peer asks for a key frame.

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``, which nobody would await.
        """
        return self._on_key_frame_request

    @on_key_frame_request.setter
    def on_key_frame_request(self, callback: Callable[[], None] | None) -> None:
        check_callback("on_key_frame_request", callback, _START_A_TASK)
        self._on_key_frame_request = callback

    @property
    def on_layer_key_frame_request(self) -> Callable[[str], None] | None:
        """Called instead, with the rid, when it is set (``""`` without simulcast).

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``.
        """
        return self._on_layer_key_frame_request

    @on_layer_key_frame_request.setter
    def on_layer_key_frame_request(self, callback: Callable[[str], None] | None) -> None:
        check_callback("on_layer_key_frame_request", callback, _START_A_TASK)
        self._on_layer_key_frame_request = callback

    def set_track(self, track_id: str, stream_ids: Sequence[str] = ()) -> None:
        """Name what is sent, for the next description (``a=msid``, RFC 8830), and ask for a negotiation if need be.

        Another track on a section that was used before gets SSRCs of its own, and so does one that comes back after the
        section was inactive: a browser takes an SSRC that it knows for the old track, decodes it and shows nothing.

        Args:
            track_id: an identifier without spaces, such as a UUID; ``""`` for none.
            stream_ids: identifiers likewise.

        Raises:
            InvalidArgument: a name that cannot stand in a description.
        """
        check_names(track_id, stream_ids)
        if track_id:
            if self._last_track not in {"", track_id}:
                self._draw()
            self._last_track = track_id
        self.track_id = track_id
        self.stream_ids = tuple(stream_ids)
        self._on_rename()

    def write(
        self,
        packet: RtpPacket,
        *,
        payload_type: int | None = None,
        sequence_number: int | None = None,
        timestamp: int | None = None,
        rid: str = "",
    ) -> bool:
        """Send one packet. Hot.

        The overrides spare a forwarder a packet object for each of its subscribers; ``packet`` is not changed. Header
        extensions of a packet that was received are translated to the ids agreed here, by URI.

        Args:
            packet: what to send.
            payload_type: instead of the packet's.
            sequence_number: instead of the packet's, 16 bits.
            timestamp: instead of the packet's, 32 bits.
            rid: the simulcast layer that it belongs to; each has an SSRC and numbers of its own. By default the first.

        Returns:
            Whether it was taken. A refused packet is counted in :attr:`dropped`: one of a layer or a payload type that
            was not agreed; one whose number was sent before, lies before the first, or 32768 and more ahead; one that
            was received and, with the extensions of this hop, fits into no datagram any more.

        Raises:
            InvalidArgument: no packet, a field of it that cannot stand in one, or a payload for which no UDP datagram
                is large enough (65,491 bytes with the header). Nothing was used up: the number may be sent again.
            Closed: the connection ended.
        """
        if not self.sending:
            if self._ended is not None:
                raise Closed.because(f"{self.kind} sender", self._ended)
            self.dropped += 1
            return False
        driver = self._driver
        key = self._layer_of(rid) if rid or self.rids else self._key
        if key is None or not self._session.send_rtp(
            key, packet, driver.now(), payload_type, sequence_number, timestamp
        ):
            self.dropped += 1
            return False
        driver.soon()
        return True

    def pad(self, size: int) -> int:
        """Send about ``size`` bytes that hold nothing new, to learn whether the path takes them. Hot.

        What was sent lately is sent again, as retransmissions that nobody asked for.

        Returns:
            How many bytes went: 0 for audio, before the first report of the peer, and where no retransmissions were
            agreed. A call sends 64 packets at most.
        """
        if not self.sending:
            return 0
        sent = self._session.pad(self.ids[0], size, self._driver.now())
        self._driver.soon()
        return sent

    def write_raw(self, data: bytes, *, rid: str = "") -> bool:
        """Send one packet given as it would be on the wire; see :meth:`write`, whose rules are the same.

        Header extensions in it carry the ids that were agreed for this sender.

        Raises:
            InvalidArgument: the bytes are not RTP.
            Closed: the connection ended.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidArgument(f"data is the bytes of an RTP packet, not {type(data).__name__}")
        if data.__class__ is not bytes:
            data = bytes(data)  # it may change
        try:
            packet = RtpPacket.parse(data)
        except DecodeError as error:
            raise InvalidArgument(f"cannot be sent as RTP: {error}") from None
        return self.write(packet, rid=rid)

    def require_codec(self, name: str) -> CodecSpec:
        """Return the agreed codec of this name.

        Raises:
            InvalidArgument: the name is no text.
            LocalProtocolError: it was not agreed; the message lists what was.
        """
        if not isinstance(name, str):
            raise InvalidArgument(f"name is that of a codec, such as 'VP8', not {name!r:.80}")
        for codec in self.codecs:
            if codec.name.lower() == name.lower():
                return codec
        agreed = ", ".join(codec.name for codec in self.codecs) or "nothing yet"
        raise LocalProtocolError(
            "send " + name, "negotiated", f"{name} was not agreed for this sender; agreed: {agreed}"
        )

    def report_window(self, rid: str = "", observer: str = "") -> ReportWindow | None:
        """What the peer reported of one layer since ``observer`` asked last; ``None`` at its first question.

        Each observer has windows of its own, so one that asks every second and one that asks every minute do not
        disturb each other. The jitter in it is in timestamp units.
        """
        key = self._layer_of(rid) if rid or self.rids else self._key
        if key is None or not self.sending or self._ended is not None:
            return None
        return self._session.rtp.report_window(key, observer)

    # ---- what the connection tells it, and asks

    @property
    def ended(self) -> bool:
        """Whether its transceiver was stopped, or the connection ended."""
        return self._ended is not None

    @property
    def ids(self) -> tuple[int, ...]:
        """The RTP session's numbers for what this sends: the transceiver's own, and one for each further layer."""
        return tuple(self._layer_ids.values()) or (self._key,)

    def ssrcs_of(self, sender_id: int) -> tuple[int, int]:
        """The SSRC of a layer and that of its retransmissions."""
        return self._ssrcs[sender_id >> 32]

    @property
    def all_ssrcs(self) -> tuple[int, ...]:
        """Those of all layers."""
        return tuple(ssrc for pair in self._ssrcs for ssrc in pair)

    def set_sending(self, sending: bool) -> None:
        """The peer agreed that we send here, or that we do not any more.

        What stops says BYE, and an SSRC that said so is gone (RFC 3550 6.6): browsers play nothing that comes back
        under it. So whatever is sent here later, even the same track, has SSRCs of its own.
        """
        if self.sending and not sending:
            self._draw()
        self.sending = sending

    def adopt_layers(self, rids: Sequence[str]) -> None:
        """The peer's offer asks for these layers: send them, if nobody chose others before (W3C 4.4.1.5)."""
        if rids and not self.encodings and not self.codecs:
            self._adopted = True
            self._set_encodings(tuple(rids))
            self._draw()

    def forget_layers(self) -> None:
        """That offer was rolled back."""
        if self._adopted and not self.codecs:
            self._adopted = False
            self._set_encodings(())
            self._draw()

    def _set_encodings(self, rids: tuple[str, ...]) -> None:
        self.encodings = rids
        self._layer_ids = {rid: self._key + (index << 32) for index, rid in enumerate(rids)}

    def _draw(self) -> None:
        self._ssrcs = [(self._draw_ssrc(), self._draw_ssrc()) for _ in range(max(1, len(self.encodings)))]
        self.ssrc, self.rtx_ssrc = self._ssrcs[0]

    def _layer_of(self, rid: str) -> int | None:
        """The number of a layer that may be sent; ``None`` for one that may not."""
        if self.rids:
            rid = rid or self.rids[0]
            return self._layer_ids[rid] if rid in self.rids else None
        return self._key if rid in self.encodings[:1] else None

    def handle_key_frame_request(self, sender_id: int = 0) -> None:
        """The peer wants a key frame, of one layer if there are any."""
        if self._on_layer_key_frame_request is not None:
            call_out(self._on_layer_key_frame_request, self.encodings[sender_id >> 32] if self.rids else "")
        elif self._on_key_frame_request is not None:
            call_out(self._on_key_frame_request)

    def handle_end(self, reason: Reason) -> None:
        """The connection ended."""
        if self._ended is None:
            self._ended = reason
            self._draw_ssrc = int  # no more of them, and no hold on who gives them
            self._on_rename = _nothing
            self.sending = False
            self.rtcp.handle_end(reason)
            self._on_key_frame_request = self._on_layer_key_frame_request = None


def _nothing() -> None:
    return
