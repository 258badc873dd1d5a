"""Serial numbers against plain integers: what wraps on the wire must not wrap in our heads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.base import Unwrapper, serial_add, serial_gt, serial_gte, serial_lt, serial_lte, wrap_delta

BITS = st.sampled_from([8, 16, 24, 32])


@given(BITS, st.integers(0, 2**40), st.data())
def test_comparison_agrees_with_plain_integers(bits: int, plain: int, data: st.DataObject) -> None:
    half = 1 << (bits - 1)
    distance = data.draw(st.integers(-half + 1, half - 1))
    mask = (1 << bits) - 1
    a, b = plain & mask, (plain + distance) & mask
    assert serial_lt(a, b, bits) == (distance > 0)
    assert serial_gt(a, b, bits) == (distance < 0)
    assert serial_lte(a, b, bits) == (distance >= 0)
    assert serial_gte(a, b, bits) == (distance <= 0)
    assert wrap_delta(b, a, bits) == distance


@given(BITS, st.integers(0, 2**32 - 1))
def test_exactly_half_the_space_away_is_neither_before_nor_after(bits: int, value: int) -> None:
    mask, half = (1 << bits) - 1, 1 << (bits - 1)
    a = value & mask
    b = (a + half) & mask
    assert not serial_lt(a, b, bits)
    assert not serial_gt(a, b, bits)
    assert wrap_delta(b, a, bits) == -half


@given(BITS, st.integers(0, 2**32 - 1), st.integers(-(2**33), 2**33))
def test_addition_wraps(bits: int, a: int, n: int) -> None:
    assert serial_add(a, n, bits) == (a + n) % 2**bits


@pytest.mark.parametrize(("a", "b"), [(0, 1), (0xFFFFFFFF, 0), (0xFFFFFF00, 5), (0x7FFFFFFF, 0x80000000)])
def test_the_default_is_32_bits(a: int, b: int) -> None:
    assert serial_lt(a, b)
    assert serial_gt(b, a)
    assert serial_lte(a, a)
    assert serial_gte(a, a)
    assert serial_add(a, (b - a) % 2**32) == b


@given(BITS, st.integers(0, 2**34), st.data())
def test_unwrapping_follows_a_counter_through_any_number_of_turns(bits: int, start: int, data: st.DataObject) -> None:
    half, mask = 1 << (bits - 1), (1 << bits) - 1
    unwrapper = Unwrapper(bits, start)
    highest = start
    for jump in data.draw(st.lists(st.integers(-half, half - 1), max_size=30)):
        plain = highest + jump
        assert unwrapper.peek(plain & mask) == plain
        assert unwrapper.latest == highest
        assert unwrapper.unwrap(plain & mask) == plain
        highest = max(highest, plain)
        assert unwrapper.latest == highest


def test_a_value_before_the_start_may_be_negative() -> None:
    assert Unwrapper(16, 3).peek(0xFFFF) == -1
