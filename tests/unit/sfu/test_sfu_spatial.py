"""Spatial layers inside one stream: which packets a subscriber gets, and that it sees one stream without holes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.rtp import DEPENDENCY_DESCRIPTOR
from pystack.rtp.descriptor import (
    DecodeTargetIndication,
    DependencyDescriptor,
    FrameDependencyStructure,
    FrameTemplate,
)
from sfu.media import BEST, Munger, RouteTable
from sfu.media.spatial import Av1Layers, SpatialLayers
from tests.unit.sfu.forwarding import Codec, Packet, Sink, Source, route


def vp9(layer, *, key=False, first=True, last=True):
    """A payload of one layer frame, in flexible mode with a long picture id (RFC 9628 section 4.2)."""
    depends = layer > 0 and key  # K-SVC: layers refer to each other at key pictures alone
    head = 0x80 | (0 if key else 0x40) | 0x20 | 0x10 | (0x08 if first else 0) | (0x04 if last else 0)
    references = b"" if key else b"\x02"
    return bytes((head, 0x81, 0x23, layer << 1 | depends)) + references + b"frame"


class Camera:
    """Sends pictures of three layers, two packets each."""

    def __init__(self, source):
        self.source = source
        self.number = itertools.count(65530)  # over the wrap
        self.picture = 0

    def send(self, *, layers=(0, 1, 2), key=False):
        self.picture += 1
        for layer in layers:
            for part in range(2):
                packet = Packet(
                    next(self.number) & 0xFFFF,
                    self.picture * 3000,
                    vp9(layer, key=key, first=part == 0, last=part == 1),
                    payload_type=98,
                    arrival=self.picture / 30,
                    marker=layer == max(layers) and part == 1,
                )
                self.source.on_packet(packet, "")


@pytest.fixture
def room():
    table, source = RouteTable(), Source([Codec(98, "VP9")])
    table.publish("TR_1", "video", source)
    return table, source, Camera(source)


def viewer(table, name, ceiling):
    sink = Sink([Codec(100, "VP9")])
    route(table, "TR_1", name, sink, ceiling=ceiling)
    return sink


def layers_of(sink, since=0):
    return [payload[3] >> 1 for _, _, _, payload in sink.sent[since:]]


def in_one_row(sink):
    numbers = [number for number, _, _, _ in sink.sent]
    return all((after - before) & 0xFFFF == 1 for before, after in itertools.pairwise(numbers))


def test_each_viewer_gets_the_layers_up_to_its_wish_in_one_stream(room):
    table, _, camera = room
    camera.send(key=True)  # before anybody sees it, the layers are known
    sinks = [viewer(table, f"PA_{ceiling}", ceiling) for ceiling in (0, 1, 2)]
    camera.send()
    assert not any(sink.sent for sink in sinks)
    for key in (True, False, False):
        camera.send(key=key)
    for ceiling, sink in enumerate(sinks):
        assert layers_of(sink) == [layer for layer in range(ceiling + 1) for _ in range(2)] * 3
        assert in_one_row(sink)
        ends = [number for number, _, _, payload in sink.sent if payload[0] & 0x04 and payload[3] >> 1 == ceiling]
        assert sink.marked == ends, "each picture ends with the best layer that is sent"
    assert table.get("TR_1").downs["PA_0"].drops == {}


def test_fewer_layers_begin_with_the_next_picture_and_more_with_a_key_picture(room):
    table, source, camera = room
    camera.send(key=True)
    sink = viewer(table, "PA_1", BEST)
    camera.send(key=True)
    down = table.get("TR_1").downs["PA_1"]
    assert (down.spatial, down.waiting) == (2, False)
    source.requested.clear()

    def wish(ceiling):
        table.change("TR_1", "PA_1", 1, paused=False, ceiling=ceiling, now=camera.picture / 30)

    wish(0)
    assert source.requested == [], "nothing has to be asked for"
    before = len(sink.sent)
    camera.send()
    assert layers_of(sink, before) == [0, 0]
    wish(1)
    assert source.requested == [""]
    for _ in range(40):
        camera.send()
    assert set(layers_of(sink, before)) == {0}, "the lower layers go on meanwhile"
    assert 3 <= len(source.requested) <= 4, "and it is asked for again"
    before = len(sink.sent)
    camera.send(key=True)
    camera.send()
    assert layers_of(sink, before) == [0, 0, 1, 1] * 2
    assert in_one_row(sink)


def test_a_layer_that_appears_is_taken_and_one_that_goes_is_not_waited_for(room):
    table, source, camera = room
    sink = viewer(table, "PA_1", BEST)
    camera.send(key=True, layers=(0, 1))
    assert layers_of(sink) == [0] * 2, "the upper one was not known when the picture began"
    camera.send(key=True, layers=(0, 1))
    source.requested.clear()
    camera.send()
    assert source.requested == [""], "a better layer came"
    camera.send(key=True)
    before = len(sink.sent)
    camera.send()
    assert layers_of(sink, before) == [0, 0, 1, 1, 2, 2]
    for _ in range(80):
        camera.send(layers=(0,))
    down = table.get("TR_1").downs["PA_1"]
    assert (down.spatial_target, down.waiting) == (0, False)
    assert in_one_row(sink)


def test_layers_inside_count_only_where_one_stream_is_sent_of_those_announced():
    table, source = RouteTable(), Source([Codec(98, "VP9")])
    table.publish("TR_1", "video", source, ["q", "h", "f"])  # as LiveKit's native SDKs announce SVC
    sink = viewer(table, "PA_1", 0)
    numbers = {rid: itertools.count(100) for rid in "qf"}

    def picture(rid, stamp):
        for layer in range(3):
            packet = Packet(next(numbers[rid]), stamp, vp9(layer, key=True), 98, arrival=stamp / 90000)
            source.on_packet(packet, rid)

    picture("f", 3000)
    picture("f", 6000)
    assert layers_of(sink) == [0, 0], "the lowest inside, of the only stream"
    picture("q", 9000)
    assert layers_of(sink, 2) == [0, 1, 2], "all of the lowest stream"
    down = table.get("TR_1").downs["PA_1"]
    assert (down.layer, down.spatial_target) == ("q", 2)
    assert in_one_row(sink)


def test_a_stream_without_layers_flows_whole(room):
    table, source, _ = room
    sink = viewer(table, "PA_1", 0)
    for number in range(10):
        source.on_packet(Packet(number, 3000 * number, b"\x08frame" if not number else b"\x48frame", 98), "")
    assert len(sink.sent) == 10


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_packet_breaks_the_reading_of_layers(payload, element):
    class Named:
        @staticmethod
        def get(packet, uri):
            return element

    layers = SpatialLayers({1: Codec(1, "VP9"), 2: Codec(2, "AV1"), 3: Codec(3, "VP8")})
    for number in range(5):
        part = layers.read(Packet(1, 0, payload, number, extension_map=Named))
        assert part is None or layers.seen(part[0], 0.0) in {True, False}


def describe(template, number, *, structure=None, ends=True, **more):
    descriptor = DependencyDescriptor(
        template_id=template, frame_number=number, structure=structure, end_of_frame=ends, **more
    )
    return descriptor.serialize(STRUCTURE)


S, R, N = DecodeTargetIndication.SWITCH, DecodeTargetIndication.REQUIRED, DecodeTargetIndication.NOT_PRESENT
STRUCTURE = FrameDependencyStructure(
    template_id_offset=60,  # ids wrap
    decode_targets=2,
    templates=(
        FrameTemplate(spatial_id=0, dtis=(S, S)),
        FrameTemplate(spatial_id=0, dtis=(R, N), fdiffs=(2,)),
        FrameTemplate(spatial_id=1, dtis=(N, S), fdiffs=(1,)),
        FrameTemplate(spatial_id=1, dtis=(N, R), fdiffs=(2,)),
        FrameTemplate(spatial_id=1, dtis=(N, R), fdiffs=(2, 1)),
    ),
)


class Extension:
    """In the place of the map of a packet's extension ids: it has one element."""

    def __init__(self, element):
        self.element = element

    def get(self, packet, uri):
        return self.element if uri == DEPENDENCY_DESCRIPTOR else None


def test_av1_layers_come_from_the_dependency_descriptor():
    layers = Av1Layers()

    def read(element):
        return layers.read(Packet(1, extension_map=Extension(element)))

    assert layers.read(Packet(1)) is None
    assert read(None) is None
    assert read(describe(60, 0)) is None, "no structure yet"
    assert read(describe(60, 1, structure=STRUCTURE, ends=False)) == (0, False)
    assert read(describe(60, 1)) == (0, True)
    assert read(describe(62, 2)) == (1, True)
    for _ in range(2):  # once by the structure, once from memory
        assert read(describe(61, 3)) == (0, True)
        assert read(describe(63, 4, ends=False)) == (1, False)
    assert read(describe(0, 5)) == (1, True)
    assert read(describe(61, 6, custom_fdiffs=(4,))) == (0, True)
    assert read(describe(5, 7) if STRUCTURE.template(5) else bytes((0xC5, 0, 7))) is None, "no such template"


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=300),
    st.integers(0, 0xFFFF),
)
def test_left_out_packets_leave_no_holes_and_no_two_packets_have_one_number(packets, start):
    """Each packet is left out or not, and comes so many places late."""
    munger = Munger(90000)
    munger.switch(start, 0, 0.0)
    assert munger.translate(start, 0, 0.0) == (start, 0)
    order = sorted(range(len(packets)), key=lambda index: index + packets[index][1])
    sent = {}
    for index in order:
        number = (start + 1 + index) & 0xFFFF
        if packets[index][0]:
            munger.leave_out(number)
        else:
            numbers = munger.translate(number, index, index / 100)
            assert numbers is not None
            sent[index] = (numbers[0] - start) & 0xFFFF
    assert len(set(sent.values())) == len(sent)
    by_origin = [sent[index] for index in sorted(sent)]
    assert by_origin == sorted(by_origin), "order is kept"
    if all(late == 0 for _, late in packets):
        assert by_origin == list(range(1, len(sent) + 1)), "no holes"


def test_what_was_left_out_long_ago_is_forgotten():
    munger = Munger(90000)
    munger.switch(0, 0, 0.0)
    munger.translate(0, 0, 0.0)
    munger.leave_out(1)
    for number in range(2, 200_000):
        assert munger.translate(number & 0xFFFF, 0, 0.0) == ((number - 1) & 0xFFFF, 0)
