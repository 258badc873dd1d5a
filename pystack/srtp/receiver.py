"""Authenticates, decrypts and deduplicates incoming SRTP and SRTCP. The session calls it per packet; it never raises.

Order matters: the index is estimated, the packet must prove authentic under it, and only then is any state made or
moved. So forged packets cost one failed check each, and leave nothing but a count.
"""

from __future__ import annotations

from struct import Struct

from pystack.srtp.cipher import PacketCipher, make_cipher
from pystack.srtp.index import estimate
from pystack.srtp.keys import check_lengths, derive_rtcp, derive_rtp
from pystack.srtp.profiles import profile as look_up
from pystack.srtp.replay import FRESH, OLD, OpeningWindow, ReplayWindow
from pystack.srtp.streams import StreamWindows

__all__ = ["SrtpReceiver"]

_NUMBERS = Struct("!BxH4xL").unpack_from
_RTCP = Struct("!BxxxL").unpack_from
_WORD = Struct("!L").unpack_from
_ENCRYPTED = 0x80000000


class SrtpReceiver:
    """Turns SRTP and SRTCP packets back into RTP and RTCP.

    Args:
        profile: the ``use_srtp`` code point that DTLS negotiated.
        key: the peer's master key.
        salt: the peer's master salt.
        replay_window: how many packets behind the newest of an SSRC are still told apart; at least 64.
        max_streams: how many SSRCs are remembered; the least recently used go first.

    Raises:
        InvalidArgument: the profile is unknown, or a length does not fit it.

    Attributes:
        profile: what the code point means.
        drops: packets dropped so far, by reason: ``short``, ``malformed``, ``auth`` (not authentic), ``replay``
            (authentic, and seen before), ``old`` (authentic or not, below the window), ``unencrypted`` (SRTCP
            without its E bit).
        replayed: plain text of the packet that the last :meth:`unprotect` dropped as an authentic replay, else
            ``None``. Clients probe bandwidth with old packets, so congestion feedback must see them.
    """

    __slots__ = (
        "_master",
        "_minimum",
        "_rtcp",
        "_rtcp_streams",
        "_rtp",
        "_streams",
        "_tag",
        "_window",
        "drops",
        "profile",
        "replayed",
    )

    def __init__(
        self, profile: int, key: bytes, salt: bytes, replay_window: int = 1024, max_streams: int = 1024
    ) -> None:
        self.profile = look_up(profile)
        check_lengths(self.profile, key, salt)
        self._master = key, salt
        # Made when media comes: most connections of data channels never have any.
        self._rtp: PacketCipher | None = None
        self._rtcp: PacketCipher | None = None
        self._tag = self.profile.tag_length
        self._minimum = 12 + self._tag
        self._window = max(64, replay_window)
        self._streams: StreamWindows[OpeningWindow] = StreamWindows(max_streams)
        self._rtcp_streams: StreamWindows[ReplayWindow] = StreamWindows(max_streams)
        self.drops = {"short": 0, "malformed": 0, "auth": 0, "replay": 0, "old": 0, "unencrypted": 0}
        self.replayed: bytes | None = None

    @property
    def last_was_replay(self) -> bool:
        """Whether the last :meth:`unprotect` dropped an authentic replay; see :attr:`replayed`."""
        return self.replayed is not None

    @property
    def stream_count(self) -> int:
        """How many SSRCs of SRTP are remembered."""
        return len(self._streams)

    def unprotect(self, packet: bytes) -> bytes | None:
        """Return the plain RTP packet; ``None`` if it was dropped, and counted in :attr:`drops`. Hot."""
        self.replayed = None
        size = len(packet)
        if size < self._minimum:
            self.drops["short"] += 1
            return None
        first, sequence_number, ssrc = _NUMBERS(packet)
        if first == 0x80:
            header = 12
        else:
            header = 12 + 4 * (first & 0x0F)
            if first & 0x10 and size >= header + 4:
                header += 4 + 4 * (packet[header + 2] << 8 | packet[header + 3])
            if first >> 6 != 2 or header + self._tag > size:
                self.drops["malformed"] += 1
                return None
        window = self._streams.young.get(ssrc) or self._streams.find(ssrc)
        if window is None:
            return self._unprotect_first(packet, header, ssrc, sequence_number)
        if sequence_number == window.following:
            plain = window.open(packet, header, sequence_number)
            if plain is None:
                self.drops["auth"] += 1
                return None
            window.following = sequence_number + 1
            return plain
        index = estimate(window.highest, sequence_number)
        if index < 0:
            self.drops["old"] += 1
            return None
        plain = window.open_at(packet, header, index)
        if plain is None:
            self.drops["auth"] += 1
            return None
        verdict = window.admit(index)
        if verdict == FRESH:
            return plain
        self.drops["old" if verdict == OLD else "replay"] += 1
        self.replayed = plain
        return None

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """Return the plain RTCP compound packet; ``None`` if it was dropped, and counted in :attr:`drops`."""
        size = len(packet)
        if size < self._minimum:
            self.drops["short"] += 1
            return None
        first, ssrc = _RTCP(packet)
        if first >> 6 != 2:
            self.drops["malformed"] += 1
            return None
        (word,) = _WORD(packet, size - 4 if self.profile.aead else size - 4 - self._tag)
        if not word & _ENCRYPTED:
            self.drops["unencrypted"] += 1
            return None
        index = word ^ _ENCRYPTED
        if self._rtcp is None:
            self._rtcp = make_cipher(self.profile, derive_rtcp(self.profile, *self._master))
        plain = self._rtcp.open_rtcp(packet, ssrc, index)
        if plain is None:
            self.drops["auth"] += 1
            return None
        window = self._rtcp_streams.find(ssrc)
        if window is None:
            window = ReplayWindow(self._window, index)
            self._rtcp_streams.add(ssrc, window)
        verdict = window.admit(index)
        if verdict == FRESH:
            return plain
        self.drops["old" if verdict == OLD else "replay"] += 1
        return None

    def _unprotect_first(self, packet: bytes, header: int, ssrc: int, sequence_number: int) -> bytes | None:
        """Open a packet of an SSRC that is new to us: its roll-over counter is 0.

        Or 1, when the sender began just below the wrap and its first packets were lost; RFC 3711 would lose the
        stream for good.
        """
        if self._rtp is None:
            self._rtp = make_cipher(self.profile, derive_rtp(self.profile, *self._master))
        indices = (sequence_number, sequence_number + 0x10000) if sequence_number < 0x8000 else (sequence_number,)
        for index in indices:
            plain = self._rtp.open(packet, header, ssrc, index)
            if plain is not None:
                window = OpeningWindow(self._window, index, self._rtp, ssrc)
                window.admit(index)
                self._streams.add(ssrc, window)
                return plain
        self.drops["auth"] += 1
        return None
