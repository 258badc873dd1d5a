"""Protects outgoing RTP and RTCP. One per direction of one DTLS-SRTP association; the session calls it per packet."""

from __future__ import annotations

from struct import Struct

from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.srtp.cipher import PacketCipher, make_cipher
from pystack.srtp.index import estimate, header_length
from pystack.srtp.keys import check_lengths, derive_rtcp, derive_rtp
from pystack.srtp.profiles import profile as look_up
from pystack.srtp.sent_streams import SentStream, SentStreams

__all__ = ["SrtpSender"]

_NUMBERS = Struct("!BxH4xL").unpack_from
_SSRC = Struct("!4xL").unpack_from
_LAST_RTCP_INDEX = 0x7FFFFFFF


class SrtpSender:
    """Turns plain RTP and RTCP packets into SRTP and SRTCP.

    A packet that is sent again under the same SSRC and sequence number must be sent again byte for byte: the same
    nonce must never authenticate two different packets (RFC 7714 section 8.4). :mod:`pystack.rtp` keeps it so.

    Args:
        profile: the ``use_srtp`` code point that DTLS negotiated.
        key: our master key.
        salt: our master salt.

    Raises:
        InvalidArgument: the profile is unknown, or a length does not fit it.

    Attributes:
        profile: what the code point means.
    """

    __slots__ = ("_master", "_rtcp", "_rtcp_index", "_rtp", "_sent", "_streams", "profile")

    def __init__(self, profile: int, key: bytes, salt: bytes) -> None:
        self.profile = look_up(profile)
        check_lengths(self.profile, key, salt)
        self._master = key, salt
        # Made when there is media: most connections of data channels never have any.
        self._rtp: PacketCipher | None = None
        self._rtcp: PacketCipher | None = None
        self._sent = SentStreams()
        self._streams = self._sent.young
        # One counter for all SSRCs of ours: (SSRC, index) stays unique, and the receiver reads it from the packet.
        self._rtcp_index = 0

    def protect_parts(self, header: bytes, payload: bytes, ssrc: int, sequence_number: int) -> bytes:
        """Protect a packet whose header was just built, without parsing it again. Hot.

        Args:
            header: everything in clear: fixed header, CSRCs, extension.
            payload: everything after it, RTP padding included.
            ssrc: as in ``header``.
            sequence_number: as in ``header``.

        Raises:
            LocalProtocolError: the packet lies before the first one of its SSRC, where no index exists.
        """
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._start(ssrc, sequence_number)
        if sequence_number == stream.following:
            stream.following = sequence_number + 1
            return stream.seal(header, payload, sequence_number)
        return stream.place(header, payload, sequence_number)

    def protect(self, packet: bytes) -> bytes:
        """Protect one RTP packet. Hot.

        Raises:
            InvalidArgument: it is not an RTP packet.
            LocalProtocolError: it lies before the first one of its SSRC.
        """
        # The commonest headers are measured here; all others, and what is none, by the plain twin.
        if len(packet) < 12:
            raise InvalidArgument("not an RTP packet")
        first, sequence_number, ssrc = _NUMBERS(packet)
        length = 12 if first == 0x80 else header_length(packet)
        if length < 0:
            raise InvalidArgument("not an RTP packet")
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._start(ssrc, sequence_number)
        if sequence_number == stream.following:
            stream.following = sequence_number + 1
            return stream.seal(packet[:length], packet[length:], sequence_number)
        return stream.place(packet[:length], packet[length:], sequence_number)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect one RTCP compound packet.

        Raises:
            InvalidArgument: it is shorter than an RTCP header with its SSRC.
            LocalProtocolError: 2**31 packets were sent under these keys (RFC 3711 section 9.2).
        """
        if len(packet) < 8:
            raise InvalidArgument("not an RTCP packet")
        index = self._rtcp_index
        if index > _LAST_RTCP_INDEX:
            raise LocalProtocolError("protect more RTCP", "keys used up")
        self._rtcp_index = index + 1
        (ssrc,) = _SSRC(packet)
        if self._rtcp is None:
            self._rtcp = make_cipher(self.profile, derive_rtcp(self.profile, *self._master))
        return self._rtcp.seal_rtcp(packet, ssrc, index)

    @property
    def sealer_count(self) -> int:
        """How many SSRCs have the function that seals their packets; of the others that were sent a number is left."""
        return self._sent.sealers

    def roll_over(self, ssrc: int) -> int:
        """How often the sequence number of ``ssrc`` has wrapped; 0 for an SSRC that was never sent."""
        highest = self._sent.highest(ssrc)
        return 0 if highest is None else highest >> 16

    def index_of(self, ssrc: int, sequence_number: int) -> int:
        """The 48-bit index that a packet of ``ssrc`` would get now; the plain twin of what the hot path does."""
        highest = self._sent.highest(ssrc)
        return sequence_number if highest is None else estimate(highest, sequence_number)

    def _start(self, ssrc: int, sequence_number: int) -> SentStream:
        """An SSRC is new, or was idle for long."""
        if self._rtp is None:
            self._rtp = make_cipher(self.profile, derive_rtp(self.profile, *self._master))
        return self._sent.start(ssrc, sequence_number, self._rtp)
