"""Timers against a plain dict, and the back-off."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pystack.base import Backoff, TimerSet

NAME = st.sampled_from(["t1", "t2", "t3", "sack", "heartbeat"])
TIME = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 60.0])


class TimerSetMachine(RuleBasedStateMachine):
    """Every operation on both; the cached minimum is never wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = TimerSet()
        self.model: dict[str, float] = {}

    @rule(name=NAME, at=TIME)
    def set(self, name: str, at: float) -> None:
        self.timers.set(name, at)
        self.model[name] = at

    @rule(name=NAME)
    def set_to_never(self, name: str) -> None:
        self.timers.set(name, inf)
        self.model.pop(name, None)

    @rule(name=NAME)
    def cancel(self, name: str) -> None:
        self.timers.cancel(name)
        self.model.pop(name, None)

    @rule()
    def clear(self) -> None:
        self.timers.clear()
        self.model.clear()

    @rule(now=TIME)
    def expire(self, now: float) -> None:
        due = sorted((at, name) for name, at in self.model.items() if at <= now)
        assert self.timers.expired(now) == [name for _, name in due]
        for _, name in due:
            del self.model[name]

    @invariant()
    def same(self) -> None:
        assert self.timers.deadline == min(self.model.values(), default=inf)
        if self.model:
            assert self.model[self.timers.reason] == self.timers.deadline
        else:
            assert self.timers.reason == ""
        for name in ("t1", "t2", "t3", "sack", "heartbeat"):
            assert self.timers.armed(name) == (name in self.model)
            assert self.timers.at(name) == self.model.get(name, inf)


TestTimerSetMachine = TimerSetMachine.TestCase
TestTimerSetMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_ties_expire_in_the_order_of_their_names() -> None:
    timers = TimerSet()
    for name in ("b", "c", "a"):
        timers.set(name, 1.0)
    timers.set("first", 0.5)
    assert timers.expired(1.0) == ["first", "a", "b", "c"]
    assert timers.expired(1.0) == []


def test_the_reason_moves_on_when_the_earliest_moves_back() -> None:
    timers = TimerSet()
    timers.set("t3-rtx", 1.0)
    timers.set("heartbeat", 30.0)
    assert (timers.deadline, timers.reason) == (1.0, "t3-rtx")
    timers.set("t3-rtx", 60.0)
    assert (timers.deadline, timers.reason) == (30.0, "heartbeat")


def test_back_off_doubles_up_to_its_maximum() -> None:
    backoff = Backoff(1.0, 60.0)
    assert [backoff.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.tries == 8
    backoff.reset()
    assert backoff.next() == 1.0


@given(st.floats(0.001, 10), st.floats(10, 1000), st.floats(1.0, 10.0))
def test_back_off_never_shrinks_and_never_overflows(initial: float, maximum: float, factor: float) -> None:
    backoff = Backoff(initial, maximum, factor)
    waits = [backoff.next() for _ in range(2000)]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(min(initial, maximum))
    assert waits[-1] <= maximum
