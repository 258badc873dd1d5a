"""Protects outgoing RTP and RTCP. One per direction of one DTLS-SRTP association; the session calls it per packet."""

from __future__ import annotations

from struct import Struct

from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.srtp.cipher import make_cipher
from pystack.srtp.index import estimate, header_length
from pystack.srtp.keys import derive_rtcp, derive_rtp
from pystack.srtp.profiles import profile as look_up

__all__ = ["SrtpSender"]

_HEADER = Struct("!BBHLL").unpack_from
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

    __slots__ = ("_highest", "_rtcp", "_rtcp_index", "_seal", "profile")

    def __init__(self, profile: int, key: bytes, salt: bytes) -> None:
        self.profile = look_up(profile)
        self._seal = make_cipher(self.profile, derive_rtp(self.profile, key, salt)).seal
        self._rtcp = make_cipher(self.profile, derive_rtcp(self.profile, key, salt))
        self._highest: dict[int, int] = {}
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
        highest = self._highest.get(ssrc)
        if highest is None:
            index = self._highest[ssrc] = sequence_number
        else:
            index = highest + (((sequence_number - highest + 0x8000) & 0xFFFF) - 0x8000)
            if index > highest:
                self._highest[ssrc] = index
            elif index < 0:
                raise LocalProtocolError("protect a packet from before the first", "started")
        return self._seal(header, payload, ssrc, index)

    def protect(self, packet: bytes) -> bytes:
        """Protect one RTP packet. Hot.

        Raises:
            InvalidArgument: it is not an RTP packet.
            LocalProtocolError: it lies before the first one of its SSRC.
        """
        # The commonest headers are measured here; all others, and what is none, by the plain twin.
        size = len(packet)
        first = packet[0] if size >= 16 else 0
        if first == 0x80:
            length = 12
        elif first == 0x90:
            length = 16 + 4 * (packet[14] << 8 | packet[15])
        else:
            length = header_length(packet)
        if not 0 < length <= size:
            raise InvalidArgument("not an RTP packet")
        _, _, sequence_number, _, ssrc = _HEADER(packet)
        return self.protect_parts(packet[:length], packet[length:], ssrc, sequence_number)

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
        return self._rtcp.seal_rtcp(packet, ssrc, index)

    def roll_over(self, ssrc: int) -> int:
        """How often the sequence number of ``ssrc`` has wrapped; 0 for an SSRC that was never sent."""
        return self._highest.get(ssrc, 0) >> 16

    def index_of(self, ssrc: int, sequence_number: int) -> int:
        """The 48-bit index that a packet of ``ssrc`` would get now; the plain twin of what the hot path does."""
        highest = self._highest.get(ssrc)
        return sequence_number if highest is None else estimate(highest, sequence_number)
