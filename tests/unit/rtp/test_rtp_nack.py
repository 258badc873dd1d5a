"""What to ask for again, and when: the constants of requirements C-12."""

from itertools import pairwise
from math import inf

import pytest

from pystack.rtp.streams.nack import NackQueue


def test_first_after_20_ms_then_at_growing_round_trips_five_times() -> None:
    queue = NackQueue()
    assert queue.deadline == inf
    queue.add(10, 12, 1.0)
    assert queue.deadline == 1.020
    assert queue.due(1.019, 0.1) == []
    asked = []
    while queue.deadline < inf:
        now = queue.deadline
        asked.append(now)
        assert queue.due(now, 0.1) == [10, 11]
        assert queue.due(now, 0.1) == []
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert waits == pytest.approx([0.1, 0.125, 0.15625, 0.1953125])
    assert (len(queue), queue.requested) == (0, 10)


@pytest.mark.parametrize(("round_trip_time", "waits"), [(0.001, [0.020] * 4), (3.0, [0.4] * 4)])
def test_waits_are_bounded(round_trip_time: float, waits: list[float]) -> None:
    queue = NackQueue()
    queue.add(1, 2, 0.0)
    asked = []
    while queue.deadline < inf:
        asked.append(queue.deadline)
        queue.due(queue.deadline, round_trip_time)
    assert [later - earlier for earlier, later in pairwise(asked)] == pytest.approx(waits)


def test_what_arrives_is_not_asked_for() -> None:
    queue = NackQueue()
    queue.add(1, 4, 0.0)
    queue.remove(2)
    queue.remove(99)
    assert queue.due(0.02, 0.07) == [1, 3]
    queue.remove(1)
    assert queue.deadline < inf
    queue.remove(3)
    assert queue.deadline == inf


def test_a_full_queue_drops_the_oldest() -> None:
    queue = NackQueue()
    queue.add(0, 60, 0.0)
    queue.add(100, 160, 0.01)
    assert queue.abandoned == 20
    assert queue.due(0.02, 0.07) == list(range(20, 60))
    queue.add(1000, 4000, 0.03)
    assert len(queue) == 100
    assert queue.due(0.05, 0.07) == list(range(3900, 4000))


def test_after_two_minutes_nobody_asks() -> None:
    queue = NackQueue()
    queue.add(1, 2, 0.0)
    assert queue.due(121.0, 0.07) == []
    assert (len(queue), queue.abandoned, queue.deadline) == (0, 1, inf)


def test_clear() -> None:
    queue = NackQueue()
    queue.add(1, 9, 0.0)
    queue.clear()
    assert (len(queue), queue.deadline) == (0, inf)
