"""RTP packets and their header extensions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from fuzz.recorded import recorded
from fuzz.target import Target, check
from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    ORIENTATION,
    RID,
    TRANSPORT_SEQUENCE,
    HeaderExtensionMap,
    RtpPacket,
    parse_abs_send_time,
    parse_audio_level,
    parse_orientation,
)
from pystack.rtp.extensions import elements, find, translation

_MAP: Final = HeaderExtensionMap({1: MID, 2: RID, 3: TRANSPORT_SEQUENCE, 4: AUDIO_LEVEL, 5: ABS_SEND_TIME})
_OTHER: Final = HeaderExtensionMap({7: MID, 14: RID, 16: TRANSPORT_SEQUENCE, 200: AUDIO_LEVEL, 1: ORIENTATION})


def run(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data, extension_map=_MAP)
    except DecodeError:
        return
    written = packet.serialize()
    check(len(written) == len(data), "another size when written again")
    kept = len(data) - packet.padding_size
    check(written[:kept] == data[:kept], "other bytes when written again")
    check(RtpPacket.parse(written) == packet, "reads otherwise when written again")
    profile, body = packet.extension_profile, packet.extension
    with suppress(DecodeError):
        for identifier, value in elements(profile, body):
            check(find(profile, body, identifier) is not None and len(value) < 256, "elements and find differ")
    for uri in (MID, RID, TRANSPORT_SEQUENCE, AUDIO_LEVEL, ABS_SEND_TIME):
        value_of = _MAP.get(packet, uri)
        if value_of is not None:
            for parse in (parse_audio_level, parse_abs_send_time, parse_orientation):
                parse(value_of)
    short, translated = translation(_MAP, _OTHER).apply(profile, body)
    elements(0xBEDE if short else 0x1000, translated)
    with suppress(InvalidArgument, DecodeError):
        _MAP.set(packet, MID, data[-5:])
        check(_MAP.get(packet, MID) == data[-5:], "what was set is not there")
        again = RtpPacket.parse(packet.serialize(), extension_map=_MAP)
        check(_MAP.get(again, MID) == data[-5:], "what was set is not on the wire")


def _seeds() -> Iterator[bytes]:
    yield from recorded("rtp")
    packet = RtpPacket(payload_type=96, ssrc=7, sequence_number=65535, timestamp=1 << 31, payload=b"payload")
    yield packet.serialize()
    _MAP.set(packet, MID, b"0")
    _MAP.set(packet, TRANSPORT_SEQUENCE, b"\1\2")
    yield packet.serialize()
    packet.csrcs = (1, 2)
    packet.padding_size = 4
    yield packet.serialize()
    _OTHER.set(packet, AUDIO_LEVEL, b"\x80")
    yield packet.serialize()


TARGETS = {"rtp": Target(name="rtp", run=run, seeds=_seeds, packages=("pystack.rtp.packet", "pystack.rtp.extensions"))}
