"""The signaling table, and that nothing happens in a wrong state."""

from __future__ import annotations

from types import SimpleNamespace

import attrs
import pytest

from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.sdp.jsep import (
    SIGNALING_TABLE,
    SignalingInput,
    SignalingState,
    apply_local,
    apply_remote,
    close,
    create_answer,
    create_offer,
    rollback,
    start,
)

LEGAL = {
    "stable": {"apply local offer": "have-local-offer", "apply remote offer": "have-remote-offer"},
    "have-local-offer": {
        "apply local offer": "have-local-offer",
        "apply remote answer": "stable",
        "apply remote pranswer": "have-remote-pranswer",
        "roll back local": "stable",
    },
    "have-remote-offer": {
        "apply remote offer": "have-remote-offer",
        "apply local answer": "stable",
        "apply local pranswer": "have-local-pranswer",
        "roll back remote": "stable",
    },
    "have-local-pranswer": {"apply local pranswer": "have-local-pranswer", "apply local answer": "stable"},
    "have-remote-pranswer": {"apply remote pranswer": "have-remote-pranswer", "apply remote answer": "stable"},
    "closed": {},
}


def test_the_table_is_the_one_of_the_specification() -> None:
    written = {
        state.value: {given.value: following.value for given, following in moves.items() if given.value != "close"}
        for state, moves in SIGNALING_TABLE.items()
    }
    assert written == LEGAL
    assert all(moves[SignalingInput.CLOSE] is SignalingState.CLOSED for moves in SIGNALING_TABLE.values())


def test_every_state_is_reached_and_left(kit: SimpleNamespace) -> None:
    one = kit.Side(kit.make_transceiver(1, "audio"))
    two = kit.Side()
    offer = one.offer()
    assert one.negotiation.state is SignalingState.HAVE_LOCAL_OFFER
    two.receive_offer(offer)
    assert two.negotiation.state is SignalingState.HAVE_REMOTE_OFFER
    one.receive_answer(two.answer(provisional=True), "pranswer")
    assert one.negotiation.state is SignalingState.HAVE_REMOTE_PRANSWER
    assert two.negotiation.state is SignalingState.HAVE_LOCAL_PRANSWER
    assert one.negotiation.sections[0].sending
    assert one.negotiation.pending_remote is not None
    one.receive_answer(two.answer())
    for side in (one, two):
        assert side.negotiation.state is SignalingState.STABLE
        assert side.negotiation.pending_local is side.negotiation.pending_remote is side.negotiation.before is None
    assert one.negotiation.current_local.text == offer
    assert one.negotiation.remote_description.type == "answer"
    assert two.negotiation.local_description.type == "answer"
    closed = close(one.negotiation)
    assert closed.state is SignalingState.CLOSED
    assert closed.sections == one.negotiation.sections


def test_wrong_moves_say_what_and_where(kit: SimpleNamespace) -> None:
    side = kit.Side(kit.make_transceiver(1, "audio"))
    with pytest.raises(LocalProtocolError, match="apply remote answer is not legal in state stable"):
        side.receive_answer("")
    with pytest.raises(LocalProtocolError, match="create answer is not legal in state stable"):
        create_answer(side.negotiation, side.local)
    with pytest.raises(LocalProtocolError, match="roll back"):
        rollback(side.negotiation)
    side.offer()
    with pytest.raises(LocalProtocolError, match="apply remote offer is not legal in state have-local-offer"):
        apply_remote(side.negotiation, "offer", "", side.local)
    other = kit.Side()
    other.receive_offer(side.negotiation.pending_local.text)
    with pytest.raises(LocalProtocolError, match="create offer is not legal in state have-remote-offer"):
        create_offer(other.negotiation, other.local)
    other.answer(provisional=True)
    with pytest.raises(LocalProtocolError, match="have-local-pranswer"):
        rollback(other.negotiation)
    closed = close(side.negotiation)
    for call in (
        lambda: create_offer(closed, side.local),
        lambda: apply_remote(closed, "offer", "", side.local),
        lambda: rollback(closed),
    ):
        with pytest.raises(LocalProtocolError, match="closed"):
            call()
    assert close(closed).state is SignalingState.CLOSED


def test_a_stale_description_is_refused(kit: SimpleNamespace) -> None:
    side, other = kit.Side(kit.make_transceiver(1, "audio")), kit.Side()
    old = create_offer(side.negotiation, side.local)
    side.offer_to(other)
    with pytest.raises(InvalidArgument, match="the offer is stale"):
        apply_local(side.negotiation, old)
    fresh = create_offer(side.negotiation, side.local)
    pending = apply_local(side.negotiation, fresh)
    assert apply_local(pending, fresh) is pending, "the pending one again changes nothing"


def test_rollback_keeps_the_old_value(kit: SimpleNamespace) -> None:
    side, other = kit.Side(kit.make_transceiver(1, "audio")), kit.Side()
    side.offer_to(other)
    before = side.negotiation
    side.add(kit.make_transceiver(2, "video"))
    side.offer()
    assert len(side.negotiation.slots) == 2
    assert side.negotiation.sections == before.sections
    back = rollback(side.negotiation)
    assert attrs.evolve(back, version=before.version, epoch=before.epoch) == before
    assert back.version > before.version, "o= versions never go back"
    other.receive_offer(side.offer())
    remote_before = other.negotiation.before
    back = rollback(other.negotiation)
    assert remote_before is not None
    assert back.slots == remote_before.slots
    assert back.state is SignalingState.STABLE


def test_a_second_offer_replaces_the_first(kit: SimpleNamespace) -> None:
    side, other = kit.Side(kit.make_transceiver(1, "audio")), kit.Side()
    first = side.offer()
    side.add(kit.make_transceiver(2, "video"))
    second = side.offer()
    assert side.transceivers[1].mid == "0", "mids given by the replaced offer stay"
    other.receive_offer(first)
    assert len(other.negotiation.remote_sections) == 1
    other.receive_offer(second)
    assert [one.kind for one in other.negotiation.remote_sections] == ["audio", "video"]
    side.receive_answer(other.answer())
    assert [one.kind for one in side.negotiation.sections] == ["audio", "video"]


def test_a_new_negotiation_is_empty() -> None:
    fresh = start(9)
    assert fresh.local_description is fresh.remote_description is None
    assert fresh.mids == frozenset()
    assert fresh.section("0") is None
