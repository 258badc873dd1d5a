"""What a hostile or broken peer might send on a browser's own path, and how often each must be counted.

Every maker returns a datagram and how many drops it must cause. Where that is not plainly one, the product's own
wire parsers are asked: they say how many records a datagram falls into, and what cannot be parsed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from zlib import crc32

from pystack.dtls.wire.record import split_records
from pystack.errors import DecodeError
from pystack.rtp import RtpPacket
from pystack.rtp.extensions import find
from pystack.rtp.rtcp import parse_compound
from tests.e2e.e2e_harness.relay import Leg, classify
from tests.e2e.e2e_harness.shadow import Shadow, damage, fix_crc

UNKNOWN_PAYLOAD_TYPE = 7  # in no section of any browser's offer
_BEGIN = {
    "random unknown": [*range(4, 20), *range(64, 128), *range(192, 256)],
    "random stun": range(4),
    "random dtls": range(20, 64),
    "random rtp": range(128, 192),
    "random rtcp": range(128, 192),
}
Noise = tuple[bytes, int]


class NoiseMaker:
    """Makes noise of each kind for one leg; ``kinds`` are its methods by name."""

    def __init__(self, leg: Leg, shadow: Shadow, transport_id: int, seed: int) -> None:
        self._leg = leg
        self._shadow = shadow
        self._transport_id = transport_id
        self._chance = random.Random(seed)
        self.kinds: dict[str, Callable[[], Noise]] = {
            **{name: self._random(name) for name in _BEGIN},
            "mutated stun": self._stun,
            "mutated dtls": lambda: self._mutated("dtls"),
            "mutated rtp": lambda: self._mutated("rtp"),
            "mutated rtcp": lambda: self._mutated("rtcp"),
            "sctp inside": self._sctp,
            "rtp inside": self._rtp,
            "rtcp inside": self._rtcp,
        }

    def _random(self, name: str) -> Callable[[], Noise]:
        firsts = list(_BEGIN[name])
        chance = self._chance

        def make() -> Noise:
            data = bytes([chance.choice(firsts)]) + chance.randbytes(chance.randrange(0, 1300))
            if name == "random rtcp":
                data = data[:1] + bytes([chance.randrange(192, 224)]) + data[2:]
            return data, _drops(data)

        return make

    def _mutated(self, kind: str) -> Noise:
        while True:
            data = self._chance.choice(self._leg.seen[kind])
            changed = damage(data, self._chance)
            if changed != data and classify(changed) == kind:
                return changed, _drops(changed)

    def _stun(self) -> Noise:
        """A check changed somewhere in front of its fingerprint, which is made to fit half of the time."""
        while True:
            data = self._chance.choice(self._leg.seen["stun"])
            changed = damage(data[:-8], self._chance)
            if changed == data[:-8] or classify(changed) != "stun":
                continue
            if self._chance.random() < 0.5:
                fingerprint = crc32(changed) ^ 0x5354554E
                return changed + b"\x80\x28\x00\x04" + fingerprint.to_bytes(4), 1
            return changed + data[-8:], 1

    def _sctp(self) -> Noise:
        """Authentic for DTLS; wrong in the checksum, in the tag, or in the chunks."""
        chance = self._chance
        real = chance.choice(self._shadow.plain["sctp"])
        way = chance.randrange(4)
        if way == 0:
            plain = damage(real, chance)
            if plain == real:
                plain = real[:-1] + bytes([real[-1] ^ 1])
        elif way == 1:
            tag = int.from_bytes(real[4:8]) ^ chance.randrange(1, 1 << 32) or 1
            chunk = bytes([chance.choice((0, 3, 4, 5, 6, 9, 11, 130, 192))]) + chance.randbytes(3)
            plain = fix_crc(real[:4] + tag.to_bytes(4) + bytes(4) + chunk + damage(real[16:], chance))
        elif way == 2:
            body = chance.randbytes(4 * chance.randrange(0, 100))
            kind = chance.randrange(0x20, 0x3F)  # unknown; not to be reported, and the rest is not to be read
            plain = fix_crc(real[:12] + bytes([kind, chance.randrange(256)]) + (4 + len(body)).to_bytes(2) + body)
        else:
            body = chance.randbytes(4 * chance.randrange(0, 20))
            length = chance.choice((0, 1, 2, 3, len(body) + 5 + chance.randrange(1000)))
            kind = chance.choice((0, 3, 4, 6, 7, 130, 192))
            plain = fix_crc(real[:12] + bytes([kind, 0]) + length.to_bytes(2) + body)
        return self._shadow.seal(plain), 1

    def _rtp(self) -> Noise:
        """Authentic for SRTP; of a section that nobody negotiated, or no RTP at all."""
        chance = self._chance
        while True:
            plain = damage(chance.choice(self._shadow.plain["rtp"]), chance, 12)
            # The marker and version bits stay, so that it arrives as RTP; padding, extension and CSRC bits may lie.
            first = 0x80 | chance.randrange(64) if chance.random() < 0.5 else plain[0]
            plain = bytes([first, plain[1] & 0x80 | UNKNOWN_PAYLOAD_TYPE]) + plain[2:]
            try:
                packet = RtpPacket.parse(plain, 0.0)
            except DecodeError:
                pass
            else:
                # Its transport-wide numbers would be believed, being authentic, and spoil the feedback.
                if find(packet.extension_profile, packet.extension, self._transport_id) is not None:
                    continue
            try:
                return self._shadow.protect_rtp(plain, chance), 1
            except Exception:
                continue

    def _rtcp(self) -> Noise:
        """Authentic for SRTCP; what still is RTCP is about streams that nobody has."""
        plain = damage(self._chance.choice(self._shadow.plain["rtcp"]), self._chance, 1)
        plain = plain[:1] + bytes([192 + plain[1] % 32]) + plain[2:]
        try:
            parse_compound(plain[:4] + b"\xfe\xed\x00\x01" + plain[8:])
        except DecodeError:
            return self._shadow.protect_rtcp(plain), 1
        return self._shadow.protect_rtcp(plain), 0


def _drops(data: bytes) -> int:
    """How many drops a datagram causes that is not authentic: one, but each record of DTLS counts by itself."""
    if classify(data) != "dtls":
        return 1
    count = 0
    try:
        for _ in split_records(data):
            count += 1
    except DecodeError:
        count += 1
    return count
