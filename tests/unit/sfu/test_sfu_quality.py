"""How good a track's way is, from windows of what was lost and how evenly it came."""

from types import SimpleNamespace

import pytest

from sfu.media import QualityMeter, RouteTable
from tests.unit.sfu.forwarding import KEY, Codec, Packet, Sink, Source, route


@pytest.mark.parametrize(
    ("kind", "packets", "lost", "delay", "score"),
    [
        ("video", 1000, 0, 0.0, 100),
        ("video", 1000, 20, 0.0, 80),
        ("audio", 1000, 20, 0.0, 84),
        ("video", 1000, -5, 0.04, 99),
        ("video", 1000, 0, 0.16, 96),
        ("video", 1000, 0, 0.52, 60),
        ("video", 10, 5, 9.0, 30),
    ],
)
def test_loss_and_delay_cost_what_clients_are_used_to(kind, packets, lost, delay, score):
    meter = QualityMeter(kind)
    assert meter.score is None
    meter.measure(packets, lost, delay)
    assert meter.score == pytest.approx(score)


def test_a_score_falls_fast_and_rises_slowly():
    meter = QualityMeter("video")
    meter.measure(100, 0, 0.0)
    meter.measure(100, 5, 0.0)
    assert meter.score == pytest.approx(60)
    meter.measure(100, 0, 0.0)
    assert meter.score == pytest.approx(76)
    meter.rest()
    assert meter.score == 100


def test_silence_is_poor_and_then_lost_until_something_comes():
    meter = QualityMeter("audio")
    meter.miss()
    assert meter.score == 40
    meter.miss()
    assert meter.score == 20
    meter.rest()
    assert meter.score == 20, "who is lost is not well again by muting"
    meter.measure(100, 0, 0.0)
    assert meter.score == pytest.approx(52)


def reception(expected, lost=0, max_jitter=0.0):
    return SimpleNamespace(expected=expected, lost=lost, max_jitter=max_jitter)


def report(packets, lost=0, max_jitter=0, max_round_trip_time=None):
    return SimpleNamespace(packets=packets, lost=lost, max_jitter=max_jitter, max_round_trip_time=max_round_trip_time)


@pytest.fixture
def video():
    table, source, sink = RouteTable(), Source([Codec(96, "VP8")]), Sink()
    table.publish("TR_1", "video", source, ["q", "h"])
    route(table, "TR_1", "PA_1", sink)
    for rid in "qh":
        source.on_packet(Packet(1, payload=KEY), rid)
    return table, source, sink


def test_a_track_is_as_good_as_all_its_layers_together(video):
    table, source, sink = video
    assert table.measure() == ({}, {}), "nothing to compare with yet"
    source.windows = {"q": reception(100, 1, 0.01), "h": reception(300, 3, 0.02)}
    sink.window = report(300, 3, 900, 0.2)  # a jitter of 10 ms
    tracks, subscribers = table.measure()
    assert tracks == {"TR_1": pytest.approx(90 - 1)}
    assert subscribers == {"PA_1": pytest.approx(90 - 3)}


def test_ac13_1_ac13_2_a_track_of_which_nothing_ever_came_is_poor_unless_it_is_muted():
    table, source = RouteTable(), Source()
    table.publish("TR_1", "video", source)
    assert table.measure() == ({}, {})
    assert table.measure() == ({}, {}), "nobody receives it, so it may have been told to send nothing"
    route(table, "TR_1", "PA_1", Sink(), paused=True)
    assert table.measure() == ({}, {})
    table.change("TR_1", "PA_1", 1, paused=False, ceiling=9, now=1.0)
    assert [table.measure()[0] for _ in range(3)] == [{"TR_1": 40}, {"TR_1": 20}, {"TR_1": 20}]


def test_what_should_not_flow_is_not_missed(video):
    table, source, sink = video
    source.windows = {"q": reception(0), "h": reception(0)}
    assert table.measure() == ({}, {}), "it has just begun"
    assert table.measure() == ({"TR_1": 40}, {})
    table.change("TR_1", "PA_1", 1, paused=True, ceiling=9, now=1.0)
    sink.window = report(0)
    assert table.measure() == ({"TR_1": 100}, {})
    table.remove("TR_1", "PA_1", 1)
    assert table.measure() == ({"TR_1": 100}, {})


def test_a_receiver_that_reports_nothing_for_half_a_minute_is_poor(video):
    table, _, sink = video
    for _ in range(5):
        assert table.measure()[1] == {}
    assert table.measure()[1] == {"PA_1": 40}
    sink.window = report(100)
    assert table.measure()[1] == {"PA_1": pytest.approx(64)}


def test_a_subscriber_is_as_good_as_the_worst_that_it_gets(video):
    table, _, sink = video
    second, other = Source([Codec(111, "opus", 48000, 2)]), Sink([Codec(111, "opus", 48000, 2)])
    table.publish("TR_2", "audio", second)
    route(table, "TR_2", "PA_1", other)
    sink.window, other.window = report(100), report(100, 5)
    assert table.measure()[1] == {"PA_1": pytest.approx(60)}
