"""Protects outgoing RTP and RTCP. One per direction of one DTLS-SRTP association; the session calls it per packet."""

from __future__ import annotations

from struct import Struct

from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.srtp.cipher import PacketCipher, make_cipher
from pystack.srtp.hot import Sealer
from pystack.srtp.index import estimate, header_length
from pystack.srtp.keys import check_lengths, derive_rtcp, derive_rtp
from pystack.srtp.profiles import profile as look_up

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

    __slots__ = ("_master", "_rtcp", "_rtcp_index", "_rtp", "_streams", "profile")

    def __init__(self, profile: int, key: bytes, salt: bytes) -> None:
        self.profile = look_up(profile)
        check_lengths(self.profile, key, salt)
        self._master = key, salt
        # Made when there is media: most connections of data channels never have any.
        self._rtp: PacketCipher | None = None
        self._rtcp: PacketCipher | None = None
        self._streams: dict[int, _Stream] = {}
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

    def roll_over(self, ssrc: int) -> int:
        """How often the sequence number of ``ssrc`` has wrapped; 0 for an SSRC that was never sent."""
        stream = self._streams.get(ssrc)
        return 0 if stream is None else stream.highest >> 16

    def index_of(self, ssrc: int, sequence_number: int) -> int:
        """The 48-bit index that a packet of ``ssrc`` would get now; the plain twin of what the hot path does."""
        stream = self._streams.get(ssrc)
        return sequence_number if stream is None else estimate(stream.highest, sequence_number)

    def _start(self, ssrc: int, sequence_number: int) -> _Stream:
        """The first packet of an SSRC: its index is its number."""
        if self._rtp is None:
            self._rtp = make_cipher(self.profile, derive_rtp(self.profile, *self._master))
        stream = self._streams[ssrc] = _Stream(self._rtp, ssrc, sequence_number)
        return stream


class _Stream:
    """One SSRC that we send: where it is, and the function that seals its packets until the number wraps.

    Attributes:
        following: the number of the next packet while the roll-over counter stays; 65,536 when it will not.
        seal: seals packets under the roll-over counter of now.
    """

    __slots__ = ("_cipher", "_roll_over", "_ssrc", "following", "seal")

    def __init__(self, cipher: PacketCipher, ssrc: int, first: int) -> None:
        self._cipher = cipher
        self._ssrc = ssrc
        self._roll_over = 0
        self.following = first
        self.seal: Sealer = cipher.sealer(ssrc, 0)

    @property
    def highest(self) -> int:
        """The highest index so far."""
        return (self._roll_over << 16) + self.following - 1

    def place(self, header: bytes, payload: bytes, sequence_number: int) -> bytes:
        """Seal a packet that is not the next one, or whose number wraps."""
        highest = self.highest
        index = estimate(highest, sequence_number)
        if index < 0:
            raise LocalProtocolError("protect a packet from before the first", "started")
        if index > highest:
            self.following = sequence_number + 1
            if index >> 16 != self._roll_over:
                self._roll_over = index >> 16
                self.seal = self._cipher.sealer(self._ssrc, self._roll_over)
        return self._cipher.seal(header, payload, self._ssrc, index)
