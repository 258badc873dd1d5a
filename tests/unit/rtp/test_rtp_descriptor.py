"""The dependency descriptor and the video layers allocation: fixed vectors, round trips, and anything at all."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.recorded import recorded
from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.descriptor import (
    AllocatedLayer,
    DecodeTargetIndication,
    DependencyDescriptor,
    DependencyReader,
    FrameDependencyStructure,
    FrameTemplate,
    VideoLayersAllocation,
)
from pystack.rtp.descriptor.bits import BitReader, BitWriter

NOT, DISCARD, SWITCH, REQUIRED = DecodeTargetIndication
L1T2 = FrameDependencyStructure(
    template_id_offset=5,
    decode_targets=2,
    templates=(
        FrameTemplate(dtis=(SWITCH, SWITCH), chain_fdiffs=(0,)),
        FrameTemplate(dtis=(SWITCH, SWITCH), fdiffs=(2,), chain_fdiffs=(2,)),
        FrameTemplate(temporal_id=1, dtis=(NOT, DISCARD), fdiffs=(1,), chain_fdiffs=(1,)),
    ),
    protected_by=(0, 0),
    resolutions=((640, 360),),
)
"""One spatial layer, two temporal ones, one chain."""
# Worked out by hand, field by field, from appendix A.8 of the specification.
L1T2_BITS = (
    "1 1 000101 0000000000000001"  # a whole frame, template 5, frame 1
    "1 0 0 0 0"  # a structure comes, nothing else
    "000101 00001"  # offset 5, two decode targets
    "00 01 11"  # same layer, next temporal layer, no more
    "1010 1010 0001"  # indications
    "0 1 0001 0 1 0000 0"  # references: none; 2; 1
    "10"  # one chain, ns(3)
    # ns(1) takes no bit, twice: both targets are protected by chain 0
    "0000 0010 0001"  # distances in the chain
    "1 0000001001111111 0000000101100111"  # 640 x 360
)


def packed(bits: str) -> bytes:
    text = "".join(each for each in bits if each in "01")
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def test_a_key_frame_brings_its_structure() -> None:
    descriptor = DependencyDescriptor(template_id=5, frame_number=1, structure=L1T2)
    assert descriptor.serialize() == packed(L1T2_BITS)
    assert DependencyDescriptor.parse(packed(L1T2_BITS)) == descriptor
    assert [L1T2.layer_of(target) for target in range(2)] == [(0, 0), (0, 1)]
    assert (L1T2.chains, L1T2.spatial_layers) == (1, 1)


def test_later_packets_need_three_bytes_and_the_structure() -> None:
    reader = DependencyReader()
    assert reader.read(b"\xc7\x00\x02") is None
    assert reader.drops == {"early": 1}
    assert reader.read(packed(L1T2_BITS)) is not None
    assert (reader.structure, reader.active_decode_targets) == (L1T2, 0b11)
    found = reader.read(b"\xc7\x00\x02")
    assert found is not None
    descriptor, frame = found
    assert descriptor.serialize(L1T2) == b"\xc7\x00\x02"
    assert (frame.frame_number, frame.spatial_id, frame.temporal_id, frame.resolution) == (2, 0, 1, (640, 360))
    assert (frame.dtis, frame.fdiffs, frame.chain_fdiffs) == ((NOT, DISCARD), (1,), (1,))
    for damaged in (b"", b"\xc7\x00", b"\xc8\x00\x02", b"\x04\x00\x02"):
        assert reader.read(damaged) is None
    assert reader.drops == {"early": 1, "malformed": 4}


def test_a_frame_may_differ_from_its_template() -> None:
    descriptor = DependencyDescriptor(
        start_of_frame=True,
        end_of_frame=False,
        template_id=6,
        frame_number=0xABCD,
        active_decode_targets=0b01,
        custom_dtis=(REQUIRED, NOT),
        custom_fdiffs=(1, 16, 17, 4096),
        custom_chain_fdiffs=(255,),
    )
    wire = packed(
        "1 0 000110 1010101111001101  0 1 1 1 1  01  11 00  01 0000 01 1111 10 00010000 11 111111111111 00  11111111"
    )
    assert descriptor.serialize(L1T2) == wire
    assert DependencyDescriptor.parse(wire, L1T2) == descriptor
    frame = descriptor.resolve(L1T2)
    assert (frame.dtis, frame.fdiffs, frame.chain_fdiffs) == ((REQUIRED, NOT), (1, 16, 17, 4096), (255,))
    reader = DependencyReader()
    reader.read(packed(L1T2_BITS))
    reader.read(wire)
    assert reader.active_decode_targets == 0b01
    reader.read(packed(L1T2_BITS))
    assert reader.active_decode_targets == 0b11, "a structure that comes makes all of its targets active"


def test_what_browsers_wrote_is_read_and_written_again_bit_for_bit() -> None:
    """Chromium with AV1 in L1T3, VP9 in L3T3_KEY and a simulcast of VP8, and Firefox with a simulcast."""
    reader = DependencyReader()
    layers = set()
    for element in recorded("dependency"):
        found = reader.read(element)
        assert found is not None
        descriptor, frame = found
        assert descriptor.serialize(reader.structure) == element
        layers.add((frame.spatial_id, frame.temporal_id))
    assert layers == {(0, 0), (0, 1), (0, 2)}
    assert not reader.drops
    for element in recorded("allocation"):
        allocation = VideoLayersAllocation.parse(element)
        assert allocation.serialize() == element
        assert allocation.layers[0].resolution == (320, 180)


@st.composite
def structures(draw: st.DrawFn) -> FrameDependencyStructure:
    targets = draw(st.integers(1, 32))
    chains = draw(st.integers(0, min(targets, 4)))
    layers = [(0, 0)]
    for step in draw(st.lists(st.integers(0, 2), max_size=63)):
        spatial, temporal = layers[-1]
        layers.append([(spatial, temporal), (spatial, temporal + 1), (spatial + 1, 0)][step])
    dti = st.sampled_from(DecodeTargetIndication)
    few = draw(st.integers(0, 5))
    return FrameDependencyStructure(
        template_id_offset=draw(st.integers(0, 63)),
        decode_targets=targets,
        templates=tuple(
            FrameTemplate(
                spatial_id=spatial,
                temporal_id=temporal,
                dtis=(draw(dti),) * targets,
                fdiffs=tuple(draw(st.lists(st.integers(1, 16), max_size=few))),
                chain_fdiffs=(draw(st.integers(0, 15)),) * chains,
            )
            for spatial, temporal in layers
        ),
        protected_by=tuple(draw(st.integers(0, chains - 1)) for _ in range(targets)) if chains else (),
        resolutions=tuple((draw(st.integers(1, 65536)), 65536 - n) for n in range(layers[-1][0] + 1))
        if draw(st.booleans())
        else (),
    )


@settings(max_examples=100)
@given(structures(), st.data())
def test_what_is_written_is_read(structure: FrameDependencyStructure, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(structure.templates) - 1))
    dti = st.sampled_from(DecodeTargetIndication)
    targets, chains = structure.decode_targets, structure.chains
    descriptor = DependencyDescriptor(
        start_of_frame=data.draw(st.booleans()),
        end_of_frame=data.draw(st.booleans()),
        template_id=(structure.template_id_offset + index) % 64,
        frame_number=data.draw(st.integers(0, 65535)),
        structure=data.draw(st.sampled_from([None, structure])),
        active_decode_targets=data.draw(st.none() | st.integers(0, (1 << targets) - 1)),
        custom_dtis=data.draw(st.none() | st.tuples(*[dti] * targets)),
        custom_fdiffs=data.draw(st.none() | st.lists(st.integers(1, 4096), max_size=8).map(tuple)),
        custom_chain_fdiffs=data.draw(st.none() | st.tuples(*[st.integers(0, 255)] * chains)),
    )
    wire = descriptor.serialize(structure)
    assert DependencyDescriptor.parse(wire, structure) == descriptor
    assert descriptor.resolve(structure).spatial_id == structure.templates[index].spatial_id
    for cut in range(min(3, len(wire))):
        with pytest.raises(DecodeError):
            DependencyDescriptor.parse(wire[:cut], structure)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_a_reader_takes_anything(elements: list[bytes]) -> None:
    reader = DependencyReader()
    reader.read(packed(L1T2_BITS))
    read = sum(reader.read(each) is not None for each in elements)
    assert read + reader.drops.total() == len(elements)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"templates": ()}, "1 to 64 templates"),
        ({"templates": L1T2.templates[2:]}, "layer 0"),
        ({"templates": L1T2.templates[::2][::-1]}, "layer 0"),
        ({"decode_targets": 3}, "2 indications for 3"),
        ({"protected_by": ()}, "the one that protects it"),
        ({"resolutions": ((1, 1), (2, 2))}, "2 resolutions for 1"),
        ({"template_id_offset": 64}, "does not fit"),
        ({"resolutions": ((0, 1),)}, "does not fit"),
        ({"protected_by": (0, 1)}, "not below 1"),
        (
            {"templates": (L1T2.templates[0], attrs.evolve(L1T2.templates[1], chain_fdiffs=()))},
            "number of their chains",
        ),
        ({"templates": (L1T2.templates[0], attrs.evolve(L1T2.templates[1], temporal_id=2))}, "without a gap"),
    ],
)
def test_a_structure_that_cannot_be_is_refused(changes: dict[str, object], says: str) -> None:
    wrong = attrs.evolve(L1T2, **changes)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=says):
        wrong.write(BitWriter())


def test_a_descriptor_that_cannot_be_is_refused() -> None:
    plain = DependencyDescriptor(template_id=5, frame_number=1)
    for descriptor, known, says in (
        (plain, None, "brings its structure"),
        (attrs.evolve(plain, template_id=8), L1T2, "template 8 is not in"),
        (attrs.evolve(plain, frame_number=65536), L1T2, "does not fit"),
        (attrs.evolve(plain, custom_dtis=(NOT,)), L1T2, "1 indications for 2"),
        (attrs.evolve(plain, custom_chain_fdiffs=()), L1T2, "0 distances for 1"),
        (attrs.evolve(plain, custom_fdiffs=(4097,)), L1T2, "does not fit"),
        (attrs.evolve(plain, custom_fdiffs=(0,)), L1T2, "does not fit"),
    ):
        with pytest.raises(InvalidArgument, match=says):
            descriptor.serialize(known)
    with pytest.raises(InvalidArgument, match="template 8"):
        attrs.evolve(plain, template_id=8).resolve(L1T2)


def test_more_templates_or_references_than_can_be_are_not_read() -> None:
    with pytest.raises(DecodeError, match="64 templates"):
        FrameDependencyStructure.read(BitReader(packed("000000 00000" + "00" * 64)))
    with pytest.raises(DecodeError, match="64 references"):
        FrameDependencyStructure.read(BitReader(packed("000000 00000 11 00" + "1 0000" * 65)))
    head = "1 1 000101 0000000000000001  0 0 0 1 0"
    with pytest.raises(DecodeError, match="64 references"):
        DependencyDescriptor.parse(packed(head + "01 0000" * 65), L1T2)


@given(st.integers(1, 40).flatmap(lambda limit: st.tuples(st.just(limit), st.integers(0, limit - 1))))
def test_numbers_below_a_limit_take_as_few_bits_as_they_need(pair: tuple[int, int]) -> None:
    limit, value = pair
    bits = BitWriter()
    bits.below(value, limit)
    bits.fixed(0b101, 3)
    reader = BitReader(bits.finish())
    assert reader.below(limit) == value
    assert reader.fixed(3) == 0b101


def test_an_allocation_of_simulcast_as_it_stands_on_the_wire() -> None:
    allocation = VideoLayersAllocation(
        stream=1,
        streams=3,
        layers=tuple(
            AllocatedLayer(
                stream=number,
                spatial_id=0,
                rates_kbps=rates,
                resolution=(320 << number, 180 << number),
                frame_rate=30,
            )
            for number, rates in enumerate([(100, 150), (300, 500), (1000, 2500)])
        ),
    )
    wire = bytes.fromhex("615464 9601 ac02 f403 e807 c413013f00b31e027f01671e04ff02cf1e")
    assert allocation.serialize() == wire
    assert VideoLayersAllocation.parse(wire) == allocation


def test_an_allocation_whose_streams_differ_and_one_of_nothing() -> None:
    allocation = VideoLayersAllocation(
        streams=2,
        layers=(
            AllocatedLayer(stream=0, spatial_id=0, rates_kbps=(1,)),
            AllocatedLayer(stream=1, spatial_id=1, rates_kbps=(2, 3, 4, 127)),
        ),
    )
    assert allocation.serialize() == bytes.fromhex("10 12 30 01 02 03 04 7f")
    assert VideoLayersAllocation.parse(allocation.serialize()) == allocation
    assert VideoLayersAllocation.parse(b"\x80") == VideoLayersAllocation(stream=2)
    assert VideoLayersAllocation(stream=2).serialize() == b"\x80"


@st.composite
def allocations(draw: st.DrawFn) -> VideoLayersAllocation:
    streams = draw(st.integers(1, 4))
    places = draw(st.sets(st.tuples(st.integers(0, streams - 1), st.integers(0, 3)), min_size=1))
    told = draw(st.booleans())
    size, rates = st.integers(1, 65536), st.lists(st.integers(0, (1 << 35) - 1), min_size=1, max_size=4)
    return VideoLayersAllocation(
        stream=draw(st.integers(0, streams - 1)),
        streams=streams,
        layers=tuple(
            AllocatedLayer(
                stream=stream,
                spatial_id=spatial,
                rates_kbps=tuple(draw(rates)),
                resolution=draw(st.tuples(size, size)) if told else None,
                frame_rate=draw(st.integers(0, 255)) if told else None,
            )
            for stream, spatial in sorted(places)
        ),
    )


@given(allocations())
def test_an_allocation_is_read_as_it_was_written_and_not_when_cut(allocation: VideoLayersAllocation) -> None:
    wire = allocation.serialize()
    assert VideoLayersAllocation.parse(wire) == allocation
    with pytest.raises(DecodeError):
        VideoLayersAllocation.parse(wire + b"\x01")
    with pytest.raises(DecodeError):
        VideoLayersAllocation.parse(wire[:-1])


@given(st.binary(max_size=80))
def test_an_allocation_may_be_anything(data: bytes) -> None:
    try:
        found = VideoLayersAllocation.parse(data)
    except DecodeError:
        return
    assert len(found.layers) <= 16
    assert VideoLayersAllocation.parse(found.serialize()) == found or not found.layers


@pytest.mark.parametrize(
    ("layers", "streams", "says"),
    [
        ([(1, 0), (0, 0)], 2, "ordered"),
        ([(0, 0), (0, 0)], 1, "each once"),
        ([(1, 0)], 1, "stream 0 of 1"),
        ([(0, 4)], 1, "0 to 3"),
    ],
)
def test_an_allocation_that_cannot_be_is_refused(layers: list[tuple[int, int]], streams: int, says: str) -> None:
    wrong = VideoLayersAllocation(
        streams=streams, layers=tuple(AllocatedLayer(stream=a, spatial_id=b, rates_kbps=(1,)) for a, b in layers)
    )
    with pytest.raises(InvalidArgument, match=says):
        wrong.serialize()


def test_rates_and_sizes_that_cannot_be_are_refused() -> None:
    layer = AllocatedLayer(stream=0, spatial_id=0, rates_kbps=(1,))
    for wrong, says in (
        (attrs.evolve(layer, rates_kbps=()), "1 to 4 temporal"),
        (attrs.evolve(layer, rates_kbps=(1 << 35,)), "cannot be told"),
        (attrs.evolve(layer, resolution=(1, 1)), "for all layers or for none"),
        (attrs.evolve(layer, resolution=(0, 1), frame_rate=30), "does not fit"),
    ):
        with pytest.raises(InvalidArgument, match=says):
            VideoLayersAllocation(layers=(wrong,)).serialize()
