"""Randomness: seeded is repeatable, secret is not, both keep their ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.base import Ended, Randomness, SecretRandomness, SeededRandomness
from pystack.errors import LOCAL


def draw(randomness: Randomness) -> tuple[bytes, int, float]:
    return randomness.token(8), randomness.integer(32), randomness.uniform()


@given(st.one_of(st.integers(), st.text(), st.binary()))
def test_a_seed_repeats_itself(seed: int | str | bytes) -> None:
    one, other = SeededRandomness(seed), SeededRandomness(seed)
    assert [draw(one) for _ in range(3)] == [draw(other) for _ in range(3)]


def test_seeds_differ_and_secrets_do_not_repeat() -> None:
    assert draw(SeededRandomness(1)) != draw(SeededRandomness(2))
    assert draw(SecretRandomness()) != draw(SecretRandomness())


@pytest.mark.parametrize("randomness", [SecretRandomness(), SeededRandomness(0)], ids=["secret", "seeded"])
def test_ranges(randomness: Randomness) -> None:
    assert [len(randomness.token(size)) for size in (0, 1, 32)] == [0, 1, 32]
    assert all(0 <= randomness.integer(3) < 8 for _ in range(100))
    assert {randomness.integer(1) for _ in range(100)} == {0, 1}
    assert all(0 <= randomness.uniform() < 1 for _ in range(100))


def test_the_terminal_event_is_a_value() -> None:
    assert Ended(LOCAL) == Ended("local")
    assert Ended(LOCAL).reason == LOCAL
