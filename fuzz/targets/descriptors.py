"""Header extensions about layers. Input: a byte that chooses the kind, then the element, or elements of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fuzz.recorded import recorded
from fuzz.target import Target, check
from pystack.errors import DecodeError
from pystack.rtp.descriptor import DependencyReader, VideoLayersAllocation

_KINDS: Final = ("dependency", "allocation")


def _kind(data: bytes) -> str:
    return _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]


def run(data: bytes) -> None:
    if _kind(data) == "allocation":
        try:
            found = VideoLayersAllocation.parse(data[1:])
        except DecodeError:
            return
        if found.layers:
            check(VideoLayersAllocation.parse(found.serialize()) == found, "an allocation reads otherwise than it was")
        return
    reader = DependencyReader()
    at = 1
    while at < len(data):
        element = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        read = reader.read(element)
        if read is not None:
            descriptor, frame = read
            assert reader.structure is not None
            check(len(frame.dtis) == reader.structure.decode_targets, "indications for another number of targets")
            again = reader.read(descriptor.serialize(reader.structure))
            check(again == read, "a descriptor reads otherwise when written again")


def _seeds() -> Iterator[bytes]:
    yield b"\x00" + b"".join(bytes([len(each)]) + each for each in recorded("dependency"))
    for element in recorded("allocation"):
        yield b"\x01" + element
    yield b"\x01" + bytes.fromhex("6154649601ac02f403e807c413013f00b31e027f01671e04ff02cf1e")
    yield b"\x01" + bytes.fromhex("101230010203047f")


TARGETS = {
    "descriptors": Target(name="descriptors", run=run, seeds=_seeds, group=_kind, packages=("pystack.rtp.descriptor",))
}
