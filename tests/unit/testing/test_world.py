"""The world moves from event to event, delivers over links, and tells what happened when it is stuck."""

from collections.abc import Hashable
from math import inf

import pytest

from pystack.base import TimerSet
from pystack.testing import LinkOptions, Pair, Stuck, World


class Pinger:
    """Says ``ping`` every ``period`` seconds, answers with ``pong``, reports both."""

    def __init__(self, period: float = inf) -> None:
        self.timers = TimerSet()
        self.period = period
        self.out: list[bytes] = []
        self.events: list[object] = []

    @property
    def deadline(self) -> float:
        return self.timers.deadline

    def start(self, now: float) -> None:
        self.out.append(b"ping")
        self.timers.set("ping", now + self.period)

    def stop(self) -> None:
        self.timers.clear()

    def receive(self, data: bytes, now: float) -> None:
        self.events.append((data, now))
        if data == b"ping":
            self.out.append(b"pong")

    def tick(self, now: float) -> None:
        for _ in self.timers.expired(now):
            self.start(now)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def take_events(self) -> list[object]:
        events, self.events = self.events, []
        return events


class PathPinger(Pinger):
    def receive(self, data: bytes, path: Hashable, now: float) -> None:  # type: ignore[override]
        self.events.append((data, path))
        if data == b"ping":
            self.out.append((b"pong", path))  # type: ignore[arg-type]


class Stubborn(Pinger):
    def tick(self, now: float) -> None:
        pass


class Gusher(Pinger):
    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        return [b"more"]


def test_time_jumps_to_what_happens() -> None:
    pair = Pair(Pinger(), Pinger(), LinkOptions(delay=0.25))
    pair.a.core.start(pair.now)
    took = pair.run(lambda: pair.a.events)
    assert took == pytest.approx(0.5)
    assert pair.b.events == [(b"ping", 1000.25)]
    assert pair.a.events == [(b"pong", 1000.5)]


def test_an_hour_of_pings_costs_only_its_pings() -> None:
    pair = Pair(Pinger(10.0), Pinger())
    pair.a.core.start(pair.now)
    assert pair.run(for_=3600.0) == 3600.0
    assert len(pair.b.events) == 361


def test_run_without_a_condition_ends_in_quiet() -> None:
    pair = Pair(Pinger(), Pinger(), LinkOptions(delay=1.0))
    pair.a.core.start(pair.now)
    assert pair.run() == pytest.approx(2.0)
    assert pair.run() == 0.0


def test_a_condition_that_cannot_come_true_tells_the_timeline() -> None:
    pair = Pair(Pinger(), Pinger(), LinkOptions(delay=0.1))
    pair.a.core.start(pair.now)
    pair.there.black_hole()
    with pytest.raises(Stuck, match=r"quiet, and yet not there(.|\n)*a → b  4 B  ✗ black hole(.|\n)*a: nothing"):
        pair.run(lambda: pair.b.events)


def test_a_condition_that_comes_too_late_is_stuck() -> None:
    pair = Pair(Pinger(1.0), Pinger())
    pair.a.core.start(pair.now)
    with pytest.raises(Stuck, match=r"not there after 5 s(.|\n)*tick: ping(.|\n)*a: 1.000000 s ping"):
        pair.run(lambda: False, for_=5.0)
    with pytest.raises(Stuck, match="not quiet after 20 s"):
        pair.run(limit=20.0)


def test_a_quiet_world_still_passes_the_time_it_was_asked_for() -> None:
    world = World()
    assert world.run(for_=7.5) == 7.5
    assert world.now == 1007.5
    with pytest.raises(Stuck, match="not there after 1 s"):
        world.run(lambda: False, for_=1.0)
    world.step()
    assert world.now == 1008.5


def test_planned_calls_happen_in_order() -> None:
    world = World()
    seen: list[tuple[str, float]] = []
    world.after(2.0, lambda: seen.append(("b", world.now)))
    world.after(1.0, lambda: seen.append(("a", world.now)))
    world.after(2.0, lambda: seen.append(("c", world.now)))
    world.run()
    assert seen == [("a", 1001.0), ("b", 1002.0), ("c", 1002.0)]


def test_an_application_may_answer_at_once() -> None:
    pair = Pair(Pinger(), Pinger())
    stop = 5

    def again(event: object) -> None:
        if len(pair.a.events) < stop:
            pair.a.core.start(pair.now)

    pair.a.on_event = again
    pair.a.core.start(pair.now)
    pair.run()
    assert len(pair.a.events) == stop


def test_paths_lead_where_they_were_laid() -> None:
    world = World()
    hub, left, right = world.add("hub", PathPinger()), world.add("left", Pinger()), world.add("right", Pinger())
    world.connect(left, hub, path_at_b="l")
    world.connect(right, hub, path_at_b="r")
    left.core.start(world.now)
    right.core.start(world.now)
    hub.core.out.append((b"lost", "nowhere"))  # type: ignore[arg-type]
    world.run()
    assert sorted(hub.events) == [(b"ping", "l"), (b"ping", "r")]
    assert left.events == right.events == [(b"pong", 1000.0)]
    assert hub.unroutable == 1


def test_both_directions_may_differ_and_be_cut() -> None:
    pair = Pair(Pinger(), Pinger(), LinkOptions(delay=1.0), LinkOptions(delay=2.0))
    pair.a.core.start(pair.now)
    assert pair.run(lambda: pair.a.events) == pytest.approx(3.0)
    pair.black_hole()
    pair.a.core.start(pair.now)
    pair.run()
    assert len(pair.b.events) == 1
    pair.heal()
    pair.a.core.start(pair.now)
    pair.run()
    assert len(pair.b.events) == 2


def test_a_deadline_that_stays_is_found_out() -> None:
    world = World()
    node = world.add("stubborn", Stubborn(1.0))
    node.core.start(world.now)
    with pytest.raises(Stuck, match="law 4"):
        world.run()


def test_a_core_that_never_runs_dry_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystack.testing.world._SPIN", 50)
    world = World()
    world.add("gusher", Gusher())
    with pytest.raises(Stuck, match="never run dry"):
        world.run()


def test_time_that_stands_still_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystack.testing.world._SPIN", 50)
    world = World()

    def again() -> None:
        world.after(0.0, again)

    again()
    with pytest.raises(Stuck, match="time stands still"):
        world.run()


def test_a_failure_in_the_with_block_carries_the_timeline() -> None:
    def fail() -> None:
        with World(seed="s") as world:
            world.note("something")
            raise AssertionError("no")

    with pytest.raises(AssertionError) as caught:
        fail()
    assert "seed 's'" in caught.value.__notes__[0]
    assert "something" in caught.value.__notes__[0]
    with pytest.raises(Stuck) as stuck, World() as world:
        world.run(lambda: False)
    assert not hasattr(stuck.value, "__notes__")


def test_events_are_found_by_kind() -> None:
    pair = Pair(Pinger(), Pinger())
    pair.a.core.start(pair.now)
    pair.run()
    assert pair.b.saw(tuple)
    assert not pair.b.saw(str)
    assert pair.b.all(tuple) == [(b"ping", 1000.0)]
