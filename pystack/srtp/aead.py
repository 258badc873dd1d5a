"""AES-GCM for SRTP and SRTCP (RFC 7714). The RTP header is authenticated data, the payload is encrypted.

Hot: one AESGCM object for the life of the keys, the nonce by integer arithmetic.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pystack.srtp.hot import Opener, Sealer

__all__ = ["AeadCipher"]

_ENCRYPTED = 0x80000000


class AeadCipher:
    """A :class:`pystack.srtp.cipher.PacketCipher` over AES-128-GCM or AES-256-GCM, by the length of ``key``."""

    __slots__ = ("_decrypt", "_encrypt", "_salt")

    def __init__(self, key: bytes, salt: bytes) -> None:
        aead = AESGCM(key)
        self._encrypt = aead.encrypt
        self._decrypt = aead.decrypt
        self._salt = int.from_bytes(salt, "big")

    def seal(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        """Protect an RTP packet (section 8.1: two zero bytes, SSRC, ROC, SEQ, all XORed with the salt)."""
        return header + self._encrypt(((ssrc << 48 | index) ^ self._salt).to_bytes(12, "big"), payload, header)

    def open(self, packet: bytes, header_length: int, ssrc: int, index: int) -> bytes | None:
        """Authenticate and decrypt an SRTP packet; ``None`` if it is not authentic."""
        header = packet[:header_length]
        try:
            return header + self._decrypt(
                ((ssrc << 48 | index) ^ self._salt).to_bytes(12, "big"), packet[header_length:], header
            )
        except InvalidTag:
            return None

    def sealer(self, ssrc: int, roll_over: int) -> Sealer:
        """Make the function that seals the packets of one SSRC under one roll-over counter."""
        start = self._salt ^ (ssrc << 48 | roll_over << 16)
        encrypt = self._encrypt

        def seal(header: bytes, payload: bytes, sequence_number: int) -> bytes:
            return header + encrypt((start ^ sequence_number).to_bytes(12, "big"), payload, header)

        return seal

    def opener(self, ssrc: int, roll_over: int) -> Opener:
        """Make the function that opens the packets of one SSRC under one roll-over counter."""
        start = self._salt ^ (ssrc << 48 | roll_over << 16)
        decrypt = self._decrypt

        def open_(packet: bytes, header_length: int, sequence_number: int) -> bytes | None:
            header = packet[:header_length]
            try:
                return header + decrypt((start ^ sequence_number).to_bytes(12, "big"), packet[header_length:], header)
            except InvalidTag:
                return None

        return open_

    def seal_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Protect an RTCP compound packet (section 9: header and index word are authenticated data)."""
        word = (index | _ENCRYPTED).to_bytes(4, "big")
        header = packet[:8]
        nonce = ((ssrc << 48 | index) ^ self._salt).to_bytes(12, "big")
        return b"".join((header, self._encrypt(nonce, packet[8:], header + word), word))

    def open_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes | None:
        """Authenticate and decrypt an SRTCP packet; ``None`` if it is not authentic."""
        header = packet[:8]
        nonce = ((ssrc << 48 | index) ^ self._salt).to_bytes(12, "big")
        try:
            return header + self._decrypt(nonce, packet[8:-4], header + packet[-4:])
        except InvalidTag:
            return None
