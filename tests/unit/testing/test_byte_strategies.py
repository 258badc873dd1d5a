"""Strategies draw what they promise."""

import random

from hypothesis import find, given
from hypothesis import strategies as st

from pystack.testing.strategies import mutate, mutated, noise, payloads


@given(payloads(3000))
def test_payloads_keep_their_bound(data: bytes) -> None:
    assert len(data) <= 3000


@given(payloads(0))
def test_a_bound_of_nothing_is_nothing(data: bytes) -> None:
    assert data == b""


def test_long_payloads_are_likely() -> None:
    assert len(find(payloads(3000), lambda data: len(data) == 3000)) == 3000


@given(noise(700))
def test_noise_keeps_its_bound(data: bytes) -> None:
    assert len(data) <= 700


@given(mutated([b"a valid datagram", b"another one"]))
def test_mutated_gives_bytes(data: bytes) -> None:
    assert isinstance(data, bytes)


@given(st.binary(max_size=50), st.integers())
def test_a_mutation_is_repeatable_and_leaves_its_input_alone(data: bytes, seed: int) -> None:
    before = bytes(data)
    assert mutate(data, random.Random(seed)) == mutate(data, random.Random(seed))
    assert data == before


def test_every_kind_of_damage_happens() -> None:
    data = bytes(range(100))
    sizes = {len(mutate(data, random.Random(seed))) - len(data) for seed in range(300)}
    assert min(sizes) < -50
    assert 0 in sizes
    assert max(sizes) > 20
