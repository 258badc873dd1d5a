"""Session keys out of a master key and salt (RFC 3711 section 4.3; RFC 6188 for 256 bits; RFC 7714 section 11).

One derivation at the start (key derivation rate 0, as DTLS-SRTP uses it). Called by the sender and the receiver.
"""

from __future__ import annotations

from typing import Final

import attrs
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pystack.errors import InvalidArgument
from pystack.srtp.profiles import SrtpProfile

__all__ = ["SessionKeys", "check_lengths", "derive", "derive_rtcp", "derive_rtp"]

_RTP_LABELS: Final = (0, 1, 2)
_RTCP_LABELS: Final = (3, 4, 5)


@attrs.frozen
class SessionKeys:
    """The keys of one direction of SRTP or of SRTCP.

    Attributes:
        encryption: key of the cipher.
        authentication: key of HMAC-SHA1; empty with an AEAD.
        salt: 14 bytes, or 12 with an AEAD.
    """

    encryption: bytes
    authentication: bytes
    salt: bytes


def derive(label: int, master_key: bytes, master_salt: bytes, length: int) -> bytes:
    """Derive ``length`` bytes for ``label``: AES in counter mode over the salted label (RFC 3711 section 4.3.3).

    A 12-byte salt is widened to 14 with zeros on the right (RFC 7714 section 11).
    """
    salt = int.from_bytes(master_salt.ljust(14, b"\0"), "big")
    start = ((salt ^ (label << 48)) << 16).to_bytes(16, "big")
    return Cipher(algorithms.AES(master_key), modes.CTR(start)).encryptor().update(bytes(length))


def derive_rtp(which: SrtpProfile, key: bytes, salt: bytes) -> SessionKeys:
    """Derive the keys for SRTP.

    Raises:
        InvalidArgument: ``key`` or ``salt`` has the wrong length for the profile.
    """
    return _derive_all(which, key, salt, _RTP_LABELS)


def derive_rtcp(which: SrtpProfile, key: bytes, salt: bytes) -> SessionKeys:
    """Derive the keys for SRTCP.

    Raises:
        InvalidArgument: ``key`` or ``salt`` has the wrong length for the profile.
    """
    return _derive_all(which, key, salt, _RTCP_LABELS)


def check_lengths(which: SrtpProfile, key: bytes, salt: bytes) -> None:
    """Check master key and salt.

    Raises:
        InvalidArgument: one of them has the wrong length for the profile.
    """
    if len(key) != which.key_length or len(salt) != which.salt_length:
        raise InvalidArgument(
            f"{which.name} takes a {which.key_length}-byte key and a {which.salt_length}-byte salt, "
            f"not {len(key)} and {len(salt)}"
        )


def _derive_all(which: SrtpProfile, key: bytes, salt: bytes, labels: tuple[int, int, int]) -> SessionKeys:
    check_lengths(which, key, salt)
    encryption, authentication, salting = labels
    return SessionKeys(
        derive(encryption, key, salt, which.key_length),
        derive(authentication, key, salt, which.auth_key_length),
        derive(salting, key, salt, which.salt_length),
    )
