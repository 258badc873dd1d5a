"""A machine follows its table and refuses everything else."""

from enum import Enum, auto

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.base import Machine, Table
from pystack.errors import LocalProtocolError


class Door(Enum):
    OPEN = auto()
    SHUT = auto()
    GONE = auto()


class Hand(Enum):
    PUSH = auto()
    PULL = auto()
    TEAR_OFF = auto()


TABLE: Table[Door, Hand] = {
    Door.OPEN: {Hand.PUSH: Door.SHUT, Hand.TEAR_OFF: Door.GONE},
    Door.SHUT: {Hand.PULL: Door.OPEN},
}


def test_a_legal_move() -> None:
    door = Machine(TABLE, Door.OPEN)
    assert door.allows(Hand.PUSH)
    assert door.move(Hand.PUSH) is Door.SHUT
    assert door.state is Door.SHUT


def test_an_illegal_move_raises_and_changes_nothing() -> None:
    door = Machine(TABLE, Door.SHUT)
    assert not door.allows(Hand.TEAR_OFF)
    with pytest.raises(LocalProtocolError, match="tear off is not legal in state SHUT") as caught:
        door.move(Hand.TEAR_OFF)
    assert (caught.value.operation, caught.value.state) == ("tear off", "SHUT")
    assert door.state is Door.SHUT


def test_a_state_without_a_row_is_final() -> None:
    door = Machine(TABLE, Door.GONE)
    for hand in Hand:
        assert not door.allows(hand)
        with pytest.raises(LocalProtocolError):
            door.move(hand)


@given(st.lists(st.sampled_from(Hand)))
def test_allows_tells_exactly_what_move_does(hands: list[Hand]) -> None:
    door = Machine(TABLE, Door.OPEN)
    for hand in hands:
        before = door.state
        if door.allows(hand):
            assert door.move(hand) is TABLE[before][hand]
        else:
            with pytest.raises(LocalProtocolError):
                door.move(hand)
            assert door.state is before
