"""What a browser says of its layers in header extensions: read without looking into the payloads."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from pystack import DataChannel
from pystack.peer.media import VIDEO_EXTENSIONS
from pystack.rtp import (
    DEPENDENCY_DESCRIPTOR,
    VIDEO_LAYERS_ALLOCATION,
    DependencyReader,
    ExtensionReader,
    VideoLayersAllocation,
)
from pystack.sdp.jsep import ExtensionCapability
from tests.e2e.e2e_harness.browsers import DriverError
from tests.interop.browser.echo import until
from tests.interop.other_peer import OtherPeer, Ours, negotiate

SETTINGS = {
    "video_extensions": (*VIDEO_EXTENSIONS, ExtensionCapability(uri=VIDEO_LAYERS_ALLOCATION, preferred_id=9)),
}


class Listener:
    """Reads both extensions of all that one section receives."""

    def __init__(self, ours: Ours) -> None:
        self.readers: dict[str, DependencyReader] = defaultdict(DependencyReader)
        self.layers: dict[str, set[tuple[int, int]]] = defaultdict(set)
        self.keys: dict[str, int] = defaultdict(int)
        self.packets = 0
        self.allocations: list[VideoLayersAllocation] = []
        self._receiver = ours.peer.transceivers[-1].receiver
        self._receiver.on_packet = self._take

    def _take(self, packet: Any, rid: str) -> None:
        self.packets += 1
        read = ExtensionReader(self._receiver.extensions, DEPENDENCY_DESCRIPTOR, VIDEO_LAYERS_ALLOCATION).read
        dependency, allocation = read(packet)
        if dependency is not None:
            found = self.readers[rid].read(dependency)
            if found is not None:
                # What we write is what the browser wrote, bit for bit.
                descriptor, frame = found
                assert descriptor.serialize(self.readers[rid].structure) == dependency
                self.layers[rid].add((frame.spatial_id, frame.temporal_id))
                self.keys[rid] += descriptor.structure is not None
        if allocation is not None:
            told = VideoLayersAllocation.parse(allocation)
            assert told.serialize() == allocation
            self.allocations.append(told)


async def listen(ours: Ours, other: OtherPeer, count: int, **wanted: Any) -> Listener:
    """Have the page send a camera, and read ``count`` packets of it."""
    await other.ask("send", kind="video", width=1280, height=720, **wanted)
    heard: list[Listener] = []
    await negotiate(ours, other, "they offer", lambda: heard.append(Listener(ours)))

    async def enough() -> bool:
        return heard[0].packets >= count

    await until(enough, "few packets came")
    return heard[0]


@pytest.mark.parametrize(("codec", "mode"), [("AV1", "L1T3"), ("VP9", "L3T3_KEY")])
def test_the_layers_of_a_scalable_stream_are_told(browser, codec, mode):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        if browser.browser.kind == "firefox":
            with pytest.raises(DriverError, match="getHeaderExtensionsToNegotiate is not a function"):
                await listen(ours, other, 1, codec=codec, scalability=mode)
            return
        heard = await listen(ours, other, 300, codec=codec, scalability=mode)
        spatial = int(mode[1])
        assert heard.layers[""] == {(each, temporal) for each in range(spatial) for temporal in range(3)}
        reader = heard.readers[""]
        assert not reader.drops
        assert heard.keys[""] >= 1
        assert reader.structure is not None
        assert reader.structure.layer_of(0) in {(0, 0), (spatial - 1, 2)}, "targets are ordered from one end"
        told = heard.allocations[0].layers
        assert [each.spatial_id for each in told] == list(range(len(told)))
        assert all(sorted(each.rates_kbps) == list(each.rates_kbps) for each in told), "each includes those below"

    browser.meet("they offer", body, **SETTINGS)


def test_the_layers_of_a_simulcast_are_told_by_rid(browser):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        rids = ["q", "h", "f"]
        heard = await listen(ours, other, 400, rids=rids)
        for rid in rids:
            assert {spatial for spatial, _ in heard.layers[rid]} == {0}
            assert len(heard.layers[rid]) >= 2, "temporal layers"
            assert heard.keys[rid] >= 1
            assert not heard.readers[rid].drops
        if browser.browser.kind == "chromium":  # Firefox does not offer the allocation
            last = heard.allocations[-1]
            assert last.streams == 3
            assert {each.stream for each in last.layers} <= {0, 1, 2}

    browser.meet("they offer", body, **SETTINGS)
