"""A path that does not take everything: how it is shared out, and how more is tried."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp import Congestion
from sfu.media import BEST, Downlink, LayerSelector, Need, RouteTable, allocate
from sfu.media.allocation import cheapest_step
from sfu.media.rates import LayerRates
from tests.unit.sfu.forwarding import KEY, Codec, Packet, Sink, Source, route

CAMERA = (150_000.0, 400_000.0, 1_200_000.0)
VOICE = (40_000.0,)


class Flow:
    """A track that costs what it says, and counts its padding."""

    def __init__(self, costs, priority=0, *, pads=True):
        self.all = costs
        self.wanted = len(costs) - 1
        self.paused = False
        self.priority = priority
        self.pads = pads
        self.limited = BEST
        self.padded = 0
        self.changes = 0

    @property
    def key(self):
        return id(self), self.wanted, self.paused

    def costs(self, now):
        return (0.0,) if self.paused else self.all[: self.wanted + 1]

    def limit(self, layer, now):
        self.changes += layer != self.limited
        self.limited = layer

    def pad(self, octets):
        self.padded += octets if self.pads else 0
        return octets if self.pads else 0

    @property
    def given(self):
        costs = self.costs(0.0)
        return min(self.limited, len(costs) - 1)

    @property
    def cost(self):
        return self.costs(0.0)[self.given]


class Path:
    """A path that is congested half a second after more is sent than it takes, and free half a second after that."""

    def __init__(self, takes, *flows):
        self.takes = takes
        self.flows = list(flows)
        self.downlink = Downlink()
        self.now = 0.0
        self.full_since = self.free_since = None
        self.state = "none"

    def run(self, seconds):
        end = self.now + seconds
        padded = sum(flow.padded for flow in self.flows)
        while self.now < end:
            self.now += 0.02
            after = sum(flow.padded for flow in self.flows)
            load = sum(flow.cost for flow in self.flows) + (after - padded) * 8 / 0.02
            padded = after
            over = load > self.takes
            self.full_since = (self.full_since or self.now) if over else None
            self.free_since = None if over else (self.free_since or self.now)
            before = self.state
            if over and self.now - self.full_since > 0.5:
                self.state = "congested"
            elif not over and self.now - self.free_since > 0.5:
                self.state = "none"
            congestion = Congestion(state=self.state, capacity_bps=float(self.takes))
            if self.state != before and self.state == "congested":
                self.downlink.congested(congestion, self.flows, self.now)
            if self.downlink.active:
                self.downlink.tick(congestion, self.flows, self.now)

    @property
    def given(self):
        return [flow.given for flow in self.flows]


# ---- sharing out


@pytest.mark.parametrize(
    ("budget", "given"),
    [
        (0, [0, 0, 0]),
        (340_000, [0, 0, 0]),
        (600_000, [0, 1, 0]),
        (900_000, [0, 1, 1]),
        (1_700_000, [0, 2, 1]),
        (9e9, [0, 2, 2]),
    ],
)
def test_everybody_gets_the_lowest_before_anybody_gets_more(budget, given):
    assert allocate(budget, [Need(VOICE), Need(CAMERA), Need(CAMERA)]) == given


def test_a_shared_screen_comes_first():
    needs = [Need(CAMERA), Need(CAMERA, priority=1)]
    assert allocate(600_000, needs) == [0, 1]
    assert allocate(900_000, needs) == [1, 1]
    assert allocate(1_700_000, needs) == [1, 2]


@settings(deadline=None, max_examples=200)
@given(
    st.floats(0, 1e7),
    st.lists(st.tuples(st.lists(st.floats(0, 2e6), min_size=1, max_size=4), st.integers(0, 1)), max_size=6),
)
def test_what_is_given_out_fits_unless_it_is_the_least(budget, tracks):
    needs = [Need(tuple(sorted(costs)), priority) for costs, priority in tracks]
    given = allocate(budget, needs)
    used = sum(need.costs[layer] for need, layer in zip(needs, given, strict=True))
    least = sum(need.costs[0] for need in needs)
    assert used <= max(budget, least) + 1e-3
    step = cheapest_step(needs, given)
    if step is not None and not any(given):
        assert used + step > budget - 1e-3, "nobody goes without for nothing"
    assert (step is None) == all(layer == len(need.costs) - 1 for need, layer in zip(needs, given, strict=True))


# ---- over time


def test_nothing_is_limited_and_nothing_probed_while_all_is_well():
    path = Path(5_000_000, Flow(VOICE), Flow(CAMERA))
    path.run(60)
    assert not path.downlink.active
    assert [flow.limited for flow in path.flows] == [BEST, BEST]
    assert sum(flow.padded for flow in path.flows) == 0


@pytest.mark.parametrize(("takes", "given"), [(300_000, 0), (600_000, 1), (1_000_000, 1)])
def test_what_fits_is_given_and_more_is_tried_ever_more_rarely(takes, given):
    camera = Flow(CAMERA)
    path = Path(takes, Flow(VOICE), camera)
    path.run(3)
    assert camera.given == given
    for minutes in range(5):
        path.run(60)
        assert camera.given == given, minutes
    assert camera.changes <= 4, "it does not flap"
    assert 4 <= path.downlink.probes <= 9
    assert path.downlink.failures == path.downlink.probes


def test_a_path_that_does_not_even_take_the_lowest_is_left_alone():
    path = Path(100_000, Flow(VOICE), Flow(CAMERA))
    path.run(300)
    assert path.given == [0, 0]
    assert path.downlink.probes == 0


def test_when_there_is_room_again_all_is_given_and_forgotten():
    camera = Flow(CAMERA)
    path = Path(300_000, Flow(VOICE), camera)
    path.run(3)
    assert camera.given == 0
    path.takes = 9_000_000
    path.run(25)
    assert camera.limited == BEST
    assert not path.downlink.active
    padded = camera.padded
    path.run(60)
    assert camera.padded == padded


def test_layers_come_back_one_by_one_as_far_as_there_is_room():
    camera, other = Flow(CAMERA), Flow(CAMERA)
    path = Path(400_000, camera, other)
    path.run(3)
    assert path.given == [0, 0]
    path.takes = 1_000_000
    path.run(60)
    assert path.given == [1, 1]
    path.takes = 2_000_000
    path.run(240)
    assert sorted(path.given) == [1, 2]


def test_padding_is_what_the_next_layer_would_be_and_not_more():
    camera = Flow(CAMERA)
    path = Path(600_000, camera)
    path.run(3)
    path.takes = 5_000_000
    path.run(4)
    assert path.downlink.probes == 1
    assert camera.padded * 8 == pytest.approx(800_000 * 1.2 * 0.6, rel=0.1)


def test_without_retransmissions_the_layer_itself_is_the_probe():
    camera = Flow(CAMERA, pads=False)
    path = Path(600_000, camera)
    path.run(120)
    assert path.downlink.failures >= 2, "each cost a moment of congestion"
    assert path.downlink.failures <= 8
    path.takes = 5_000_000
    path.run(130)
    assert camera.limited == BEST


def test_a_track_that_comes_or_changes_is_counted_at_once():
    camera = Flow(CAMERA)
    path = Path(700_000, camera)
    path.run(3)
    assert path.given == [1]
    screen = Flow(CAMERA, priority=1)
    path.flows.append(screen)
    path.run(0.2)
    assert path.given == [0, 1]
    screen.paused = True
    path.run(0.2)
    assert path.given == [1, 0]
    path.flows.remove(screen)
    camera.wanted = 0
    path.run(4)
    assert not path.downlink.active, "what is wanted fits"


def test_a_track_that_comes_while_the_path_is_full_is_counted_too():
    camera, other = Flow(CAMERA), Flow(CAMERA)
    downlink = Downlink()
    full = Congestion(state="congested", capacity_bps=600_000)
    downlink.congested(full, [camera], 0.0)
    assert camera.given == 1
    downlink.tick(full, [camera, other], 0.1)
    assert camera.cost + other.cost <= 600_000


def test_a_warning_ends_a_probe_and_waits():
    camera = Flow(CAMERA)
    downlink = Downlink()
    downlink.congested(Congestion(state="congested", capacity_bps=600_000), [camera], 0.0)
    free = Congestion(state="none", capacity_bps=600_000)
    downlink.tick(free, [camera], 3.1)
    assert downlink.probing
    downlink.tick(Congestion(state="early-warning", capacity_bps=600_000), [camera], 3.2)
    assert not downlink.probing
    assert (downlink.probes, downlink.failures) == (1, 1)
    downlink.tick(free, [camera], 7.0)
    assert not downlink.probing, "4.5 s this time"
    downlink.tick(free, [camera], 7.8)
    assert downlink.probing


# ---- what a track tells


def test_rates_follow_the_last_full_seconds():
    rates = LayerRates()
    rates.turn(10.0)
    rates.octets["q"] = 1000
    rates.octets["f"] = 5000
    assert rates.of("q", 10.5) == 0
    rates.turn(11.0)
    assert (rates.of("q", 11.0), rates.of("f", 11.0), rates.total(11.0)) == (8000, 40_000, 48_000)
    rates.octets["q"] = 3000
    rates.turn(12.0)
    assert (rates.of("q", 12.0), rates.of("f", 12.0)) == (16_000, 20_000)
    for second in range(13, 20):
        rates.turn(float(second))
    assert rates.total(19.0) < 1000
    rates.octets["q"] = 1000
    rates.turn(30.0)
    assert rates.of("q", 30.0) == pytest.approx(8000 / 11), "what was before is too long ago"
    assert rates.of("q", 33.1) == 0, "and nothing came since"


def test_the_ladder_is_what_is_sent_below_the_ceiling():
    layers = LayerSelector(["q", "h", "f"])
    assert layers.ladder(2) == [""]
    for rid in ("f", "q"):
        layers.seen(rid, 1.0)
    assert layers.ladder(2) == ["q", "f"]
    assert layers.ladder(1) == ["q"]
    assert layers.rank("f") == 2
    layers = LayerSelector(["q", "h", "f"])
    layers.seen("f", 1.0)
    assert layers.ladder(0) == ["f"], "the lowest that there is"


def simulcast(table, source, sizes, seconds=2.5, start=0.0):
    """Thirty packets a second of each layer, the first of which begins a key frame."""
    for tick in range(round(seconds * 30)):
        for rid, size in sizes.items():
            payload = (KEY if tick == 0 else b"\x10\x01") + bytes(size - 2)
            source.on_packet(Packet(tick, tick * 3000, payload, arrival=start + tick / 30), rid)


def test_a_simulcast_track_costs_what_its_layers_cost_and_can_be_limited():
    table, source, sink = RouteTable(), Source(), Sink()
    table.publish("TR_1", "video", source, ("q", "h", "f"), 1)
    route(table, "TR_1", "PA_1", sink)
    assert table.flows("PA_2") == []
    (flow,) = table.flows("PA_1")
    simulcast(table, source, {"q": 100, "h": 300, "f": 900})
    assert flow.priority == 1
    assert flow.costs(2.5) == pytest.approx((24_000, 72_000, 216_000), rel=0.05)
    down = table.get("TR_1").downs["PA_1"]
    assert down.target == "f"
    source.requested.clear()
    flow.limit(1, 2.5)
    assert (down.target, source.requested) == ("h", ["h"])
    flow.limit(1, 2.6)
    assert source.requested == ["h"], "asked once"
    table.change("TR_1", "PA_1", 1, paused=False, ceiling=0, now=2.6)
    assert down.target == "q", "what is wanted is less"
    (flow,) = table.flows("PA_1")
    assert len(flow.costs(2.6)) == 1
    table.change("TR_1", "PA_1", 1, paused=False, ceiling=BEST, now=2.6)
    assert down.target == "h", "the limit holds"
    flow.limit(BEST, 2.6)
    assert down.target == "f"
    assert flow.pad(500) == 500
    table.change("TR_1", "PA_1", 1, paused=True, ceiling=BEST, now=2.7)
    assert flow.costs(2.7) == (0.0,)
    assert flow.pad(500) == 0


def test_layers_that_are_not_sent_are_no_steps_and_a_limit_means_the_same_layer():
    table, source, sink = RouteTable(), Source(), Sink()
    table.publish("TR_1", "video", source, ("q", "h", "f"))
    route(table, "TR_1", "PA_1", sink)
    simulcast(table, source, {"q": 100, "f": 900})
    (flow,) = table.flows("PA_1")
    assert len(flow.costs(2.5)) == 2
    flow.limit(0, 2.5)
    down = table.get("TR_1").downs["PA_1"]
    assert (down.target, down.limit) == ("q", 0)
    flow.limit(1, 2.5)
    assert (down.target, down.limit) == ("f", 2)


def test_layers_inside_one_stream_cost_what_is_below_them_too():
    table, source, sink = RouteTable(), Source([Codec(98, "VP9")]), Sink([Codec(98, "VP9")])
    table.publish("TR_1", "video", source)
    route(table, "TR_1", "PA_1", sink)
    for tick in range(75):
        for layer in range(3):
            head = bytes((0x20 | (0x08 if layer == 0 else 0) | 0x04, layer << 1))
            packet = Packet(
                3 * tick + layer, tick * 3000, head + bytes(100), payload_type=98, arrival=tick / 30, marker=layer == 2
            )
            source.on_packet(packet, "")
    (flow,) = table.flows("PA_1")
    one = 102 * 8 * 30
    assert flow.costs(2.5) == pytest.approx((one, 2 * one, 3 * one), rel=0.05)
    flow.limit(1, 2.5)
    assert table.get("TR_1").downs["PA_1"].spatial_target == 1


def test_a_voice_costs_what_it_is_and_is_not_padded():
    table, source, sink = RouteTable(), Source([Codec(111, "opus", 48000, 2)]), Sink([Codec(111, "opus", 48000, 2)])
    table.publish("TR_1", "audio", source)
    route(table, "TR_1", "PA_1", sink)
    for tick in range(125):
        source.on_packet(Packet(tick, tick * 960, bytes(100), payload_type=111, arrival=tick / 50), "")
    (flow,) = table.flows("PA_1")
    assert flow.costs(2.5) == pytest.approx((40_000,), rel=0.05)
    flow.limit(0, 2.5)
    assert flow.pad(500) == 0
