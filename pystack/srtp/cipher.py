"""What the sender and the receiver ask of a cipher, whichever it is.

``index`` of RTP is the 48-bit packet index: roll-over counter and sequence number as one integer. Calls per packet,
so plain arguments and bytes; implementations keep one keyed object each and never make one per packet.

``seal`` and ``open`` are the plain twins: they say what happens. What runs per packet is a function made by ``sealer``
or ``opener`` for one SSRC and one roll-over counter, so for up to 65,536 packets: everything that does not change from
packet to packet is worked out beforehand, and the 16-bit number is all that is left to say.
"""

from __future__ import annotations

from typing import Protocol

from pystack.srtp.aead import AeadCipher
from pystack.srtp.counter_mode import CounterModeCipher
from pystack.srtp.hot import Opener, Sealer
from pystack.srtp.keys import SessionKeys
from pystack.srtp.profiles import SrtpProfile

__all__ = ["PacketCipher", "make_cipher"]


class PacketCipher(Protocol):
    """Seals and opens packets under one set of session keys."""

    def seal(self, header: bytes, payload: bytes, ssrc: int, index: int) -> bytes:
        """Protect an RTP packet given as clear header and payload; return the SRTP packet."""
        ...

    def open(self, packet: bytes, header_length: int, ssrc: int, index: int) -> bytes | None:
        """Authenticate and decrypt an SRTP packet; ``None`` if it is not authentic."""
        ...

    def sealer(self, ssrc: int, roll_over: int) -> Sealer:
        """Make the function that seals the packets of one SSRC and roll-over counter, like :meth:`seal`."""
        ...

    def opener(self, ssrc: int, roll_over: int) -> Opener:
        """Make the function that opens the packets of one SSRC and roll-over counter, like :meth:`open`."""
        ...

    def seal_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Protect an RTCP compound packet; return the SRTCP packet with its index word."""
        ...

    def open_rtcp(self, packet: bytes, ssrc: int, index: int) -> bytes | None:
        """Authenticate and decrypt an SRTCP packet whose index word says ``index``; ``None`` if not authentic."""
        ...


def make_cipher(which: SrtpProfile, keys: SessionKeys) -> PacketCipher:
    """Make the cipher of a profile."""
    if which.aead:
        return AeadCipher(keys.encryption, keys.salt)
    return CounterModeCipher(keys.encryption, keys.authentication, keys.salt)
