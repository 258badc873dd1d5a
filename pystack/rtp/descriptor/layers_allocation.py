"""Which layers a sender sends, and at what rate: the video layers allocation extension.

``http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00``: sent with key frames and when the
allocation changes, so that a forwarder knows what each choice would cost before it has measured anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.descriptor.bits import BitReader, BitWriter

__all__ = ["AllocatedLayer", "VideoLayersAllocation"]

_MAX_KBPS: Final = 1 << 35
_SIZE: Final = 5
"""Bytes of width, height and frame rate of one layer."""


@attrs.frozen(kw_only=True)
class AllocatedLayer:
    """One spatial layer that is being sent.

    Attributes:
        stream: the RTP stream (simulcast encoding) that carries it, 0 to 3.
        spatial_id: its number in that stream, 0 to 3.
        rates_kbps: for each temporal layer, 1 to 4 of them, what it and all that it needs take, in kbit/s.
        resolution: width and height in pixels; ``None`` if they are not told.
        frame_rate: frames per second, ``None`` if it is not told.
    """

    stream: int
    spatial_id: int
    rates_kbps: tuple[int, ...]
    resolution: tuple[int, int] | None = None
    frame_rate: int | None = None


@attrs.frozen(kw_only=True)
class VideoLayersAllocation:
    """One extension element.

    Attributes:
        stream: the RTP stream on which it is sent, 0 to 3.
        streams: how many RTP streams there are, 1 to 4.
        layers: those that are being sent, ordered by stream and spatial layer; resolution and frame rate are told for
            all or for none. Empty: nothing is being sent.
    """

    stream: int = 0
    streams: int = 1
    layers: tuple[AllocatedLayer, ...] = ()

    def serialize(self) -> bytes:
        """Write the element.

        Raises:
            InvalidArgument: the layers are out of order, twice there, told in part, or a value does not fit.
        """
        bits = BitWriter()
        bits.fixed(self.stream, 2)
        if not self.layers:
            bits.fixed(0, 6)
            return bits.finish()
        self._check()
        masks = [0] * self.streams
        for each in self.layers:
            masks[each.stream] |= 1 << each.spatial_id
        bits.fixed(self.streams - 1, 2)
        if len(set(masks)) == 1:
            bits.fixed(masks[0], 4)
        else:
            bits.fixed(0, 4)
            for mask in masks:
                bits.fixed(mask, 4)
        head = bits.finish()
        counts = BitWriter()
        for each in self.layers:
            counts.fixed(len(each.rates_kbps) - 1, 2)
        rates = b"".join(_leb128(rate) for each in self.layers for rate in each.rates_kbps)
        sizes = BitWriter()
        for each in self.layers:
            if each.resolution is not None and each.frame_rate is not None:
                sizes.fixed(each.resolution[0] - 1, 16)
                sizes.fixed(each.resolution[1] - 1, 16)
                sizes.fixed(each.frame_rate, 8)
        return head + counts.finish() + rates + sizes.finish()

    @classmethod
    def parse(cls, data: bytes) -> VideoLayersAllocation:
        """Read the element.

        Raises:
            DecodeError: it is cut short, longer than what it announces, or contradicts itself.
        """
        if not data:
            raise DecodeError("video layers allocation: empty")
        stream, streams, mask = data[0] >> 6, (data[0] >> 4 & 3) + 1, data[0] & 15
        if len(data) == 1 and not mask:
            return cls(stream=stream)
        if stream >= streams:
            raise DecodeError("video layers allocation: sent on a stream that is not there")
        if mask:
            masks = [mask] * streams
            at = 1
        else:
            at = 1 + (streams + 1) // 2
            bits = BitReader(data[1:at])
            masks = [bits.fixed(4) for _ in range(streams)]
        places = [(number, spatial) for number, each in enumerate(masks) for spatial in range(4) if each >> spatial & 1]
        if not places:
            raise DecodeError("video layers allocation: no layer")
        counts = BitReader(data[at : at + (len(places) + 3) // 4])
        temporal = [counts.fixed(2) + 1 for _ in places]
        rest = _Rest(data, at + (len(places) + 3) // 4)
        rates = [tuple(rest.leb128() for _ in range(count)) for count in temporal]
        told = rest.sizes(len(places))
        return cls(
            stream=stream,
            streams=streams,
            layers=tuple(
                AllocatedLayer(
                    stream=number, spatial_id=spatial, rates_kbps=kbps, resolution=resolution, frame_rate=frame_rate
                )
                for (number, spatial), kbps, (resolution, frame_rate) in zip(places, rates, told, strict=True)
            ),
        )

    def _check(self) -> None:
        places = [(each.stream, each.spatial_id) for each in self.layers]
        if places != sorted(set(places)):
            raise InvalidArgument("layers are ordered by stream and spatial layer, each once")
        if not self.stream < self.streams <= 4 or places[-1][0] >= self.streams:
            raise InvalidArgument(f"stream {self.stream} of {self.streams}: there are 1 to 4, counted from 0")
        if not all(0 <= spatial <= 3 for _, spatial in places) or places[0][0] < 0:
            raise InvalidArgument("spatial layers are 0 to 3")
        if not all(1 <= len(each.rates_kbps) <= 4 for each in self.layers):
            raise InvalidArgument("a layer has 1 to 4 temporal layers, each with its rate")
        told = {(each.resolution is not None, each.frame_rate is not None) for each in self.layers}
        if told not in ({(True, True)}, {(False, False)}):
            raise InvalidArgument("resolution and frame rate are told for all layers or for none")


class _Rest:
    """What stands behind the counts."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def leb128(self) -> int:
        value = shift = 0
        while True:
            if self._at >= len(self._data) or shift > 28:
                raise DecodeError("video layers allocation: a rate runs past the end")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def sizes(self, layers: int) -> Iterator[tuple[tuple[int, int] | None, int | None]]:
        rest = self._data[self._at :]
        if not rest:
            return iter([(None, None)] * layers)
        if len(rest) != _SIZE * layers:
            raise DecodeError("video layers allocation: resolutions for another number of layers")
        bits = BitReader(rest)
        return iter([((bits.fixed(16) + 1, bits.fixed(16) + 1), bits.fixed(8)) for _ in range(layers)])


def _leb128(value: int) -> bytes:
    if not 0 <= value < _MAX_KBPS:
        raise InvalidArgument(f"a rate of {value} kbit/s cannot be told")
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
