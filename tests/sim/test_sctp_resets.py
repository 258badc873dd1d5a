"""Stream resets between peers that read RFC 6525 differently, and what a reset must not leave behind."""

from __future__ import annotations

import pytest

from pystack.sctp import (
    AssociationOptions,
    AssociationState,
    Ended,
    IncomingReset,
    MessageReceived,
    OutgoingResetAsked,
    OutgoingResetDone,
    OutgoingResetFailed,
)
from pystack.sctp.wire.forward import ForwardTsnChunk
from pystack.sctp.wire.params import ParameterType, encode_parameter
from pystack.sctp.wire.reconfig import OutgoingResetRequest, ReconfigResponse, ResetResult
from pystack.sctp.wire.sack import SackChunk
from pystack.testing import LinkOptions
from tests.sim.test_sctp_life import KINDS, Scripted, kinds, pair, raw, reconfig, sent

IN_PROGRESS, PERFORMED = ResetResult.IN_PROGRESS, ResetResult.PERFORMED


def request(number: int, *streams: int, last: int = 1002) -> tuple[int, int, bytes]:
    return raw(OutgoingResetRequest(number, 0, last, streams))


def answers(peer: Scripted, number: int, *streams: int, last: int = 1002) -> list[tuple[int, int]]:
    """The peer asks; what it is answered, as number and result."""
    heard = reconfig(peer.say(request(number, *streams, last=last)))
    return [(one.response_sequence, one.result) for one in heard if isinstance(one, ReconfigResponse)]


# -- the peer asks again ---------------------------------------------------------------------------------------------


def test_a_peer_may_ask_again_under_the_same_number_and_under_the_next() -> None:
    """X05: dcSCTP has done either; what came last decides."""
    peer = Scripted()
    peer.say(peer.data(tsn=1000), peer.data(tsn=1002, ssn=2))
    assert answers(peer, 1000, 0) == [(1000, IN_PROGRESS)]
    assert answers(peer, 1000, 0) == [(1000, IN_PROGRESS)]
    assert answers(peer, 1001, 0) == [(1001, IN_PROGRESS)]
    assert answers(peer, 1000, 0) == [(1000, IN_PROGRESS)]  # a late copy says nothing new
    assert answers(peer, 1003, 0) == [(1003, ResetResult.BAD_SEQUENCE_NUMBER)]
    peer.core.take_events()
    peer.say(peer.data(tsn=1001, ssn=1))
    assert [type(event) for event in peer.core.take_events()] == [MessageReceived, MessageReceived, IncomingReset]
    assert answers(peer, 1001, 0) == [(1001, PERFORMED)]
    assert peer.core.take_events() == []


def test_a_reset_that_was_performed_meanwhile_is_not_performed_again_under_the_next_number() -> None:
    """X05, X14: the next message on the stream may be of the next channel."""
    peer = Scripted()
    assert answers(peer, 1000, 0) == [(1000, IN_PROGRESS)]
    peer.say(*(peer.data(ssn=number) for number in range(3)))
    assert peer.core.take_events()[-1] == IncomingReset((0,))
    for _ in range(2):
        assert answers(peer, 1001, 0) == [(1001, PERFORMED)]
    assert peer.core.take_events() == []
    # What is asked for after that is a reset of its own, also when nothing was sent in between.
    assert answers(peer, 1002, 0) == [(1002, PERFORMED)]
    assert peer.core.take_events() == [IncomingReset((0,))]


def test_another_reset_after_one_that_the_peer_has_not_heard_of_is_performed() -> None:
    peer = Scripted()
    assert answers(peer, 1000, 0) == [(1000, IN_PROGRESS)]
    peer.say(*(peer.data(ssn=number) for number in range(3)))
    peer.core.take_events()
    assert answers(peer, 1001, 0, 1) == [(1001, PERFORMED)]
    assert peer.core.take_events() == [IncomingReset((0, 1))]


def test_another_kind_of_request_does_not_push_aside_one_that_is_in_progress() -> None:
    """A chunk may hold two requests, numbered in a row (RFC 6525 section 3.1)."""
    peer = Scripted()
    assert answers(peer, 1000, 0) == [(1000, IN_PROGRESS)]
    kind, flags, body = request(1000, 0)
    body += encode_parameter(ParameterType.INCOMING_RESET_REQUEST, (1001).to_bytes(4, "big"))
    assert len(reconfig(peer.say((kind, flags, body)))) == 2
    peer.say(*(peer.data(ssn=number) for number in range(3)))
    assert peer.core.take_events()[-1] == IncomingReset((0,))


# -- we ask again ----------------------------------------------------------------------------------------------------


def test_we_ask_again_under_a_new_number_after_a_pause() -> None:
    """X04: a peer that keeps to the letter answers a repetition as before, for ever."""
    peer = Scripted()
    peer.core.reset([1], peer.now)
    (first,) = reconfig(peer.hear())
    assert peer.core.take_events() == [OutgoingResetAsked((1,))]
    number = first.request_sequence
    for _ in range(2):  # a copy of the answer changes nothing
        assert peer.say(raw(ReconfigResponse(number, IN_PROGRESS))) == []
    assert reconfig(peer.wait(0.9)) == []
    (second, *copies) = reconfig(peer.wait(1.2))
    assert second.request_sequence == (number + 1) & 0xFFFFFFFF
    assert (second.last_tsn, second.streams) == (first.last_tsn, first.streams)
    assert all(copy == second for copy in copies)  # not answered: the same again
    assert peer.say(raw(ReconfigResponse(number, PERFORMED))) == []  # an answer to what is asked no more
    peer.say(raw(ReconfigResponse(second.request_sequence, PERFORMED)))
    assert peer.core.take_events() == [OutgoingResetDone((1,))]


def test_a_peer_that_puts_a_reset_off_without_a_reason_is_asked_seven_times() -> None:
    peer = Scripted(AssociationOptions(heartbeat_interval=0))
    peer.core.reset([1], peer.now)
    peer.core.reset([2], peer.now)
    began, asked = peer.now, []
    while not any(isinstance(event, OutgoingResetFailed) for event in peer.core.take_events()):
        for one in reconfig(peer.hear() or peer.wait(0.5)):
            asked.append((round(peer.now - began), one.streams))
            peer.core.receive(peer.packet(raw(ReconfigResponse(one.request_sequence, IN_PROGRESS))), peer.now)
        assert peer.now - began < 200
    assert [streams for _, streams in asked] == [(1, 2)] * 7
    assert 60 < asked[-1][0] < 70  # 1 s, doubling
    assert peer.core.state is AssociationState.ESTABLISHED
    assert peer.core.stats().errors == 0


def test_a_peer_that_lacks_data_may_put_a_reset_off_for_as_long_as_it_does() -> None:
    peer = Scripted(AssociationOptions(heartbeat_interval=0, max_association_retransmits=0))
    peer.core.send(1, b"lost", peer.now, ppid=53)
    peer.core.reset([1], peer.now)
    asked, packets = 0, peer.hear()
    for _ in range(60):
        for one in reconfig(packets):
            asked += 1
            packets = peer.say(raw(ReconfigResponse(one.request_sequence, IN_PROGRESS)))
        packets = peer.wait(60)
    assert asked > 10
    peer.say(SackChunk(peer.peer_tsn, 100_000).encode())
    (one, *_) = reconfig(packets + peer.wait(120))
    peer.say(raw(ReconfigResponse(one.request_sequence, PERFORMED)))
    assert OutgoingResetDone((1,)) in peer.core.take_events()


def test_the_last_data_lost_with_the_request_behind_it_costs_one_pause() -> None:
    """What is closed right after a send goes in one flush with it, so a loss there is answered "in progress"."""
    both = pair()
    both.run(for_=1.0)
    lost = []
    both.there.lose = lambda number, packet: not lost and "I_DATA" in kinds(packet[0]) and not lost.append(packet)
    for _ in range(4):
        both.a.core.send(1, bytes(1000), both.now, ppid=53)
    both.a.core.reset([1], both.now)
    took = both.run(lambda: both.a.saw(OutgoingResetDone), limit=30)
    assert took < 2
    assert both.b.all(IncomingReset) == [IncomingReset((1,))]


# -- what is left of a stream that was reset -------------------------------------------------------------------------


@pytest.mark.parametrize("interleaving", [True, False])
def test_numbers_that_were_given_up_before_a_reset_are_not_skipped_after_it(interleaving: bool) -> None:
    """X15, P06: the peer would take them for messages of the new stream, and drop those in front of them."""
    both = pair(options=AssociationOptions(interleaving=interleaving, heartbeat_interval=0))
    for number in range(5):
        both.a.core.send(2, b"old %d" % number, both.now, ppid=53)
    both.run(lambda: len(both.b.all(MessageReceived)) == 5)
    both.run(for_=1.0)
    both.back.lose = lambda number, item: "SACK" in kinds(item[0])
    both.there.lose = lambda number, item: not {"DATA", "I_DATA"}.isdisjoint(kinds(item[0]))
    both.a.core.send(2, b"given up", both.now, ppid=53, max_retransmits=0)
    both.run(for_=0.7)
    both.there.lose = None
    both.a.core.reset([2], both.now)
    both.run(lambda: both.a.saw(OutgoingResetDone))
    both.there.lose = lambda number, item: not {"DATA", "I_DATA"}.isdisjoint(kinds(item[0]))
    both.a.core.send(4, b"given up too", both.now, ppid=53, max_retransmits=0)
    for number in range(7):
        both.a.core.send(2, b"new %d" % number, both.now, ppid=53)
    both.run(for_=1.5)
    both.there.lose = both.back.lose = None
    both.run(for_=30.0)
    new = [event.data for event in both.b.all(MessageReceived)][5:]
    assert new == [b"new %d" % number for number in range(7)]
    assert both.a.core.stats().outstanding == 0


def test_what_is_given_up_after_a_reset_was_answered_names_no_number_either() -> None:
    """The peer has it, or it could not have performed the reset; only its acknowledgement was lost."""
    peer = Scripted(AssociationOptions(heartbeat_interval=0))
    for stream in (1, 2):
        peer.core.send(stream, b"arrived", peer.now, ppid=53, max_retransmits=0)
    peer.core.reset([1], peer.now)
    (asked,) = reconfig(peer.hear())
    peer.say(raw(ReconfigResponse(asked.request_sequence, PERFORMED)))
    (forward, *_) = sent(peer.wait(5), KINDS.FORWARD_TSN)
    assert ForwardTsnChunk.decode(forward) == ForwardTsnChunk((peer.peer_tsn + 1) & 0xFFFFFFFF, [(2, 0)])


def test_all_streams_are_those_that_something_came_on_since_their_last_reset() -> None:
    peer = Scripted(AssociationOptions(heartbeat_interval=0))
    peer.say(*(peer.data(stream=stream) for stream in (3, 4)))
    peer.core.take_events()
    last = peer.tsn - 1
    assert answers(peer, 1000, last=last) == [(1000, PERFORMED)]
    assert peer.core.take_events() == [IncomingReset((3, 4))]
    for number in (1001, 1002):
        assert answers(peer, number, last=last) == [(number, PERFORMED)]
    assert peer.core.take_events() == []
    # Named is reset, also when nothing ever came; named twice is once.
    assert answers(peer, 1003, 7, 7, 3, last=last) == [(1003, PERFORMED)]
    assert peer.core.take_events() == [IncomingReset((7, 3))]
    peer.say(peer.data(b"new", stream=4))
    assert answers(peer, 1004, last=peer.tsn - 1) == [(1004, PERFORMED)]
    assert [type(event) for event in peer.core.take_events()] == [MessageReceived, IncomingReset]


def test_what_is_unread_of_a_stream_stays_charged_through_its_reset() -> None:
    peer = Scripted()
    whole = peer.core.stats().receive_window
    peer.say(peer.data(b"old" * 100, stream=3))
    answers(peer, 1000, 3, last=peer.tsn - 1)
    peer.say(peer.data(b"new" * 100, stream=3))
    answers(peer, 1001, 3, last=peer.tsn - 1)
    peer.say(peer.data(b"odd", stream=3, ssn=1))  # waits for its turn
    held = whole - peer.core.stats().receive_window
    peer.core.consume(3, 250, peer.now)
    assert whole - peer.core.stats().receive_window == held - 250
    peer.core.consume(3, 350, peer.now)
    peer.core.consume(3, 1, peer.now)
    assert whole - peer.core.stats().receive_window == 3 + 64
    answers(peer, 1002, 3, last=peer.tsn - 1)
    assert peer.core.stats().receive_window == whole


# -- an outage in the middle of it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("with_reset", [False, True])
@pytest.mark.parametrize("interval", [0.0, 30.0])
def test_an_outage_is_counted_once_whatever_is_under_way(interval: float, with_reset: bool) -> None:
    """L6: T3, stream resets and heartbeats are not answered together."""
    both = pair(LinkOptions(delay=0.001), AssociationOptions(heartbeat_interval=interval))
    both.a.core.send(1, b"measure the path", both.now, ppid=53)
    both.run(for_=1.0)
    both.black_hole()
    both.a.core.send(1, b"into the void", both.now, ppid=53)
    if with_reset:
        both.a.core.reset([2], both.now)
    took = both.run(lambda: both.a.saw(Ended), limit=2000)
    assert took == pytest.approx(281.8, abs=0.5)


def test_a_reset_alone_is_counted_once_beside_heartbeats() -> None:
    both = pair()
    both.run(for_=5.0)
    both.black_hole()
    both.a.core.reset([2], both.now)
    took = both.run(lambda: both.a.saw(Ended), limit=2000)
    assert 250 < took < 370


def test_an_outage_of_two_minutes_with_a_reset_under_way_is_survived() -> None:
    both = pair()
    both.run(for_=5.0)
    both.black_hole()
    both.a.core.send(1, b"later", both.now, ppid=53)
    both.a.core.reset([2], both.now)
    both.run(for_=120.0)
    both.heal()
    both.run(lambda: both.a.saw(OutgoingResetDone) and both.b.saw(MessageReceived), limit=200)
    assert not both.a.saw(Ended)
