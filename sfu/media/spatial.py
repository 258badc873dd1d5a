"""The spatial layers inside one stream (SVC): VP9 tells them in its payloads, AV1 in its dependency descriptors.

A receiver of ``n`` layers gets the frames of layers 0 to ``n - 1`` of each picture. With fewer it goes on at any
picture; with more it can begin at a key picture alone, because only there no layer refers to pictures before. VP9: RFC
9628 section 4.2. AV1: "RTP Payload Format For AV1", appendix A. Called once per packet of video by ``media.uptrack``;
nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pystack.rtp import DEPENDENCY_DESCRIPTOR, DependencyReader
from sfu.media.layers import LayerSelector
from sfu.media.ports import Codec, Packet

__all__ = ["Part", "SpatialLayers"]

Part = tuple[int, bool, bool]
"""Of one packet: its spatial layer, whether the frame of that layer ends here, whether it is the picture's first."""

_NAMES: Final = ("0", "1", "2", "3")


class SpatialLayers:
    """Reads the spatial layers of one track, and knows which of them are being sent.

    Args:
        codecs: the track's, by payload type.
    """

    __slots__ = ("_readers", "_seen", "_timestamp")

    def __init__(self, codecs: Mapping[int, Codec]) -> None:
        self._seen = LayerSelector(_NAMES)
        self._timestamp = -1
        readers: dict[str, Callable[[Packet], tuple[int, bool] | None]] = {"vp9": _vp9, "av1": Av1Layers().read}
        named = {number: codec.name.lower() for number, codec in codecs.items()}
        self._readers = {number: readers[name] for number, name in named.items() if name in readers}

    def read(self, packet: Packet) -> Part | None:
        """Take one packet; ``None`` if it tells no layers. Hot."""
        reader = self._readers.get(packet.payload_type)
        found = reader(packet) if reader is not None else None
        if found is None:
            return None
        layer, ends = found
        first = packet.timestamp != self._timestamp
        self._timestamp = packet.timestamp
        return layer, ends, first

    def seen(self, layer: int, now: float) -> bool:
        """A packet of a layer arrived; return whether a layer came or went. Hot."""
        return self._seen.seen(_NAMES[layer], now)

    def best(self, ceiling: int) -> int:
        """The best layer that is being sent and not above ``ceiling``; 0 without layers."""
        return int(self._seen.best(ceiling) or 0)


def _vp9(packet: Packet) -> tuple[int, bool] | None:
    payload = packet.payload
    if not payload or not payload[0] & 0x20:  # L: layer indices are there
        return None
    first = payload[0]
    at = 1
    if first & 0x80:  # I: a picture id of one or two bytes
        at = 3 if len(payload) > 1 and payload[1] & 0x80 else 2
    if at >= len(payload):
        return None
    layer = payload[at] >> 1 & 0x07
    return (layer, bool(first & 0x04)) if layer < len(_NAMES) else None


class Av1Layers:
    """The layers of one AV1 stream; most packets say only which template their frame is of."""

    __slots__ = ("_layers", "_reader")

    def __init__(self) -> None:
        self._reader = DependencyReader()
        self._layers: dict[int, int] = {}

    def read(self, packet: Packet) -> tuple[int, bool] | None:
        """Take one packet; ``None`` if it has no descriptor, or one that means nothing yet."""
        names = packet.extension_map
        element = names.get(packet, DEPENDENCY_DESCRIPTOR) if names is not None else None
        if element is None or len(element) < 3:
            return None
        ends, template = bool(element[0] & 0x40), element[0] & 0x3F
        if len(element) > 3:  # an extended one: a new structure, or something special about the frame
            found = self._reader.read(element)
            if found is None:
                return None
            descriptor, frame = found
            if descriptor.structure is not None:
                self._layers.clear()
            layer = self._layers[template] = frame.spatial_id
        elif template in self._layers:
            layer = self._layers[template]
        else:
            structure = self._reader.structure
            known = structure.template(template) if structure is not None else None
            if known is None:
                return None
            layer = self._layers[template] = known.spatial_id
        return (layer, ends) if layer < len(_NAMES) else None
