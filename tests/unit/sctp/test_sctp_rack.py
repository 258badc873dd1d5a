"""Loss by time and the tail-loss probe, each alone."""

from math import inf

import pytest

from pystack.sctp.options import AssociationOptions
from pystack.sctp.tx.outstanding import ACKED, LOST, Outstanding, SentChunk
from pystack.sctp.tx.rack import Rack
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.send_queue import OutgoingMessage, OutgoingStream
from pystack.sctp.tx.tail import TailProbe

RTT = 0.1


def flight(count, *, gap=0.001, start=100.0, max_retransmits=-1):
    """Chunks 0, 1, 2, ... that departed ``gap`` seconds apart."""
    outstanding = Outstanding(0)
    message = OutgoingMessage(OutgoingStream(1), b"x", 53, 0, max_retransmits, inf)
    for tsn in range(count):
        outstanding.add(SentChunk(bytes(20), 1000, message, tsn, start + tsn * gap))
    return outstanding


def rack():
    it = Rack()
    it.shortest = RTT
    return it


def arrive(it, outstanding, start, stop, now):
    """A gap block says that these arrived."""
    it.delivered(outstanding.span(start, stop), now)
    outstanding.acknowledge(outstanding.span(start, stop))
    outstanding.blocks = [(start, stop)]


def detect(it, outstanding, now, *, recovering=False):
    return [chunk.tsn for chunk in it.detect(outstanding, now, RTT, recovering=recovering)]


def test_what_was_sent_well_before_what_arrived_is_lost():
    """R17: by a single later arrival, long before a third report."""
    outstanding, it = flight(3, gap=0.05), rack()
    arrive(it, outstanding, 1, 2, 100.15)
    assert detect(it, outstanding, 100.15) == [0]
    assert it.at == inf


def test_reordering_within_the_window_loses_nothing():
    """R18, R19: judged when the window is over, and not if it arrived meanwhile."""
    outstanding, it = flight(4), rack()
    arrive(it, outstanding, 1, 2, 100.101)
    assert detect(it, outstanding, 100.101) == []
    assert it.at == pytest.approx(100.125)
    assert detect(it, outstanding, it.at) == [0]
    outstanding, it = flight(4), rack()
    arrive(it, outstanding, 1, 2, 100.101)
    detect(it, outstanding, 100.101)
    arrive(it, outstanding, 0, 1, 100.11)
    assert it.reordered
    assert detect(it, outstanding, 100.2) == []


def test_the_window_grows_with_needless_retransmissions_and_shrinks_again():
    """R20, R21: a quarter of a round trip each, a whole one at most; none in recovery unless reordering was seen."""
    outstanding, it = flight(1), rack()
    assert it.window(RTT, recovering=True) == 0
    assert it.window(RTT, recovering=False) == pytest.approx(RTT / 4)
    it.duplicates_reported(100.0, RTT)
    assert it.window(RTT, recovering=False) == pytest.approx(RTT / 4)
    now = 100.0
    for _ in range(9):
        it.resent(outstanding.span(0, 1)[0], now)
        it.duplicates_reported(now, RTT)
        it.duplicates_reported(now, RTT)
        now += RTT
    assert it.window(RTT, recovering=False) == pytest.approx(RTT)
    it.reordered = True
    assert it.window(RTT, recovering=True) == pytest.approx(RTT)
    for _ in range(16):
        it.recovered()
    assert it.window(RTT, recovering=False) == pytest.approx(RTT / 4)


def test_a_retransmission_that_is_lost_again_is_noticed():
    """R11."""
    outstanding, it = flight(4), rack()
    first = outstanding.span(0, 1)[0]
    outstanding.lose(first)
    outstanding.resend(first)
    it.resent(first, 100.2)
    outstanding.span(3, 4)[0].sent_at = 100.21
    arrive(it, outstanding, 3, 4, 100.31)
    assert detect(it, outstanding, 100.31, recovering=True) == [1, 2, 0]


@pytest.mark.parametrize(("after", "reordered"), [(0.01, True), (0.06, False), (0.2, False)])
def test_an_answer_too_early_is_to_the_first_copy(after, reordered):
    """Karn, and what it tells of the order of packets."""
    outstanding, it = flight(2), rack()
    first = outstanding.span(0, 1)[0]
    first.state, first.retransmits = LOST, 1
    it.resent(first, 100.5)
    it.delivered([first], 100.5 + after)
    assert it.reordered is reordered


def test_a_changing_round_trip_without_loss_loses_nothing():
    """R22."""
    outstanding, it = flight(50, gap=0.02), rack()
    for tsn in range(50):
        now = 100 + tsn * 0.02 + RTT * (1 + tsn % 5)
        it.delivered(outstanding.span(tsn, tsn + 1), max(now, 100.2 + tsn * 0.02))
        outstanding.advance(1)
        assert detect(it, outstanding, now) == []
    assert not it.watching


def rto(srtt=RTT):
    it = RetransmissionTimeout(AssociationOptions())
    it.sample(srtt)
    return it


def test_the_probe_waits_two_round_trips_and_longer_for_a_single_packet():
    """R23, R25: and there must be time for its answer before T3."""
    it = TailProbe(AssociationOptions(), rto())
    it.arm(flight(3), 100.0, 100.4)
    assert it.at == pytest.approx(100.2)
    it.arm(flight(1), 100.0, 101.0)
    assert it.at == pytest.approx(100.4)
    it.arm(flight(1), 100.0, 100.4)
    assert it.at == inf
    unmeasured = TailProbe(AssociationOptions(), RetransmissionTimeout(AssociationOptions()))
    unmeasured.arm(flight(3), 100.0, 101.0)
    assert unmeasured.at == inf


def test_the_probe_is_the_last_chunk_in_flight_and_never_one_that_may_not_be_sent_again():
    """R23, P03."""
    outstanding = flight(5)
    outstanding.span(4, 5)[0].state = ACKED
    it = TailProbe(AssociationOptions(), rto())
    it.choose(outstanding, limited=True)
    assert it.waiting is outstanding.span(3, 4)[0]
    assert it.departs(10, 100.0) is None
    assert it.departs(1000, 100.0) is outstanding.span(3, 4)[0]
    it = TailProbe(AssociationOptions(), rto())
    it.choose(flight(5, max_retransmits=0), limited=True)
    assert it.waiting is None


@pytest.mark.parametrize(
    ("after", "duplicates", "lost"), [(0.2, False, True), (0.2, True, False), (0.01, False, False)]
)
def test_only_a_probe_that_repaired_something_means_loss(after, duplicates, lost):
    """R27."""
    outstanding = flight(1)
    it = TailProbe(AssociationOptions(), rto())
    it.choose(outstanding, limited=True)
    it.departs(1000, 100.0)
    assert not it.answered(100.0 + after, RTT, duplicates=duplicates)
    outstanding.advance(1)
    assert it.answered(100.0 + after, RTT, duplicates=duplicates) is lost
    assert not it.answered(100.0 + after, RTT, duplicates=duplicates)
