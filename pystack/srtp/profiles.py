"""What an SRTP protection profile fixes: lengths of key, salt and tags (RFC 5764 section 4.1.2, RFC 7714 section 14.2).

Profiles travel through the stack as the integers of the DTLS ``use_srtp`` extension; here they get their meaning.
"""

from __future__ import annotations

from typing import Final

import attrs

from pystack.errors import InvalidArgument

__all__ = ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_HMAC_SHA1_80", "SrtpProfile", "profile"]

AES128_CM_HMAC_SHA1_80: Final = 1
"""RFC 3711 with a tag of 80 bits; what everybody has."""
AEAD_AES_128_GCM: Final = 7
"""RFC 7714."""
AEAD_AES_256_GCM: Final = 8
"""RFC 7714; preferred."""


@attrs.frozen(kw_only=True)
class SrtpProfile:
    """One protection profile.

    Attributes:
        number: its code point in ``use_srtp``.
        name: its name in the IANA registry.
        key_length: bytes of a master key, and of a session encryption key.
        salt_length: bytes of a master salt, and of a session salt.
        auth_key_length: bytes of a session authentication key; 0 when the cipher authenticates itself.
        tag_length: bytes that authentication adds to an SRTP or an SRTCP packet.
        aead: whether the cipher authenticates by itself.
    """

    number: int
    name: str
    key_length: int
    salt_length: int
    auth_key_length: int
    tag_length: int
    aead: bool

    @property
    def rtp_overhead(self) -> int:
        """Bytes that protection adds to an RTP packet."""
        return self.tag_length

    @property
    def rtcp_overhead(self) -> int:
        """Bytes that protection adds to an RTCP packet: the tag, and the word with the index."""
        return self.tag_length + 4


_PROFILES: Final = {
    each.number: each
    for each in (
        SrtpProfile(
            number=AES128_CM_HMAC_SHA1_80,
            name="SRTP_AES128_CM_HMAC_SHA1_80",
            key_length=16,
            salt_length=14,
            auth_key_length=20,
            tag_length=10,
            aead=False,
        ),
        SrtpProfile(
            number=AEAD_AES_128_GCM,
            name="SRTP_AEAD_AES_128_GCM",
            key_length=16,
            salt_length=12,
            auth_key_length=0,
            tag_length=16,
            aead=True,
        ),
        SrtpProfile(
            number=AEAD_AES_256_GCM,
            name="SRTP_AEAD_AES_256_GCM",
            key_length=32,
            salt_length=12,
            auth_key_length=0,
            tag_length=16,
            aead=True,
        ),
    )
}


def profile(number: int) -> SrtpProfile:
    """Look up a profile by its code point.

    Raises:
        InvalidArgument: the profile is not one of ours.
    """
    found = _PROFILES.get(number)
    if found is None:
        raise InvalidArgument(f"SRTP profile {number} is not supported")
    return found
