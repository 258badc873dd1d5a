"""AES-128 in counter mode with HMAC-SHA1-80 (RFC 3711 sections 4.1.1 and 4.2.1): encrypt, then authenticate.

Hot: the counter-mode context is reset to a packet's start by ``reset_nonce`` instead of made anew, and HMAC continues
from copies of the two keyed SHA-1 states, over the parts of a packet as they are, so that it is put together once.
"""

from __future__ import annotations

from hashlib import sha1
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pystack.srtp.hot import Opener, Sealer

__all__ = ["CounterModeCipher"]

_TAG = 10
_BLOCK = 64
_ENCRYPTED = 0x80000000


class CounterModeCipher:
    """A :class:`pystack.srtp.cipher.PacketCipher` for ``SRTP_AES128_CM_HMAC_SHA1_80``."""

    __slots__ = ("_inner", "_outer", "_reset", "_salt", "_update")

    def __init__(self, key: bytes, authentication: bytes, salt: bytes) -> None:
        # Counter mode encrypts and decrypts alike, so one context serves both.
        context = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        self._reset = context.reset_nonce
        self._update = context.update
        self._salt = int.from_bytes(salt, "big") << 16
        padded = authentication.ljust(_BLOCK, b"\0")
        self._inner = sha1(bytes(byte ^ 0x36 for byte in padded), usedforsecurity=True).copy
        self._outer = sha1(bytes(byte ^ 0x5C for byte in padded), usedforsecurity=True).copy

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

    def sealer(self, ssrc: int) -> Sealer:
        """Make the function that seals the packets of one SSRC."""
        start = self._salt ^ ssrc << 64
        reset, update, inner_state, outer_state = self._reset, self._update, self._inner, self._outer
        turn, counter = 0, bytes(4)

        def seal(header: bytes, payload: bytes, index: int) -> bytes:
            nonlocal turn, counter
            if index >> 16 != turn:
                turn = index >> 16
                counter = turn.to_bytes(4, "big")
            reset((start ^ index << 16).to_bytes(16, "big"))
            encrypted = update(payload)
            inner = inner_state()
            inner.update(header)
            inner.update(encrypted)
            inner.update(counter)
            outer = outer_state()
            outer.update(inner.digest())
            return b"".join((header, encrypted, outer.digest()[:10]))

        return seal

    def opener(self, ssrc: int) -> Opener:
        """Make the function that opens the packets of one SSRC."""
        start = self._salt ^ ssrc << 64
        reset, update, inner_state, outer_state = self._reset, self._update, self._inner, self._outer
        turn, counter = 0, bytes(4)

        def open_(packet: bytes, header_length: int, index: int) -> bytes | None:
            nonlocal turn, counter
            if index >> 16 != turn:
                turn = index >> 16
                counter = turn.to_bytes(4, "big")
            header = packet[:header_length]
            encrypted = packet[header_length:-10]
            inner = inner_state()
            inner.update(header)
            inner.update(encrypted)
            inner.update(counter)
            outer = outer_state()
            outer.update(inner.digest())
            if not compare_digest(outer.digest()[:10], packet[-10:]):
                return None
            reset((start ^ index << 16).to_bytes(16, "big"))
            return header + update(encrypted)

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
        inner = self._inner()
        inner.update(covered)
        outer = self._outer()
        outer.update(inner.digest())
        return outer.digest()[:_TAG]
