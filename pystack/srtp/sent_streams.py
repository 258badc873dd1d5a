"""What was sent under each SSRC, for as long as the keys live: one nonce, one packet, so no index is ever forgotten.

A stream that is sent now has a function that seals its packets; one that is idle is its highest index alone. Two
generations tell them apart, as in :mod:`pystack.srtp.streams`: the young one takes what is new or in use again; when it
is half the bound it becomes the old one, and what stayed in the old one until then shrinks to an integer. So it costs
nothing per packet. Called by the sender.
"""

from __future__ import annotations

from typing import Final

from pystack.errors import LocalProtocolError
from pystack.srtp.cipher import PacketCipher
from pystack.srtp.hot import Sealer
from pystack.srtp.index import estimate

__all__ = ["MAX_SEALERS", "SentStream", "SentStreams"]

MAX_SEALERS: Final = 128
"""Functions that seal, at most; more streams than these at once are sent too, but make theirs again and again."""


class SentStream:
    """One SSRC that we send: where it is, and the function that seals its packets until the number wraps.

    Args:
        cipher: what seals.
        ssrc: the SSRC.
        roll_over: its roll-over counter.
        following: as below.

    Attributes:
        following: the number of the next packet while the roll-over counter stays; 65,536 when it will not.
        seal: seals packets under the roll-over counter of now.
    """

    __slots__ = ("_cipher", "_roll_over", "_ssrc", "following", "seal")

    def __init__(self, cipher: PacketCipher, ssrc: int, roll_over: int, following: int) -> None:
        self._cipher = cipher
        self._ssrc = ssrc
        self._roll_over = roll_over
        self.following = following
        self.seal: Sealer = cipher.sealer(ssrc, roll_over)

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


class SentStreams:
    """All SSRCs that were ever sent under one set of keys.

    Args:
        limit: how many have their sealing function.

    Attributes:
        young: the generation that the hot path looks into directly; always the same object.
    """

    __slots__ = ("_half", "_idle", "_old", "young")

    def __init__(self, limit: int = MAX_SEALERS) -> None:
        self._half = max(1, limit // 2)
        self.young: dict[int, SentStream] = {}
        self._old: dict[int, SentStream] = {}
        self._idle: dict[int, int] = {}

    @property
    def sealers(self) -> int:
        """How many have their sealing function now."""
        return len(self.young) + len(self._old)

    def start(self, ssrc: int, sequence_number: int, cipher: PacketCipher) -> SentStream:
        """An SSRC that is not young is sent; the index of its very first packet is the number of that."""
        stream = self._old.pop(ssrc, None)
        if stream is None:
            highest = self._idle.pop(ssrc, None)
            if highest is None:
                stream = SentStream(cipher, ssrc, 0, sequence_number)
            else:
                stream = SentStream(cipher, ssrc, highest >> 16, (highest & 0xFFFF) + 1)
        if len(self.young) >= self._half:
            for idle, each in self._old.items():
                self._idle[idle] = each.highest
            self._old = dict(self.young)
            self.young.clear()
        self.young[ssrc] = stream
        return stream

    def highest(self, ssrc: int) -> int | None:
        """The highest index that was sent under ``ssrc``; ``None`` if none was."""
        stream = self.young.get(ssrc) or self._old.get(ssrc)
        return self._idle.get(ssrc) if stream is None else stream.highest
