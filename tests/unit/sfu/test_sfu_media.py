"""Forwarding: numbers, layers, key frames, codecs, and the fan-out, on plain objects."""

import gc
import itertools
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.media import BEST, LayerSelector, Munger, Outlet, RouteTable, detector, low_to_high, matching_payload_type
from tests.unit.sfu.forwarding import KEY, Codec, Packet, Sink, Source, route


def pause(table, track, generation, paused, now):
    table.change(track, "PA_1", generation, paused=paused, ceiling=BEST, now=now)


@pytest.fixture
def video():
    table, source, sink = RouteTable(), Source(), Sink()
    table.publish("TR_1", "video", source)
    assert route(table, "TR_1", "PA_1", sink)
    return table, source, sink


def test_a_subscription_asks_for_a_key_frame_at_once(video):
    _, source, _ = video
    assert source.requested == [""]


def test_nothing_flows_before_a_key_frame_and_everything_after_it(video):
    table, source, sink = video
    source.on_packet(Packet(1, 3000), "")
    assert sink.sent == []
    source.on_packet(Packet(2, 6000, KEY), "")
    source.on_packet(Packet(3, 6000), "")
    assert [(seq, ts, pt) for seq, ts, pt, _ in sink.sent] == [(2, 6000, 120), (3, 6000, 120)]
    down = table.get("TR_1").downs["PA_1"]
    assert (down.packets, down.octets) == (2, 4)


def test_a_key_frame_is_asked_for_again_while_packets_come_without_one(video):
    _, source, _ = video
    for number in range(40):
        source.on_packet(Packet(number, arrival=number * 0.1), "")
    assert 7 <= len(source.requested) <= 9


def test_what_a_viewer_asks_for_reaches_the_publisher(video):
    _, source, sink = video
    sink.on_key_frame_request()
    assert len(source.requested) == 2


def test_audio_flows_from_the_first_packet_and_asks_for_no_key_frame():
    table, source, sink = RouteTable(), Source([Codec(111, "opus", 48000, 2)]), Sink([Codec(109, "OPUS", 48000, 2)])
    table.publish("TR_1", "audio", source)
    route(table, "TR_1", "PA_1", sink)
    source.on_packet(Packet(9, 960, b"x", payload_type=111), "")
    assert sink.sent == [(9, 960, 109, b"x")]
    assert source.requested == []


def test_a_codec_that_the_viewer_lacks_is_counted_not_sent():
    table, source, sink = RouteTable(), Source([Codec(96, "VP8"), Codec(98, "VP9")]), Sink([Codec(98, "VP9")])
    table.publish("TR_1", "video", source)
    route(table, "TR_1", "PA_1", sink)
    source.on_packet(Packet(1, payload=KEY), "")
    source.on_packet(Packet(2, payload=KEY, payload_type=55), "")
    assert sink.sent == []
    assert table.get("TR_1").downs["PA_1"].drops == {"codec": 2}


def test_a_track_fits_where_the_codec_that_is_sent_first_was_agreed():
    table = RouteTable()
    table.publish("TR_1", "video", Source([Codec(97, "rtx"), Codec(98, "VP9"), Codec(96, "VP8")]))
    up = table.get("TR_1")
    sinks = [Sink([Codec(1, "VP8")]), Sink([Codec(1, "VP8"), Codec(2, "vp9")])]
    assert [up.fits(Outlet(sink, Munger(90000))) for sink in sinks] == [False, True]
    sinks[0].codecs = ()
    assert up.fits(Outlet(sinks[0], Munger(90000))), "nothing was agreed yet"
    table.publish("TR_1", "video", Source([Codec(97, "rtx")]))
    assert table.get("TR_1").fits(Outlet(sinks[1], Munger(90000)))


def test_what_the_transport_refuses_is_counted_and_hurts_nobody_else():
    table, source, slow, gone, good = RouteTable(), Source(), Sink(), Sink(), Sink()
    table.publish("TR_1", "video", source)
    for number, sink in enumerate((slow, gone, good)):
        route(table, "TR_1", f"PA_{number}", sink)
    slow.full = gone.ended = True
    source.on_packet(Packet(1, payload=KEY), "")
    assert len(good.sent) == 1
    downs = table.get("TR_1").downs
    assert downs["PA_0"].drops == downs["PA_1"].drops == {"transport": 1}


def test_a_pause_leaves_no_hole_and_ends_with_a_key_frame(video):
    table, source, sink = video
    source.on_packet(Packet(10, 1000, KEY, arrival=1.0), "")
    pause(table, "TR_1", 1, True, 1.0)
    for number in range(11, 20):
        source.on_packet(Packet(number, 1000 + number, arrival=1.5), "")
    asked = len(source.requested)
    pause(table, "TR_1", 1, False, 2.0)
    assert len(source.requested) == asked + 1
    source.on_packet(Packet(20, 91000, arrival=2.0), "")
    source.on_packet(Packet(21, 91000, KEY, arrival=2.0), "")
    assert [seq for seq, *_ in sink.sent] == [10, 11]
    assert sink.sent[1][1] == 1000 + 90000, "the clock went on"
    pause(table, "TR_1", 1, False, 2.0)
    assert len(source.requested) == asked + 1, "nothing changed"


def test_a_paused_start_waits(video):
    table, source, _ = video
    late = Sink()
    route(table, "TR_1", "PA_2", late, paused=True)
    asked = len(source.requested)
    source.on_packet(Packet(1, payload=KEY), "")
    assert late.sent == []
    assert asked == 1


def test_a_late_end_of_an_old_binding_leaves_the_new_one_alone(video):
    table, source, sink = video
    replacement = Sink()
    route(table, "TR_1", "PA_1", replacement, generation=2)
    assert sink.on_key_frame_request is None
    table.remove("TR_1", "PA_1", 1)
    pause(table, "TR_1", 1, True, 0.0)
    source.on_packet(Packet(1, payload=KEY), "")
    assert len(replacement.sent) == 1
    table.remove("TR_1", "PA_1", 2)
    source.on_packet(Packet(2, payload=KEY), "")
    assert len(replacement.sent) == 1
    table.remove("TR_none", "PA_1", 2)
    pause(table, "TR_none", 2, True, 0.0)


def test_a_route_without_a_track_is_refused_and_an_ended_track_lets_go():
    table, source, sink = RouteTable(), Source(), Sink()
    assert not route(table, "TR_1", "PA_1", sink)
    table.publish("TR_1", "video", source)
    route(table, "TR_1", "PA_1", sink)
    refs = [weakref.ref(source), weakref.ref(sink)]
    table.clear()
    assert source.on_packet is None
    assert sink.on_key_frame_request is None
    assert len(table) == 0
    del source, sink
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_numbers_continue_when_another_track_takes_the_same_section():
    """One SSRC: a jump back would end the receiver's decryption (RFC 3711 section 3.3.1)."""
    table, first, second, sink, munger = RouteTable(), Source(), Source(), Sink(), Munger(90000)
    table.publish("TR_1", "video", first)
    table.publish("TR_2", "video", second)
    route(table, "TR_1", "PA_1", sink, munger=munger)
    first.on_packet(Packet(65535, 500, KEY, arrival=1.0), "")
    table.remove("TR_1", "PA_1", 1)
    route(table, "TR_2", "PA_1", sink, munger=munger)
    second.on_packet(Packet(40000, 7, KEY, arrival=2.0), "")
    assert [seq for seq, *_ in sink.sent] == [65535, 0]
    assert sink.sent[1][1] == 500 + 90000


def test_simulcast_forwards_one_layer_and_moves_up_at_a_key_frame():
    table, source, sink = RouteTable(), Source(), Sink()
    table.publish("TR_1", "video", source, ["f", "h", "q"])
    route(table, "TR_1", "PA_1", sink)
    source.on_packet(Packet(100, 1, KEY, arrival=1.0), "q")
    source.on_packet(Packet(500, 9, arrival=1.01), "f")
    source.on_packet(Packet(101, 2, arrival=1.02), "q")
    assert table.get("TR_1").layer == "f"
    assert source.requested[-1] == "f"
    source.on_packet(Packet(501, 10, KEY, arrival=1.03), "f")
    source.on_packet(Packet(102, 3, arrival=1.04), "q")
    source.on_packet(Packet(499, 8, arrival=1.05), "f")
    source.on_packet(Packet(502, 11, arrival=1.06), "f")
    assert [seq for seq, *_ in sink.sent] == [100, 101, 102, 103]
    assert table.get("TR_1").downs["PA_1"].drops == {"before switch": 1}


def layers_of(source, layers, now, payload=KEY):
    for number, rid in enumerate(layers):
        source.on_packet(Packet(number * 1000 + round(now * 10), round(now * 90000), payload, arrival=now), rid)


def test_each_subscriber_gets_the_best_layer_that_it_wants():
    table, source = RouteTable(), Source()
    sinks = {ceiling: Sink() for ceiling in (0, 1, BEST)}
    table.publish("TR_1", "video", source, ["q", "h", "f"])
    for ceiling, sink in sinks.items():
        route(table, "TR_1", f"PA_{ceiling}", sink, ceiling=ceiling)
    layers_of(source, "qhf", 1.0)
    layers_of(source, "qhf", 1.1)
    downs = table.get("TR_1").downs
    assert {ceiling: downs[f"PA_{ceiling}"].layer for ceiling in sinks} == {0: "q", 1: "h", BEST: "f"}
    assert {ceiling: len(sink.sent) for ceiling, sink in sinks.items()} == {0: 2, 1: 3, BEST: 4}


def test_a_wish_for_another_layer_waits_for_its_key_frame_and_leaves_no_hole():
    table, source, sink = RouteTable(), Source(), Sink()
    table.publish("TR_1", "video", source, ["q", "h", "f"])
    route(table, "TR_1", "PA_1", sink)
    layers_of(source, "qhf", 1.0)
    layers_of(source, "qhf", 1.1)
    asked, sent = len(source.requested), len(sink.sent)
    table.change("TR_1", "PA_1", 1, paused=False, ceiling=0, now=1.2)
    assert source.requested[asked:] == ["q"]
    layers_of(source, "qhf", 1.2, payload=b"\x11")
    assert len(sink.sent) == sent + 1, "the old layer flows on"
    assert table.get("TR_1").downs["PA_1"].waiting
    layers_of(source, "qhf", 1.3)
    layers_of(source, "qhf", 1.4, payload=b"\x11")
    assert table.get("TR_1").downs["PA_1"].layer == "q"
    numbers = [seq for seq, *_ in sink.sent]
    assert numbers == list(range(numbers[0], numbers[0] + sent + 3))
    table.change("TR_1", "PA_1", 1, paused=False, ceiling=0, now=1.5)
    assert len(source.requested) == asked + 1, "nothing changed"
    table.change("TR_1", "PA_1", 1, paused=False, ceiling=BEST, now=1.6)
    assert source.requested[-1] == "f"


def test_a_key_frame_of_the_layer_that_is_awaited_is_asked_for_again():
    table, source, low, high = RouteTable(), Source(), Sink(), Sink()
    table.publish("TR_1", "video", source, ["q", "f"])
    route(table, "TR_1", "PA_0", low, ceiling=0)
    route(table, "TR_1", "PA_1", high)
    layers_of(source, "qf", 1.0, payload=b"\x11")
    source.requested.clear()
    layers_of(source, "qf", 1.6, payload=b"\x11")
    assert sorted(source.requested) == ["f", "q"]
    low.on_key_frame_request()
    assert source.requested[-1] == "q"


def test_a_layer_that_falls_silent_is_given_up():
    selector = LayerSelector(["q", "h", "f"])
    assert selector.seen("f", 0.0)
    for tick in range(1, 30):
        selector.seen("q", tick * 0.1)
        assert selector.best(BEST) == ("f" if tick * 0.1 <= 2.0 else "q")
    assert selector.seen("f", 3.0)
    assert selector.best(BEST) == "f"


def test_no_layer_below_the_ceiling_means_the_lowest():
    selector = LayerSelector(["q", "h", "f"])
    assert selector.best(BEST) == ""
    selector.seen("f", 0.0)
    assert selector.best(0) == "f"
    selector.seen("h", 0.1)
    assert selector.best(0) == "h"


def test_layers_are_ordered_by_meaning_and_strangers_are_bounded():
    assert low_to_high(["f", "q", "h"]) == ("q", "h", "f")
    assert low_to_high(["x", "a"]) == ("x", "a")
    selector = LayerSelector(["q", "f"])
    for number in range(100):
        selector.seen(f"stranger{number}", 0.0)
    assert selector.seen("q", 0.1)
    assert selector.best(BEST) == "q"
    assert not selector.seen("stranger0", 0.2)
    assert len(selector._rank) == 8


def test_bitrate_is_what_arrived_in_the_last_second():
    table, source = RouteTable(), Source()
    table.publish("TR_1", "video", source)
    for number in range(200):
        source.on_packet(Packet(number, payload=bytes(1250), arrival=10 + number * 0.01), "")
    up = table.get("TR_1")
    assert up.bitrate_bps(12.0) == pytest.approx(1e6, rel=0.05)
    assert up.bitrate_bps(15.0) == 0


@pytest.fixture
def voice():
    table, source, sink = RouteTable(), Source([Codec(111, "opus", 48000, 2)]), Sink([Codec(111, "opus", 48000, 2)])
    table.publish("TR_1", "audio", source)
    route(table, "TR_1", "PA_1", sink, kind_clock=48000)

    def say(number, ssrc, at):
        source.on_packet(Packet(number & 0xFFFF, 960 * number, b"x", payload_type=111, arrival=at, ssrc=ssrc), "")

    return table, sink, say


def test_a_publisher_that_changes_its_ssrc_is_heard_on(voice):
    """RFC 3550 8.2: numbers of another source have nothing to do with those before."""
    table, sink, say = voice
    for tick in range(3):
        say(23333 + tick, 1, tick * 0.02)
    for tick in range(3, 60):
        say(120 + tick, 2, tick * 0.02)
        if tick == 10:
            say(23336, 1, tick * 0.02)  # sent before, and late
    assert [number for number, *_ in sink.sent] == list(range(23333, 23333 + 60))
    assert {(later[1] - sooner[1]) for sooner, later in itertools.pairwise(sink.sent)} == {960}
    assert table.get("TR_1").downs["PA_1"].drops == {"former source": 1}
    say(23337, 1, 10.0)
    assert sink.sent[-1][0] == 23333 + 60, "after a while it may go back"


def test_a_new_source_of_pictures_begins_with_a_key_frame_that_is_asked_for_once(video):
    table, source, sink = video
    other = Sink()
    route(table, "TR_1", "PA_2", other)
    source.on_packet(Packet(500, 0, KEY), "")
    asked = len(source.requested)
    for number in range(10):
        source.on_packet(Packet(number, 90_000, arrival=0.1 + number * 0.01, ssrc=2), "")
        source.on_packet(Packet(501 + number, 3000, arrival=0.1 + number * 0.01, ssrc=1), "")
    assert len(sink.sent) == len(other.sent) == 1, "nothing that cannot be decoded"
    assert len(source.requested) == asked + 1
    source.on_packet(Packet(10, 99_000, KEY, arrival=0.3, ssrc=2), "")
    source.on_packet(Packet(11, 102_000, arrival=0.33, ssrc=2), "")
    assert [number for number, *_ in sink.sent] == [number for number, *_ in other.sent] == [500, 501, 502]
    source.on_packet(Packet(700, 0, KEY, arrival=5, ssrc=3), "")
    assert sink.sent[-1][0] == 503, "one that begins with a key frame waits for nothing"


@given(
    first=st.integers(0, 65535),
    stamp=st.integers(0, 2**32 - 1),
    runs=st.lists(
        st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(1, 40)), min_size=1, max_size=8
    ),
)
@settings(deadline=None)
def test_whatever_is_switched_the_receiver_sees_one_stream(first, stamp, runs):
    munger, now, out = Munger(90000), 0.0, []
    for start, ts, count in [(first, stamp, 5), *runs]:
        now += 0.5
        munger.switch(start, ts, now)
        for offset in range(count):
            out.append(munger.translate((start + offset) & 0xFFFF, (ts + offset * 3000) & 0xFFFFFFFF, now))
            now += 1 / 30
    assert out[0] == (first, stamp)
    for (seq, ts), (following, later) in itertools.pairwise(out):
        assert (following - seq) & 0xFFFF == 1
        assert 0 < (later - ts) & 0xFFFFFFFF < 90000


def test_reordering_within_a_source_keeps_its_order_numbers():
    munger = Munger(90000)
    munger.switch(10, 0, 0.0)
    assert munger.translate(10, 0, 0.0) == (10, 0)
    assert munger.translate(12, 2, 0.0) == (12, 2)
    assert munger.translate(11, 1, 0.0) == (11, 1)
    assert munger.sequence_number == 12
    assert munger.translate(9, 0, 0.0) is None, "its number was taken before the switch"


@pytest.mark.parametrize(
    ("codec", "payload", "expected"),
    [
        ("VP8", "", False),
        ("VP8", "1000", True),
        ("VP8", "1001", False),
        ("VP8", "0000", False),  # no start of a partition
        ("VP8", "1100", False),  # another partition
        ("VP8", "9080ff01e0e000", True),  # X, I with 15 bits of picture id ... then TL0PICIDX missing: I only
        ("VP8", "90e0812345c000", True),  # I, L, T
        ("VP8", "9080", False),
        ("VP9", "08", True),
        ("VP9", "48", False),
        ("VP9", "28", False),
        ("VP9", "2800", True),
        ("VP9", "2802", False),
        ("VP9", "a8810100", True),
        ("VP9", "", False),
        ("H264", "65", True),
        ("H264", "67", True),
        ("H264", "41", False),
        ("H264", "180001670001ff", True),
        ("H264", "180001410001ff", False),
        ("H264", "7c85", True),
        ("H264", "7c05", False),
        ("H264", "7c81", False),
        ("H264", "", False),
        ("AV1", "08", True),
        ("AV1", "00", False),
        ("H266", "00", True),
    ],
)
def test_key_frames_by_their_first_bytes(codec, payload, expected):
    if payload == "9080ff01e0e000":
        payload = "9080ff0100"
    assert detector(codec)(bytes.fromhex(payload)) is expected


@given(st.sampled_from(["VP8", "VP9", "H264", "AV1"]), st.binary(max_size=60))
def test_no_payload_breaks_a_detector(codec, payload):
    assert detector(codec)(payload) in {True, False}


def test_codecs_match_by_what_a_decoder_must_understand():
    h264 = Codec(102, "H264", fmtp={"packetization-mode": "1", "profile-level-id": "42e01f"})
    assert matching_payload_type(h264, [Codec(1, "H264"), Codec(2, "h264", fmtp={"packetization-mode": "1"})]) is None
    other_level = Codec(3, "h264", fmtp={"packetization-mode": "1", "profile-level-id": "42E034"})
    assert matching_payload_type(h264, [other_level]) == 3
    assert matching_payload_type(Codec(98, "VP9"), [Codec(5, "VP9", fmtp={"profile-id": "2"})]) is None
    assert matching_payload_type(Codec(98, "VP9"), [Codec(5, "VP9", fmtp={"profile-id": "0"})]) == 5
    assert matching_payload_type(Codec(45, "AV1"), [Codec(6, "AV1", fmtp={"profile": "0"})]) == 6
    assert matching_payload_type(Codec(97, "rtx"), [Codec(97, "rtx")]) is None
    assert matching_payload_type(Codec(0, "PCMU", 8000, 1), [Codec(0, "PCMU", 8000)]) == 0
