"""RTP payload descriptors. Input: a byte that chooses the codec, then the payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fuzz.target import Target, check
from pystack.errors import DecodeError
from pystack.rtp.payload import build_red, describer, parse_red, rewrite_vp8

_CODECS: Final = ("vp8", "vp9", "h264", "h265", "av1", "red")


def _name(data: bytes) -> str:
    return _CODECS[data[0] % len(_CODECS)] if data else _CODECS[0]


def run(data: bytes) -> None:
    name, payload = _name(data), data[1:]
    try:
        if name == "red":
            check(build_red(parse_red(payload)) == payload, "RED is written otherwise than it was read")
            return
        describe = describer(name)
        assert describe is not None
        found = describe(payload)
    except DecodeError:
        return
    check(found.starts or not found.key_frame, "a key frame that begins before its packet")
    check(found.picture_id is None or found.picture_id < 1 << found.picture_id_bits, "a picture id beyond its width")
    if name == "vp8":
        again = describe(rewrite_vp8(payload, found.picture_id, found.tl0_picture_index))
        check(again == found, "VP8 reads otherwise when rewritten with its own numbers")


def _seeds() -> Iterator[bytes]:
    texts = (
        ("90f0800107a311", "10109d012a"),
        ("0e38014000f0028001e00200040100", "7d42030200", "2c300900"),
        ("78000267420002658800", "7c850000"),
        ("60010003400100000326010000", "62019300"),
        ("08020a0b023200", "10366800"),
        ("ef0f00026f6f6c6e6577",),
    )
    for number, payloads in enumerate(texts):
        for text in payloads:
            yield bytes([number]) + bytes.fromhex(text)


TARGETS = {"payloads": Target(name="payloads", run=run, seeds=_seeds, group=_name, packages=("pystack.rtp.payload",))}
