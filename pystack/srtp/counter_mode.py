"""AES-128 in counter mode with HMAC-SHA1-80 (RFC 3711 sections 4.1.1 and 4.2.1): encrypt, then authenticate.

Hot: the counter-mode context is reset to a packet's start by ``reset_nonce`` instead of made anew, and each tag starts
from a copy of one keyed HMAC.
"""

from __future__ import annotations

from hmac import compare_digest
from struct import Struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC

from pystack.srtp.hot import Opener, Sealer

__all__ = ["CounterModeCipher"]

_TAG = 10
_ENCRYPTED = 0x80000000
_COUNTER = Struct("!12sHxx").pack
"""The first counter block of a packet: what its SSRC and roll-over counter make of the salt, then the number."""


class CounterModeCipher:
    """A :class:`pystack.srtp.cipher.PacketCipher` for ``SRTP_AES128_CM_HMAC_SHA1_80``."""

    __slots__ = ("_keyed", "_reset", "_salt", "_update")

    def __init__(self, key: bytes, authentication: bytes, salt: bytes) -> None:
        # Counter mode encrypts and decrypts alike, so one context serves both.
        context = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        self._reset = context.reset_nonce
        self._update = context.update
        self._salt = int.from_bytes(salt, "big") << 16
        self._keyed = HMAC(authentication, SHA1()).copy

    def seal(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        """Protect an RTP packet; the tag covers header, ciphertext and the roll-over counter."""
        self._reset((self._salt ^ (ssrc << 64 | index << 16)).to_bytes(16, "big"))
        packet = header + self._update(payload)
        return packet + self._tag(packet + (index >> 16).to_bytes(4, "big"))

    def open(self, packet: bytes, header_length: int, ssrc: int, index: int) -> bytes | None:
        """Authenticate and decrypt an SRTP packet; ``None`` if it is not authentic."""
        covered = packet[:-_TAG]
        if not compare_digest(self._tag(covered + (index >> 16).to_bytes(4, "big")), packet[-_TAG:]):
            return None
        self._reset((self._salt ^ (ssrc << 64 | index << 16)).to_bytes(16, "big"))
        return packet[:header_length] + self._update(covered[header_length:])

    def sealer(self, ssrc: int, roll_over: int) -> Sealer:
        """Make the function that seals the packets of one SSRC under one roll-over counter."""
        reset, update, keyed, counter, join = self._reset, self._update, self._keyed, _COUNTER, b"".join
        start, low, end = self._fixed(ssrc, roll_over)

        def seal(header: bytes, payload: bytes, sequence_number: int) -> bytes:
            reset(counter(start, sequence_number ^ low))
            encrypted = update(payload)
            tag = keyed()
            tag.update(join((header, encrypted, end)))
            return join((header, encrypted, tag.finalize()[:10]))

        return seal

    def opener(self, ssrc: int, roll_over: int) -> Opener:
        """Make the function that opens the packets of one SSRC under one roll-over counter."""
        reset, update, keyed, counter, equal = self._reset, self._update, self._keyed, _COUNTER, compare_digest
        start, low, end = self._fixed(ssrc, roll_over)

        def open_(packet: bytes, header_length: int, sequence_number: int) -> bytes | None:
            tag = keyed()
            tag.update(packet[:-10] + end)
            if not equal(tag.finalize()[:10], packet[-10:]):
                return None
            reset(counter(start, sequence_number ^ low))
            return packet[:header_length] + update(packet[header_length:-10])

        return open_

    def seal_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Protect an RTCP compound packet; the tag covers everything up to and with the index word (section 3.4)."""
        self._reset((self._salt ^ (ssrc << 64 | index << 16)).to_bytes(16, "big"))
        covered = b"".join((packet[:8], self._update(packet[8:]), (index | _ENCRYPTED).to_bytes(4, "big")))
        return covered + self._tag(covered)

    def open_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes | None:
        """Authenticate and decrypt an SRTCP packet; ``None`` if it is not authentic."""
        covered = packet[:-_TAG]
        if not compare_digest(self._tag(covered), packet[-_TAG:]):
            return None
        self._reset((self._salt ^ (ssrc << 64 | index << 16)).to_bytes(16, "big"))
        return packet[:8] + self._update(covered[8:-4])

    def _tag(self, covered: bytes) -> bytes:
        tag = self._keyed()
        tag.update(covered)
        return tag.finalize()[:_TAG]

    def _fixed(self, ssrc: int, roll_over: int) -> tuple[bytes, int, bytes]:
        """What stays from packet to packet.

        The 96 bits of the first counter block that the sequence number does not touch, what it is XORed with, and
        the end of what the tag covers.
        """
        start = (self._salt ^ (ssrc << 64 | roll_over << 32)) >> 32
        return start.to_bytes(12, "big"), self._salt >> 16 & 0xFFFF, roll_over.to_bytes(4, "big")
