"""Forwarding without decoding: one synchronous call chain from a received packet to every subscriber."""

from sfu.media.allocation import Need, allocate
from sfu.media.codecs import matching_payload_type
from sfu.media.downlink import Downlink
from sfu.media.downtrack import DownTrack
from sfu.media.keyframes import detector
from sfu.media.layers import BEST, LayerSelector, low_to_high
from sfu.media.loudness import WINDOW, Loudness
from sfu.media.munger import Munger
from sfu.media.outlet import Outlet
from sfu.media.ports import Codec, Packet, PacketSink, PacketSource
from sfu.media.quality import LOOK, QualityMeter
from sfu.media.routes import RouteTable
from sfu.media.uptrack import UpTrack

__all__ = [
    "BEST",
    "LOOK",
    "WINDOW",
    "Codec",
    "DownTrack",
    "Downlink",
    "LayerSelector",
    "Loudness",
    "Munger",
    "Need",
    "Outlet",
    "Packet",
    "PacketSink",
    "PacketSource",
    "QualityMeter",
    "RouteTable",
    "UpTrack",
    "allocate",
    "detector",
    "low_to_high",
    "matching_payload_type",
]
