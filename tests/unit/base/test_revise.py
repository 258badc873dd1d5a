"""A revised value is what attrs.evolve makes, in every respect that a caller can see."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.base import revise


@attrs.frozen
class Pair:
    left: int = attrs.field(validator=attrs.validators.ge(0))
    _right: str = "r"
    rest: tuple[int, ...] = attrs.field(factory=tuple, kw_only=True)


@given(
    st.builds(Pair, st.integers(0), st.text(), rest=st.tuples(st.integers())),
    st.fixed_dictionaries({}, optional={"left": st.integers(0), "right": st.text(), "rest": st.just(())}),
)
def test_it_is_what_evolve_makes(pair: Pair, changes: dict[str, object]) -> None:
    before = repr(pair)
    assert revise(pair, **changes) == attrs.evolve(pair, **changes)
    assert repr(pair) == before


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="left"):
        revise(Pair(1), left=-1)
    with pytest.raises(TypeError, match="centre"):
        revise(Pair(1), centre=1)
