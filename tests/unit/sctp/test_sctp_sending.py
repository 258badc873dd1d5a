"""The parts of the sending half, each alone: gate, queue, time-out, congestion window, outstanding, subtraction."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.errors import InvalidArgument, TransportLost
from pystack.sctp.association import Association
from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.events import BufferedAmountLow, Ended, Writable
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.tx.congestion import CongestionWindow
from pystack.sctp.tx.gate import Gate
from pystack.sctp.tx.outstanding import ACKED, IN_FLIGHT, LOST, Outstanding, SentChunk, subtract
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.send_queue import OutgoingMessage, OutgoingStream, SendQueue

MTU = 1191


def gate(**options):
    outbox = Outbox(None)
    return Gate(AssociationOptions(**options), outbox), outbox


def test_the_gate_takes_whole_messages_while_there_is_room():
    it, _ = gate(send_buffer=1000, stream_send_buffer=600)
    one, two = OutgoingStream(1), OutgoingStream(2)
    assert it.admit(one, 5000)
    assert not it.admit(two, 1)
    it.released(one, 5000)
    assert it.admit(one, 599)
    assert it.admit(one, 599)
    assert not it.admit(one, 1)
    assert (it.queued, one.queued, two.queued) == (1198, 1198, 0)


def test_a_refusal_is_answered_once_when_there_is_room_again():
    it, outbox = gate(send_buffer=1000, stream_send_buffer=1000)
    one, two = OutgoingStream(1), OutgoingStream(2)
    assert it.admit(one, 1000)
    assert not it.admit(two, 10)
    assert not it.admit(two, 20)
    assert not it.admit(one, 10)
    assert outbox.events == []
    it.released(one, 100)
    assert outbox.events == [Writable(2), Writable(1)]
    it.released(one, 100)
    assert len(outbox.events) == 2


def test_a_release_wakes_what_the_room_is_good_for_and_an_empty_queue_wakes_all():
    it, outbox = gate(send_buffer=100, stream_send_buffer=100)
    streams = [OutgoingStream(number) for number in range(5)]
    assert it.admit(streams[0], 100)
    for stream in streams[1:]:
        assert not it.admit(stream, 30)
    it.released(streams[0], 40)
    assert outbox.events == [Writable(1), Writable(2)]
    it.released(streams[0], 60)
    assert outbox.events == [Writable(1), Writable(2), BufferedAmountLow(0), Writable(3), Writable(4)]


def test_a_full_stream_does_not_hold_back_another():
    it, outbox = gate(send_buffer=1000, stream_send_buffer=100)
    one, two = OutgoingStream(1), OutgoingStream(2)
    assert it.admit(one, 300)
    assert not it.admit(one, 1)
    assert it.admit(two, 100)
    assert not it.admit(two, 1)
    it.released(two, 50)
    assert outbox.events == [Writable(2)]


def test_blocking_mode_opens_when_the_queue_is_empty():
    it, outbox = gate(blocking_writes=True)
    one, two = OutgoingStream(1), OutgoingStream(2)
    assert it.admit(one, 10)
    assert not it.admit(two, 10)
    it.released(one, 9)
    assert outbox.events == []
    it.released(one, 1)
    assert outbox.events == [BufferedAmountLow(1), Writable(2)]


def test_the_low_event_comes_when_the_amount_falls_to_the_threshold_from_above():
    it, outbox = gate()
    one = OutgoingStream(1)
    one.low_threshold = 50
    it.admit(one, 100)
    it.released(one, 49)
    assert outbox.events == []
    it.released(one, 1)
    it.released(one, 1)
    assert outbox.events == [BufferedAmountLow(1)]


def test_refusals_are_answered_when_nothing_more_is_taken_and_forgotten_at_the_end():
    it, outbox = gate(send_buffer=1)
    one = OutgoingStream(1)
    it.admit(one, 1)
    it.admit(one, 1)
    it.open_for_good()
    assert outbox.events == [Writable(1)]
    it.admit(one, 1)
    it.forget()
    it.released(one, 1)
    assert outbox.events == [Writable(1), BufferedAmountLow(1)]


def message(queue, number=1, size=10, expires=float("inf")):
    return OutgoingMessage(queue.stream(number), bytes(size), 53, 0, -1, expires)


def test_expired_messages_leave_the_queue_from_anywhere():
    queue = SendQueue()
    first, second, third = message(queue), message(queue, expires=2.0), message(queue, 2, expires=1.0)
    for one in (first, second, third):
        queue.put(one)
    assert queue.next_expiry == 1.0
    assert queue.expired(0.5) == []
    assert queue.expired(1.0) == [third]
    assert queue.remove(third) == 10
    assert list(queue.ring) == [queue.stream(1)]
    assert queue.expired(5.0) == [second]
    assert queue.remove(second) == 10
    assert queue.next_expiry == float("inf")
    assert queue.remove(second) == 0
    assert list(queue.stream(1).queue) == [first]


def test_the_heap_of_lifetimes_stays_small_when_messages_depart_long_before():
    queue = SendQueue()
    for _ in range(5000):
        one = message(queue, expires=1e9)
        queue.put(one)
        queue.remove(one)
    assert len(queue._expiring) < 600


def test_messages_after_a_reset_request_are_held():
    queue = SendQueue()
    stream = queue.stream(1)
    stream.resetting = True
    one = message(queue)
    queue.put(one)
    assert not queue.ring
    queue.release_held(stream)
    assert list(queue.ring) == [stream]
    assert list(stream.queue) == [one]


def test_the_timeout_follows_rfc_9260():
    rto = RetransmissionTimeout(AssociationOptions(rto_initial=3.0, rto_min=1.0, rto_max=60.0))
    assert rto.value == 3.0
    rto.sample(2.0)
    assert (rto.srtt, rto.rttvar, rto.value) == (2.0, 1.0, 6.0)
    rto.sample(2.0)
    assert (rto.srtt, rto.rttvar, rto.value) == (2.0, 0.75, 5.0)
    for _ in range(100):
        rto.sample(0.01)
    assert rto.value == 1.0
    for _ in range(10):
        rto.back_off()
    assert rto.value == 60.0
    rto.sample(-1.0)
    assert rto.value >= 1.0


def test_slow_start_grows_by_what_was_acknowledged_and_no_more_than_a_packet():
    window = CongestionWindow(AssociationOptions(initial_window=4))
    window.acknowledged(500, 4 * MTU, advanced=True, recovering=False, idle=False)
    assert window.window == 4 * MTU + 500
    window.acknowledged(5000, window.window, advanced=True, recovering=False, idle=False)
    assert window.window == 5 * MTU + 500


@pytest.mark.parametrize(
    ("flight", "advanced", "recovering"), [(0, True, False), (10 * MTU, False, False), (10 * MTU, True, True)]
)
def test_an_unused_window_a_standing_point_and_recovery_do_not_grow_it(flight, advanced, recovering):
    window = CongestionWindow(AssociationOptions())
    window.acknowledged(1000, flight, advanced=advanced, recovering=recovering, idle=False)
    assert window.window == 10 * MTU


def test_congestion_avoidance_grows_by_a_packet_per_window():
    window = CongestionWindow(AssociationOptions())
    window.lost()
    assert window.window == window.threshold == 5 * MTU
    window.window += 1
    for _ in range(5):
        window.acknowledged(MTU, 5 * MTU, advanced=True, recovering=False, idle=False)
        assert window.window == 5 * MTU + 1
    window.acknowledged(MTU, 5 * MTU, advanced=True, recovering=False, idle=False)
    assert window.window == 6 * MTU + 1


def test_loss_halves_and_a_timeout_leaves_one_packet():
    window = CongestionWindow(AssociationOptions(initial_window=20))
    window.lost()
    assert window.window == 10 * MTU
    window.timed_out()
    assert (window.window, window.threshold) == (MTU, 5 * MTU)
    window.lost()
    assert window.window == 4 * MTU


def test_idle_time_halves_down_to_the_initial_window():
    window = CongestionWindow(AssociationOptions())
    window.window = 100 * MTU
    window.idled(0)
    assert window.window == 100 * MTU
    window.idled(1)
    assert window.window == 50 * MTU
    window.idled(9)
    assert window.window == 10 * MTU


def test_the_burst_allowance_is_granted_by_acknowledgements_only():
    window = CongestionWindow(AssociationOptions())
    window.allowance = 0
    window.acknowledged(1000, 9 * MTU, advanced=True, recovering=False, idle=False)
    assert window.allowance == 4 * MTU
    window.acknowledged(1000, 9 * MTU, advanced=True, recovering=False, idle=True)
    assert window.allowance >= 10 * MTU


def test_the_error_counter_ends_after_its_limit_and_never_at_zero():
    for limit, ends in ((2, True), (0, False)):
        outbox = Outbox(None)
        counter = ErrorCounter(limit, outbox)
        counter.strike("tries")
        counter.strike("tries")
        counter.clear()
        for _ in range(3):
            assert outbox.events == []
            counter.strike("tries")
        assert bool(outbox.events) is ends
        if ends:
            assert isinstance(outbox.events[0], Ended)
            assert isinstance(outbox.reason, TransportLost)


RANGES = st.sets(st.integers(0, 60)).map(sorted)


def to_blocks(numbers):
    blocks = []
    for number in numbers:
        if blocks and blocks[-1][1] == number:
            blocks[-1] = (blocks[-1][0], number + 1)
        else:
            blocks.append((number, number + 1))
    return blocks


@settings(deadline=None)
@given(RANGES, RANGES)
def test_subtraction_of_blocks_is_subtraction_of_sets(left, right):
    found = [number for start, stop in subtract(to_blocks(left), to_blocks(right)) for number in range(start, stop)]
    assert found == sorted(set(left) - set(right))


def outstanding(count, first=100, size=10):
    it = Outstanding(first)
    queue = SendQueue()
    for number in range(count):
        it.add(SentChunk(b"w", size, message(queue), first + number))
    return it


def test_a_chunk_is_lost_at_its_third_report_and_only_once():
    it = outstanding(10)
    for highest in (102, 103, 104):
        it.acknowledge(it.span(highest, highest + 1))
        it.suspect_below(highest, -1)
        found = it.report_missing(highest)
        assert [chunk.tsn for chunk in found] == ([100, 101] if highest == 104 else [])
    for chunk in found:
        it.lose(chunk)
    assert it.flight == 50
    it.resend(found[0])
    for highest in (105, 106, 107, 108):
        it.acknowledge(it.span(highest, highest + 1))
        it.suspect_below(highest, -1)
        assert it.report_missing(highest) == []


def test_reports_do_not_count_above_what_is_newly_acknowledged():
    it = outstanding(10)
    it.acknowledge(it.span(109, 110))
    it.suspect_below(109, -1)
    for _ in range(5):
        assert it.report_missing(100) == []


def test_late_acknowledgement_takes_a_chunk_off_the_lost_ones():
    it = outstanding(3)
    (first, *_) = it.lose_all()
    assert it.flight == 0
    assert it.advance(1) == 10
    assert first.state == ACKED
    assert [chunk.state for chunk in it.lost] == [ACKED, LOST, LOST]


def test_reneged_chunks_are_in_flight_again():
    it = outstanding(5)
    assert it.acknowledge(it.span(102, 104)) == 20
    assert it.flight == 30
    it.take_back([(102, 103)])
    assert it.flight == 40
    assert it.span(102, 103)[0].state == IN_FLIGHT


def test_memory_follows_the_flight_and_not_what_was_ever_sent():
    it = outstanding(0)
    queue = SendQueue()
    for number in range(5000):
        it.add(SentChunk(b"w", 10, message(queue), 100 + number))
        if len(it) > 50:
            it.advance(2)
    assert len(it._chunks) < 250


@pytest.mark.parametrize(
    "wrong",
    [
        {"local_port": 0},
        {"streams": 70000},
        {"mtu": 100},
        {"rto_min": 0},
        {"rto_min": 2.0, "rto_initial": 1.0},
        {"sack_delay": -1},
        {"max_burst": 0},
        {"max_init_retransmits": -1},
        {"receive_window": 100},
        {"max_message_size": 1 << 30},
        {"send_buffer": 0},
    ],
)
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(InvalidArgument):
        AssociationOptions(**wrong)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 60), st.randoms(use_true_random=False), st.booleans())
def test_the_sender_knows_exactly_what_the_receiver_said(count, chance, interleaving):
    """S05-S07, S15: packets in any order, acknowledgements lost, blocks that grow, merge, and are passed over."""
    options = AssociationOptions(interleaving=interleaving, initial_window=100, tail_loss_probe=False)
    a, b = (Association(options, SeededRandomness(name)) for name in "ab")
    a.connect(0.0)
    for _ in range(4):
        for source, target in ((a, b), (b, a)):
            for packet in source.flush(0.0):
                target.receive(packet, 0.0)
    for _ in range(count):
        a.send(1, bytes(1100), 0.0, ppid=53)
    packets = a.flush(0.0)
    outstanding = a._retransmitter.outstanding
    base = outstanding.cumulative
    order = sorted(range(count), key=lambda number: number + chance.random() * chance.choice((1, 5, 60)))
    arrived = set()
    for number in order:
        b.receive(packets[number], 0.0)
        arrived.add(number)
        for sack in b.flush(0.0):
            if chance.random() < 0.7:
                a.receive(sack, 0.0)
                unknown = {
                    chunk.tsn - base - 1
                    for chunk in outstanding.span(0, outstanding.next_tsn)
                    if chunk.state in (IN_FLIGHT, LOST)
                }
                assert set(range(count)) - unknown == arrived
    assert a.drops == {}
