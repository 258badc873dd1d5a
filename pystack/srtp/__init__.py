"""SRTP and SRTCP (RFC 3711, RFC 7714) as small keyed objects: packets in, packets out, no clock and no socket.

The session makes one :class:`SrtpSender` and one :class:`SrtpReceiver` from the keys that DTLS exported (RFC 5764).
"""

from pystack.srtp.profiles import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80, SrtpProfile, profile
from pystack.srtp.receiver import SrtpReceiver
from pystack.srtp.sender import SrtpSender

__all__ = [
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "AES128_CM_HMAC_SHA1_80",
    "SrtpProfile",
    "SrtpReceiver",
    "SrtpSender",
    "profile",
]
