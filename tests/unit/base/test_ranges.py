"""Intervals against a plain set of integers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pystack.base import RangeSet

NUMBER = st.integers(0, 40)


def runs(values: set[int]) -> list[tuple[int, int]]:
    """The intervals of a set, the slow way."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value:
            found[-1] = (found[-1][0], value + 1)
        else:
            found.append((value, value + 1))
    return found


class RangeSetMachine(RuleBasedStateMachine):
    """Every operation on both, and both stay the same."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges = RangeSet()
        self.model: set[int] = set()

    @rule(value=NUMBER)
    def add(self, value: int) -> None:
        assert self.ranges.add(value) == (value not in self.model)
        self.model.add(value)

    @rule(start=NUMBER, stop=NUMBER)
    def add_range(self, start: int, stop: int) -> None:
        self.ranges.add_range(start, stop)
        self.model |= set(range(start, stop))

    @rule(start=NUMBER, stop=NUMBER)
    def remove_range(self, start: int, stop: int) -> None:
        self.ranges.remove_range(start, stop)
        self.model -= set(range(start, stop))

    @rule(bound=NUMBER)
    def remove_below(self, bound: int) -> None:
        self.ranges.remove_below(bound)
        self.model = {value for value in self.model if value >= bound}

    @rule()
    def pop_first(self) -> None:
        if self.model:
            first = self.ranges.pop_first()
            assert first == runs(self.model)[0]
            self.model -= set(range(*first))
        else:
            with pytest.raises(IndexError):
                self.ranges.pop_first()

    @rule()
    def clear(self) -> None:
        self.ranges.clear()
        self.model.clear()

    @invariant()
    def same(self) -> None:
        expected = runs(self.model)
        assert list(self.ranges) == expected
        assert len(self.ranges) == len(expected)
        assert bool(self.ranges) == bool(expected)
        assert self.ranges.count() == len(self.model)
        assert all((value in self.ranges) == (value in self.model) for value in range(-1, 43))
        if expected:
            assert self.ranges.first == expected[0]
            assert self.ranges.last == expected[-1]


TestRangeSetMachine = RangeSetMachine.TestCase
TestRangeSetMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_an_empty_set_has_no_ends() -> None:
    with pytest.raises(IndexError):
        _ = RangeSet().first
    with pytest.raises(IndexError):
        _ = RangeSet().last


def test_its_repr_shows_the_intervals() -> None:
    ranges = RangeSet()
    ranges.add_range(3, 5)
    ranges.add(9)
    assert repr(ranges) == "RangeSet([(3, 5), (9, 10)])"


@given(st.permutations(range(50)))
def test_any_order_of_arrival_ends_in_one_interval(order: list[int]) -> None:
    ranges = RangeSet()
    assert all(ranges.add(value) for value in order)
    assert list(ranges) == [(0, 50)]


def test_removal_in_the_middle_of_one_interval_leaves_two() -> None:
    ranges = RangeSet()
    ranges.add_range(0, 10)
    ranges.remove_range(3, 4)
    assert list(ranges) == [(0, 3), (4, 10)]
    ranges.remove_range(20, 30)
    ranges.remove_range(3, 4)
    assert list(ranges) == [(0, 3), (4, 10)]
