"""Congestion: two RTP sessions and a link that is too thin, too lossy, uneven, or neither."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.rtp import (
    TRANSPORT_SEQUENCE,
    CodecSpec,
    CongestionChanged,
    HeaderExtensionMap,
    RtpPacket,
    RtpSession,
    RtpSessionOptions,
    TransportFeedback,
)
from pystack.rtp.congestion import CongestionMonitor
from pystack.rtp.congestion.groups import Grouper
from pystack.rtp.congestion.outcomes import OutcomeReader
from pystack.rtp.congestion.sent import SentPackets
from pystack.testing.link import Link, LinkOptions

VP8 = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack", "transport-cc"), rtx_payload_type=97)
NAMES = HeaderExtensionMap({3: TRANSPORT_SEQUENCE})
SIZE = 1100


class Path:
    """A sender, a receiver, and a link each way; the receiver's clock is another one."""

    def __init__(self, options: LinkOptions, *, drift: float = 0.0, seed: int = 0) -> None:
        self.there: Link[bytes] = Link(options, f"there {seed}")
        self.back: Link[bytes] = Link(LinkOptions(delay=options.delay), f"back {seed}")
        random = SeededRandomness(seed)
        self.sender = RtpSession(RtpSessionOptions(watch_congestion=True), random)
        self.receiver = RtpSession(RtpSessionOptions(), random)
        self.sender.set_sender(1, mid="0", kind="video", ssrc=7, rtx_ssrc=8, codecs=[VP8], extensions=NAMES)
        self.receiver.set_receiver(
            1, mid="0", kind="video", codecs=[VP8], extensions=NAMES, ssrcs=[7], rtx_ssrcs={8: 7}
        )
        self.now = 0.0
        self.number = 0
        self.drift = drift
        self.told: list[tuple[float, Any]] = []
        self.burst = 1

    def their_clock(self) -> float:
        return 1000.0 + self.now * (1 + self.drift)

    def run(self, seconds: float, rate: float | Callable[[float], float]) -> None:
        """Send so many bits a second for a while."""
        end = self.now + seconds
        following = self.now
        while self.now < end:
            self.now = min(following, self.there.deadline, self.back.deadline, self._deadline(), end)
            if self.now >= following:
                for _ in range(self.burst):
                    self._send()
                bits = 8 * SIZE * self.burst
                following += bits / (rate if isinstance(rate, float | int) else rate(self.now))
            for data in self.there.take(self.now):
                self.receiver.receive(data, self.their_clock())
            self.receiver.take_packets()
            for data in self.receiver.flush(self.their_clock())[1]:
                self.back.put(data, len(data), self.now)
            for data in self.back.take(self.now):
                self.sender.receive(data, self.now)
            for data in self.sender.flush(self.now)[0]:
                self.there.put(data, len(data), self.now)
            self.told += [
                (self.now, each.congestion) for each in self.sender.take_events() if type(each) is CongestionChanged
            ]
            self.receiver.take_events()

    def _deadline(self) -> float:
        theirs = self.receiver.deadline
        ours = inf if theirs == inf else (theirs - 1000.0) / (1 + self.drift)
        return max(self.now + 1e-6, min(ours, self.sender.deadline))

    def _send(self) -> None:
        self.number += 1
        packet = RtpPacket(
            payload_type=96,
            sequence_number=self.number & 0xFFFF,
            timestamp=self.number * 900 & 0xFFFFFFFF,
            marker=True,
            payload=bytes(SIZE - 20),
        )
        data = self.sender.send(1, packet, self.now)
        self.there.put(data, len(data), self.now)

    @property
    def states(self) -> list[str]:
        return [congestion.state for _, congestion in self.told]

    @property
    def congestion(self) -> Any:
        return self.sender.congestion(self.now)


THIN = LinkOptions(delay=0.02, rate_bps=1_000_000, queue=60_000)
WIDE = LinkOptions(delay=0.02, rate_bps=5_000_000, queue=100_000)


def test_a_path_that_takes_everything_is_never_called_full() -> None:
    path = Path(attrs.evolve(WIDE, rate_bps=3_000_000))
    path.run(20, 2_000_000)
    assert path.told == []
    assert path.congestion.state == "none"
    assert path.congestion.capacity_bps is None
    assert path.congestion.delivered_bps == pytest.approx(2_000_000, rel=0.1)
    assert path.congestion.queuing_delay < 0.01


@pytest.mark.parametrize(
    "harm",
    [
        {"jitter": 0.03},
        {"jitter": 0.06},
        {"loss": 0.02},
        {"loss": 0.05},
        {"reorder": 0.05, "reorder_delay": 0.04},
        {"duplicate": 0.1},
    ],
    ids=str,
)
def test_an_uneven_or_lossy_path_is_not_taken_for_a_full_one(harm: dict[str, float]) -> None:
    for seed in range(3):
        path = Path(attrs.evolve(WIDE, **harm), seed=seed)
        path.run(30, 1_500_000)
        assert path.told == []


@pytest.mark.parametrize("drift", [300e-6, -300e-6])
def test_clocks_that_drift_apart_are_no_queue(drift: float) -> None:
    path = Path(WIDE, drift=drift)
    path.run(120, 800_000)
    assert path.told == []
    assert path.congestion.queuing_delay < 0.015


@pytest.mark.parametrize(("burst", "rate"), [(16, 2_000_000), (40, 2_000_000), (1, 40_000)])
def test_bursts_and_trickles_are_no_congestion(burst: int, rate: float) -> None:
    path = Path(WIDE)
    path.burst = burst
    path.run(30, rate)
    assert path.told == []


def test_a_longer_way_is_not_a_full_one() -> None:
    path = Path(WIDE)
    path.run(10, 1_500_000)
    path.there.options = attrs.evolve(WIDE, delay=0.12)
    path.run(60, 1_500_000)
    assert path.told == []
    assert path.congestion.queuing_delay < 0.01, "and in the end it is the way"


@pytest.mark.parametrize("queue", [12_000, 60_000, 400_000])
@pytest.mark.parametrize("excess", [1.3, 2.0, 4.0])
def test_a_full_path_is_noticed_soon_and_what_it_takes_is_measured(queue: int, excess: float) -> None:
    path = Path(attrs.evolve(THIN, queue=queue))
    path.run(5, 700_000)
    assert path.states == []
    path.run(5, 1_000_000 * excess)
    assert path.states[:2] == ["early-warning", "congested"]
    at, congestion = next((at, each) for at, each in path.told if each.state == "congested")
    assert at < 5 + 2.5
    assert congestion.capacity_bps == pytest.approx(1_000_000, rel=0.05)
    path.run(15, 600_000)
    assert path.congestion.state == "none", "with less it drains"
    assert path.congestion.capacity_bps == pytest.approx(1_000_000, rel=0.2)
    assert len(path.told) < 10, "only news is told"


def test_a_path_that_becomes_thinner_is_noticed() -> None:
    path = Path(WIDE)
    path.run(10, 1_500_000)
    path.there.options = attrs.evolve(WIDE, rate_bps=800_000)
    path.run(5, 1_500_000)
    assert path.congestion.state == "congested"
    assert path.congestion.capacity_bps == pytest.approx(800_000, rel=0.05)


def test_after_a_silence_nothing_is_known_but_the_capacity() -> None:
    path = Path(THIN)
    path.run(5, 2_000_000)
    assert path.congestion.state == "congested"
    capacity = path.congestion.capacity_bps
    path.now += 20.0
    assert (path.congestion.state, path.congestion.capacity_bps) == ("none", capacity)
    path.run(5, 300_000)
    assert path.congestion.state == "none"


def test_feedback_that_is_lost_or_comes_twice_tells_nothing() -> None:
    path = Path(WIDE)
    path.back.lose = lambda number, _: number % 3 == 0
    path.run(30, 1_500_000)
    assert path.told == []
    path = Path(WIDE)
    path.back.options = attrs.evolve(path.back.options, duplicate=1.0)
    path.run(10, 1_500_000)
    assert path.told == []
    assert path.congestion.delivered_bps == pytest.approx(1_500_000, rel=0.1)


def test_nothing_is_noted_unless_somebody_wants_to_know() -> None:
    session = RtpSession(RtpSessionOptions(), SeededRandomness(1))
    assert session.congestion(0.0) is None


# ---- the parts


def test_packets_are_known_by_number_over_the_wrap_and_for_a_while() -> None:
    sent = SentPackets(65_000)
    for index in range(6000):
        sent.note(65_001 + index & 0xFFFF, 100 + index, index / 1000)
    last = 65_000 + 5999 & 0xFFFF
    assert sent.get(last) == (5.999, 6099)
    assert sent.get(last - 4095 & 0xFFFF) == (pytest.approx(1.904), 2004)
    assert sent.get(last - 4096 & 0xFFFF) is None
    assert sent.get(last + 1 & 0xFFFF) is None
    assert SentPackets(0).get(65535) is None


def test_a_packet_without_a_number_leaves_no_trace() -> None:
    sent = SentPackets(5)
    sent.note(6, 100, 1.0)
    sent.note(6, 900, 2.0)
    assert sent.get(5) == (1.0, 100)


def test_each_number_is_told_once_and_the_reference_time_wraps() -> None:
    sent = SentPackets(0)
    for number in range(40):
        sent.note(number + 1, 100, number / 100)
    reader = OutcomeReader()
    first = TransportFeedback(1, 2, 0, (1 << 23) - 1, 0, [0, 4, None])
    second = TransportFeedback(1, 2, 1, -(1 << 23), 1, [0, 8, 4])  # 64 ms later; two are told again
    assert [(went, octets) for went, _, octets in reader.read(first, sent)] == [(0.0, 100), (0.01, 100), (0.02, 100)]
    ((went, came, _),) = reader.read(second, sent)
    assert went == pytest.approx(0.03)
    assert came == pytest.approx((1 << 23) * 0.064 + 0.003)
    assert reader.read(first, sent) == []


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_feedback_that_means_nothing_does_no_harm(data: st.DataObject) -> None:
    monitor = CongestionMonitor(data.draw(st.integers(0, 0xFFFF)))
    deltas = st.lists(st.one_of(st.none(), st.integers(-0x8000, 0x7FFF)), max_size=300)
    now = 0.0
    for _ in range(data.draw(st.integers(1, 8))):
        for _ in range(data.draw(st.integers(0, 60))):
            now += 0.01
            monitor.sent.note(monitor.sent.following + 1 & 0xFFFF, 1000, now)
        base = data.draw(st.one_of(st.integers(0, 0xFFFF), st.just(monitor.sent.following - 40 & 0xFFFF)))
        reference = data.draw(st.integers(-(1 << 23), (1 << 23) - 1))
        monitor.handle(TransportFeedback(1, 2, base, reference, 0, data.draw(deltas)), now)
        congestion = monitor.congestion(now)
        assert 0 <= congestion.loss <= 1
        assert congestion.queuing_delay >= 0
        assert congestion.delivered_bps >= 0


def test_a_group_ends_with_its_packets_or_its_time() -> None:
    grouper = Grouper()
    assert not grouper.add([(0.001 * n, 0.02 + 0.001 * n, 100) for n in range(29)])
    (group,) = grouper.add([(0.11, None, 100)])
    assert (group.packets, group.lost, group.octets) == (30, 1, 2900)
    assert group.queuing_delay == 0
    assert not grouper.add([(1.0, 1.05, 100)])
    (short,) = grouper.add([(1.6, 1.62, 100)])
    assert short.packets == 1
    assert short.queuing_delay == pytest.approx(0.03)
    assert short.weighted_loss == 0
