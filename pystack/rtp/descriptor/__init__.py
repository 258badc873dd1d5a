"""Header extensions that describe layers: the AV1 dependency descriptor and the video layers allocation.

Both are read by a forwarder to choose layers without looking into payloads, end-to-end encrypted ones included, and
written by whoever produces or rewrites streams.
"""

from pystack.rtp.descriptor.dependency import DependencyDescriptor
from pystack.rtp.descriptor.frame import FrameDependencies
from pystack.rtp.descriptor.layers_allocation import AllocatedLayer, VideoLayersAllocation
from pystack.rtp.descriptor.reader import DependencyReader
from pystack.rtp.descriptor.structure import DecodeTargetIndication, FrameDependencyStructure, FrameTemplate

__all__ = [
    "AllocatedLayer",
    "DecodeTargetIndication",
    "DependencyDescriptor",
    "DependencyReader",
    "FrameDependencies",
    "FrameDependencyStructure",
    "FrameTemplate",
    "VideoLayersAllocation",
]
