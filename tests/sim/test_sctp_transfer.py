"""Data between two associations over simulated links: order, loss, windows, partial reliability, the gate."""

import attrs
import pytest

from pystack.base import SeededRandomness
from pystack.errors import Closed, InvalidArgument, LocalProtocolError, MessageTooLarge, TransportLost
from pystack.sctp import (
    Association,
    AssociationOptions,
    BufferedAmountLow,
    Ended,
    Established,
    MessageReceived,
    ShutdownStarted,
    Writable,
)
from pystack.testing import LinkOptions, Pair

SLOW = LinkOptions(delay=0.025)


def pair(link=SLOW, options=None, other=None, *, seed=1, consume=True, connect=True):
    options = options or AssociationOptions()
    cores = [
        Association(one, SeededRandomness(f"{seed} {name}")) for name, one in (("a", options), ("b", other or options))
    ]
    both = Pair(*cores, link, seed=seed)
    if consume:
        for node in (both.a, both.b):
            node.on_event = lambda event, core=node.core: (
                core.consume(event.stream, len(event.data), both.now) if isinstance(event, MessageReceived) else None
            )
    if connect:
        both.a.core.connect(both.now)
        both.b.core.connect(both.now)
        both.run(lambda: both.a.saw(Established) and both.b.saw(Established))
    return both


def received(node, stream=None):
    return [event.data for event in node.all(MessageReceived) if stream in (None, event.stream)]


def feed(both, messages, *, stream=1, node=None, **limits):
    """Send as an application with back-pressure would: when refused, go on at Writable."""
    node = node or both.a
    waiting = list(reversed(messages))
    before = node.on_event

    def push():
        while waiting and node.core.send(stream, waiting[-1], both.now, ppid=53, **limits):
            waiting.pop()

    def on_event(event):
        if before is not None:
            before(event)
        if isinstance(event, Writable) and event.stream == stream:
            push()

    node.on_event = on_event
    push()
    return waiting


@pytest.mark.parametrize("size", [1, 1159, 1160, 1161, 2320, 16384, 262144])
def test_messages_of_every_size_arrive_whole(size):
    """D01, D02, D03, D21."""
    both = pair()
    data = bytes(range(256)) * (size // 256 + 1)
    both.a.core.send(7, data[:size], both.now, ppid=51, ordered=False)
    both.run(lambda: both.b.saw(MessageReceived))
    assert both.b.all(MessageReceived) == [MessageReceived(7, 51, data[:size], False)]


@pytest.mark.parametrize("seed", range(4))
def test_reliable_messages_arrive_once_and_in_order_whatever_the_path_does(seed):
    """D04, D09, C13, R05-R11: loss, duplicates and reordering both ways, small and large messages mixed."""
    both = pair(LinkOptions(delay=0.02, jitter=0.01, loss=0.08, duplicate=0.03, reorder=0.05), seed=seed)
    sizes = [1, 5000, 100, 1160, 30000, 7, 2500] * 6
    mine = [bytes([number]) * size for number, size in enumerate(sizes)]
    feed(both, mine, stream=1)
    feed(both, mine[::-1], stream=2, node=both.b)
    both.run(lambda: len(received(both.b)) == len(mine) == len(received(both.a)), limit=600)
    assert received(both.b) == mine
    assert received(both.a) == mine[::-1]
    for node in (both.a, both.b):
        both.run(for_=2.0)
        assert node.core.stats().flight == node.core.stats().outstanding == 0
        assert node.core.stats().receive_window == 1 << 20


def test_a_hole_in_one_stream_does_not_hold_back_another_nor_unordered_messages():
    """D05, D06."""
    both = pair()
    lost = []
    both.there.lose = lambda number, item: not lost and not lost.append(number)
    both.a.core.send(1, b"lost first", both.now, ppid=53)
    both.run(for_=0.001)
    both.a.core.send(1, b"waits", both.now, ppid=53)
    both.a.core.send(2, b"passes", both.now, ppid=53)
    both.a.core.send(1, b"unordered", both.now, ppid=53, ordered=False)
    both.run(for_=0.05)
    assert received(both.b) == [b"passes", b"unordered"]
    both.run(lambda: len(received(both.b)) == 4)
    assert received(both.b, 1) == [b"unordered", b"lost first", b"waits"]


def test_small_messages_share_packets():
    """D10, and ten sends before one flush."""
    both = pair()
    before = both.there.sent
    for number in range(10):
        both.a.core.send(1, bytes([number]) * 50, both.now, ppid=53)
    both.run(for_=0.001)
    assert both.there.sent - before == 1


def test_stream_sequence_numbers_wrap():
    """D08: more than 65,536 messages on one stream."""
    both = pair(options=AssociationOptions(interleaving=False))
    a, b = both.a.core, both.b.core
    count, got, now = 0, [], both.now
    for _ in range(33):
        for _ in range(2000):
            assert a.send(1, b"%d" % count, now, ppid=53)
            count += 1
        while a.stats().outstanding or a.stats().buffered:
            now += 0.3
            for one in (a, b):
                one.tick(now)
            for packet in a.flush(now):
                b.receive(packet, now)
            for packet in b.flush(now):
                a.receive(packet, now)
            for event in b.take_events():
                got.append(event.data)
                b.consume(1, len(event.data), now)
    assert got == [b"%d" % number for number in range(count)]


def test_a_loss_is_repaired_by_three_reports_long_before_the_timer():
    """R09, C05."""
    both = pair()
    start = both.there.sent
    both.there.lose = lambda number, item: number == start + 2
    both.a.core.send(1, bytes(12000), both.now, ppid=53)
    took = both.run(lambda: both.b.saw(MessageReceived))
    assert took < 0.15
    counters = both.a.core.stats().counters
    assert (counters.fast_retransmits, counters.timer_retransmits) == (1, 0)


def test_the_last_packet_lost_is_repaired_by_the_timer():
    """R05, R08, C04: then the window is one packet."""
    both = pair()
    start = both.there.sent
    both.there.lose = lambda number, item: number == start
    both.a.core.send(1, b"alone", both.now, ppid=53)
    both.run(lambda: both.b.saw(MessageReceived))
    stats = both.a.core.stats()
    assert stats.counters.timer_retransmits == 1
    both.run(for_=1.0)
    assert both.a.core.stats().errors == 0
    assert both.a.core.deadline_reason == "heartbeat"


def test_the_flight_respects_the_peer_window_and_starts_again_when_it_opens():
    """F01, F03, F04, F10: a reader that does not read closes the window; reading opens it without a time-out."""
    small = AssociationOptions(receive_window=20000, max_message_size=5000)
    both = pair(other=small, consume=False)
    messages = [bytes([number]) * 1000 for number in range(60)]
    feed(both, messages)
    both.run(for_=5.0)
    got = received(both.b)
    assert 10 <= len(got) <= 21
    assert both.b.core.stats().receive_window < 2000
    while len(got) < 60:
        for data in got[-20:]:
            both.b.core.consume(1, len(data), both.now)
        both.run(for_=0.3)
        assert len(received(both.b)) > len(got)
        got = received(both.b)
    assert got == messages


def test_a_closed_window_is_probed_patiently_for_ever():
    """F02, AC5.3: the peer answers, so nothing is counted against it."""
    small = AssociationOptions(receive_window=8000, max_message_size=5000, heartbeat_interval=0)
    both = pair(options=AssociationOptions(heartbeat_interval=0), other=small, consume=False)
    feed(both, [bytes(1000)] * 30)
    both.run(for_=1800.0)
    assert both.a.core.stats().errors <= 1
    assert not both.a.saw(Ended)
    assert both.a.core.stats().counters.timer_expiries > 20
    for _ in range(30):
        both.b.core.consume(1, 100_000, both.now)
        both.run(for_=61.0)
    assert len(received(both.b)) == 30


def test_partial_reliability_by_count():
    """P02, P03, P08: zero retransmissions; what is lost stays lost and holds nothing up."""
    both = pair()
    start = both.there.sent
    both.there.lose = lambda number, item: number == start
    for number in range(8):
        both.a.core.send(1, bytes([number]) * 1000, both.now, ppid=53, max_retransmits=0)
    both.run(for_=3.0)
    assert received(both.b) == [bytes([number]) * 1000 for number in range(1, 8)]
    assert both.a.core.stats().counters.messages_abandoned == 1
    assert both.a.core.stats().outstanding == 0


def test_exactly_n_retransmissions_then_abandoned():
    """P03, P07."""
    both = pair()
    start = both.there.sent
    both.there.lose = lambda number, item: number - start < 3
    both.a.core.send(1, b"three times", both.now, ppid=53, max_retransmits=2)
    both.run(for_=20.0)
    assert received(both.b) == []
    assert both.a.core.stats().counters.timer_retransmits == 2
    assert both.a.core.stats().outstanding == 0
    both.a.core.send(1, b"next", both.now, ppid=53)
    both.run(lambda: both.b.saw(MessageReceived))


def test_partial_reliability_by_time_before_departure_uses_no_number():
    """P04, AC5.2: given up behind a closed window, and a second writer proceeds."""
    small = AssociationOptions(receive_window=6000, max_message_size=3000, heartbeat_interval=0)
    both = pair(options=AssociationOptions(send_buffer=2000), other=small, consume=False)
    for _ in range(5):
        both.a.core.send(1, bytes(1100), both.now, ppid=53)
        both.run(for_=0.1)
    while both.a.core.send(2, bytes(1100), both.now, ppid=53, lifetime=0.1):
        pass
    assert not both.a.core.send(3, b"refused", both.now, ppid=53)
    both.run(for_=0.2)
    assert Writable(3) in both.a.events
    assert both.a.core.stats().counters.messages_abandoned >= 1
    assert both.a.core.buffered_amount(2) == 0


def test_a_message_without_a_lifetime_goes_at_once_and_once_or_not_at_all():
    """P04: a lifetime of 0 was over before anything could depart; both browsers deliver such messages."""
    both = pair(LinkOptions(delay=0.001))
    both.run(for_=1.0)
    for number in range(20):
        both.a.core.send(1, b"%d" % number, both.now, ppid=53, lifetime=0)
        both.run(for_=0.02)
    assert received(both.b) == [b"%d" % number for number in range(20)]
    # Lost: it is not sent again, and what follows does not wait for it.
    sent = both.a.core.stats().counters
    both.there.lose = lambda number, item: True
    both.a.core.send(1, b"lost", both.now, ppid=53, lifetime=0)
    both.run(for_=0.005)
    both.there.lose = None
    both.a.core.send(1, b"after", both.now, ppid=53)
    both.run(for_=5.0)
    assert received(both.b)[20:] == [b"after"]
    counters = both.a.core.stats().counters
    assert counters.messages_abandoned == sent.messages_abandoned + 1
    # Nobody came to flush: it is given up, and takes no number.
    now = both.now
    both.a.core.send(1, b"too late", now, ppid=53, lifetime=0)
    both.a.core.tick(now + 0.1)
    assert both.a.core.buffered_amount(1) == 0
    assert both.a.core.flush(now + 0.1) == []


def test_a_partly_sent_message_that_expires_leaves_nothing_behind():
    """P05, P06, P13: all fragments go together, and the stream goes on."""
    both = pair(LinkOptions(delay=0.1))
    both.a.core.send(1, bytes(200_000), both.now, ppid=53, lifetime=0.25)
    both.a.core.send(1, b"after", both.now, ppid=53)
    both.run(lambda: both.b.saw(MessageReceived))
    assert received(both.b) == [b"after"]
    both.run(for_=2.0)
    assert both.b.core.stats().receive_window == 1 << 20
    assert both.a.core.stats().outstanding == 0


@pytest.mark.parametrize("seed", range(3))
def test_reliable_and_unreliable_streams_under_loss(seed):
    """P18: the reliable all arrive, of the unreliable a subset, in order; nothing sticks."""
    both = pair(LinkOptions(delay=0.02, loss=0.1, reorder=0.05), seed=seed)
    reliable = [b"r%d" % number * 300 for number in range(60)]
    lossy = [b"u%03d" % number * 300 for number in range(60)]
    for good, bad in zip(reliable, lossy, strict=True):
        both.a.core.send(1, good, both.now, ppid=53)
        both.a.core.send(2, bad, both.now, ppid=53, max_retransmits=0)
        both.a.core.send(3, bad, both.now, ppid=53, ordered=False, lifetime=0.1)
        both.run(for_=0.01)
    both.run(lambda: len(received(both.b, 1)) == 60, limit=300)
    both.run(for_=60.0)  # a FORWARD-TSN or its answer may be lost a few times, and T3 backs off
    assert received(both.b, 1) == reliable
    got = received(both.b, 2)
    assert got == sorted(got)
    assert set(got) <= set(lossy)
    assert both.a.core.stats().outstanding == both.a.core.stats().flight == 0


def test_fragments_lost_together_are_given_up_once():
    """P05: the flight is right afterwards, and the next message is not held up."""
    both = pair()
    start = both.there.sent
    both.there.lose = lambda number, item: start <= number < start + 2
    both.a.core.send(1, bytes(2320), both.now, ppid=53, max_retransmits=0)
    for number in range(4):
        both.a.core.send(1, bytes([number]) * 1160, both.now, ppid=53)
    took = both.run(lambda: len(received(both.b)) == 4)
    assert took < 0.3
    both.run(for_=1.0)
    stats = both.a.core.stats()
    assert (stats.flight, stats.outstanding, stats.counters.messages_abandoned) == (0, 0, 1)


def test_limits_are_ignored_when_the_peer_cannot_skip():
    """P01."""
    both = pair(other=AssociationOptions(partial_reliability=False))
    assert not both.a.all(Established)[0].partial_reliability
    start = both.there.sent
    both.there.lose = lambda number, item: number == start
    both.a.core.send(1, b"must come", both.now, ppid=53, max_retransmits=0, lifetime=0.01)
    both.run(lambda: both.b.saw(MessageReceived))


def test_a_packet_is_acknowledged_late_two_at_once_and_the_first_immediately():
    """S01, S02, S03, S19."""
    both = pair()
    both.a.core.send(1, b"first", both.now, ppid=53)
    back = both.back.sent
    both.run(lambda: both.b.saw(MessageReceived))
    assert both.back.sent == back + 1
    both.run(for_=1.0)
    both.a.core.send(1, b"alone", both.now, ppid=53)
    both.run(lambda: len(received(both.b)) == 2)
    assert both.back.sent == back + 1
    assert both.b.core.deadline_reason == "delayed-sack"
    assert both.b.core.deadline - both.now == pytest.approx(0.2)
    both.run(for_=0.21)
    assert both.back.sent == back + 2


def test_every_second_packet_is_acknowledged_inside_one_batch():
    both = pair()
    a, b = both.a.core, both.b.core
    a.send(1, bytes(10_000), both.now, ppid=53)
    packets = a.flush(both.now)
    assert len(packets) == 9
    for packet in packets:
        b.receive(packet, both.now)
    assert len(b.flush(both.now)) >= 4


def test_data_carries_a_pending_acknowledgement():
    """S18."""
    both = pair()
    for _ in range(2):
        both.a.core.send(1, b"ping", both.now, ppid=53)
        both.run(for_=1.0)
    both.a.core.send(1, b"ping", both.now, ppid=53)
    before = both.back.sent
    both.run(lambda: len(received(both.b)) == 3)
    both.b.core.send(1, b"pong", both.now, ppid=53)
    both.run(for_=1.0)
    assert both.back.sent == before + 1
    assert both.a.core.stats().outstanding == 0


def test_a_burst_after_one_acknowledgement_is_bounded():
    """C07: four packets for one acknowledgement, however much the window would allow."""
    both = pair(LinkOptions())
    for _ in range(30):
        both.a.core.send(1, bytes(100_000), both.now, ppid=53)
        both.run(for_=0.01)
    assert both.a.core.stats().congestion_window > 50_000
    both.run(for_=1.0)
    a, b = both.a.core, both.b.core
    a.send(1, bytes(400_000), both.now, ppid=53)
    first = a.flush(both.now)
    assert len(first) <= 40
    for packet in first:
        b.receive(packet, both.now)
    sacks = b.flush(both.now)
    a.receive(sacks[0], both.now)
    assert len(a.flush(both.now)) <= 5
    assert a.flush(both.now) == []


def test_refusals_are_answered_and_bytes_stay_within_the_budget():
    """L3, AC5.4, AC4.1: many writers on several streams over a small shared budget all get through."""
    both = pair(options=AssociationOptions(send_buffer=8000, stream_send_buffer=4000))
    messages = {stream: [b"%d/%d" % (stream, number) * 200 for number in range(20)] for stream in range(5)}
    left = [feed_shared(both, stream, list(reversed(one))) for stream, one in messages.items()]
    both.run(lambda: len(received(both.b)) == 100, limit=60)
    assert not any(left)
    for stream, one in messages.items():
        assert received(both.b, stream) == one


def feed_shared(both, stream, waiting):
    node, before = both.a, both.a.on_event

    def push():
        while waiting and node.core.send(stream, waiting[-1], both.now, ppid=53):
            waiting.pop()
        assert node.core.stats().buffered <= 8000 + 4000

    def on_event(event):
        if before is not None:
            before(event)
        if event == Writable(stream):
            push()

    node.on_event = on_event
    push()
    return waiting


def test_blocking_mode_gives_the_same_bytes_for_the_same_serial_input():
    """AC4.4, AC5.1."""
    outputs = []
    for blocking in (False, True):
        both = pair(options=AssociationOptions(blocking_writes=blocking))
        sent = []
        for number in range(20):
            assert both.a.core.send(number % 3, bytes([number]) * 700, both.now, ppid=53)
            sent += both.a.core.flush(both.now)
            for packet in sent[-1:]:
                both.b.core.receive(packet, both.now)
            for packet in both.b.core.flush(both.now):
                both.a.core.receive(packet, both.now)
        outputs.append(sent)
    assert outputs[0] == outputs[1]


def test_blocking_mode_lets_one_message_wait_at_a_time():
    both = pair(options=AssociationOptions(blocking_writes=True))
    assert both.a.core.send(1, bytes(100_000), both.now, ppid=53)
    assert not both.a.core.send(2, b"second", both.now, ppid=53)
    both.run(lambda: Writable(2) in both.a.events)
    assert both.a.core.stats().buffered == 0
    assert both.a.core.send(2, b"second", both.now, ppid=53)
    both.run(lambda: len(received(both.b)) == 2)


def test_misuse_raises_at_the_call_and_changes_nothing():
    """AC3.5, D12, D13, T13, H24."""
    both = pair(other=AssociationOptions(streams=10))
    core = both.a.core
    core.max_outgoing_message_size = 1000
    with pytest.raises(MessageTooLarge) as caught:
        core.send(1, bytes(1001), both.now, ppid=53)
    assert (caught.value.limit, caught.value.size) == (1000, 1001)
    for wrong in (
        lambda: core.send(1, b"", both.now, ppid=53),
        lambda: core.send(10, b"x", both.now, ppid=53),
        lambda: core.send(-1, b"x", both.now, ppid=53),
        lambda: core.send(1, b"x", both.now, ppid=1 << 32),
        lambda: core.send(1, b"x", both.now, ppid=1, max_retransmits=-1),
        lambda: core.consume(1, -1, both.now),
        lambda: core.reset([10], both.now),
        lambda: core.set_low_threshold(1, -1),
    ):
        with pytest.raises(InvalidArgument):
            wrong()
    core.connect(both.now)  # too late is harmless
    core.shutdown(both.now)
    with pytest.raises(LocalProtocolError):
        core.send(1, b"x", both.now, ppid=53)
    both.run(lambda: both.a.saw(Ended))
    with pytest.raises(Closed):
        core.send(1, b"x", both.now, ppid=53)
    with pytest.raises(Closed):
        core.reset([1], both.now)
    assert core.stats().buffered == 0


def test_the_buffered_amount_falls_and_says_so():
    both = pair()
    core = both.a.core
    core.set_low_threshold(1, 50_000)
    core.send(1, bytes(100_000), both.now, ppid=53)
    assert core.buffered_amount(1) == 100_000
    assert core.buffered_amount(2) == 0
    both.run(lambda: both.a.saw(BufferedAmountLow))
    assert 0 < core.buffered_amount(1) <= 50_000
    both.run(lambda: received(both.b))
    assert core.buffered_amount(1) == 0
    assert len(both.a.all(BufferedAmountLow)) == 1


def test_messages_sent_before_the_handshake_arrive_after_it():
    """H11, H24: streams that the peer does not take are dropped from the queue."""
    both = pair(connect=False, other=AssociationOptions(streams=5))
    assert both.a.core.send(1, b"early", both.now, ppid=53)
    assert both.a.core.send(9, b"nowhere", both.now, ppid=53)
    both.a.core.connect(both.now)
    both.run(lambda: both.b.saw(MessageReceived))
    assert received(both.b) == [b"early"]
    assert both.a.core.stats().buffered == 0
    assert both.a.all(Established)[0].outbound_streams == 5


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        (AssociationOptions(rto_min=1.0, heartbeat_interval=0), 363.0),
        (AssociationOptions(heartbeat_interval=0), 281.8),
        (AssociationOptions(max_association_retransmits=3), 15 * 0.4),
    ],
)
def test_a_black_hole_ends_the_association_within_its_bound(options, bound):
    """AC6.1, L6: eleven expiries; with RFC 9260's minimum after 363 s."""
    both = pair(LinkOptions(delay=0.001), options=options)
    both.a.core.send(1, b"measure the path", both.now, ppid=53)
    both.run(for_=1.0)
    both.black_hole()
    both.a.core.send(1, b"into the void", both.now, ppid=53)
    took = both.run(lambda: both.a.saw(Ended))
    assert took == pytest.approx(bound, abs=0.5)
    (ended,) = both.a.all(Ended)
    assert isinstance(ended.reason, TransportLost)
    assert both.a.core.deadline == float("inf")
    assert both.a.core.flush(both.now) == []


def test_without_a_limit_it_never_gives_up():
    """AC6.1: 0 is unlimited and was asked for."""
    both = pair(options=AssociationOptions(max_association_retransmits=0))
    both.black_hole()
    both.a.core.send(1, b"patience", both.now, ppid=53)
    both.run(for_=3000.0)
    assert not both.a.saw(Ended)
    both.heal()
    both.run(lambda: both.b.saw(MessageReceived))


def test_an_idle_black_hole_is_found_by_heartbeats():
    """B01, B05."""
    both = pair()
    both.black_hole()
    both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended), limit=2000)


def test_heartbeats_measure_an_idle_path_and_rest_while_data_flows():
    """B01-B04, B07."""
    both = pair(LinkOptions(delay=0.15))
    for _ in range(200):
        both.a.core.send(1, b"busy", both.now, ppid=53)
        both.run(for_=0.5)
    assert both.a.core.stats().counters.heartbeats_sent == 0
    both.run(for_=100.0)
    assert both.a.core.stats().counters.heartbeats_sent >= 2
    assert both.b.core.stats().counters.heartbeats_sent >= 2
    assert both.b.core.stats().smoothed_rtt == pytest.approx(0.3, abs=0.01)
    assert both.a.core.stats().errors == 0


def test_zero_checksum_only_between_those_who_agreed():
    """Z01-Z08."""
    on, off = AssociationOptions(zero_checksum=True), AssociationOptions()
    for left, right, zero in ((on, on, True), (on, off, False), (off, on, False)):
        both = pair(options=left, other=right)
        assert both.a.all(Established)[0].zero_checksum is zero
        both.a.core.send(1, b"data", both.now, ppid=53)
        (packet,) = both.a.core.flush(both.now)
        assert (packet[8:12] == bytes(4)) is zero
        naked = packet[:8] + bytes(4) + packet[12:]
        both.b.core.receive(naked, both.now)
        assert any(isinstance(event, MessageReceived) for event in both.b.core.take_events()) is (right is on)
        both.b.core.receive(packet[:8] + b"\1\2\3\4" + packet[12:], both.now)
        assert both.b.core.drops["malformed: checksum"] >= 1


def test_options_evolve_per_association():
    assert attrs.evolve(AssociationOptions(), mtu=600).max_payload == 588 - 16


@pytest.mark.parametrize("who", ["a", "b"])
def test_shutdown_wakes_those_who_were_refused(who):
    """AC7.1, L7: at once, at either side."""
    both = pair(options=AssociationOptions(send_buffer=4000))
    both.a.core.send(1, bytes(100_000), both.now, ppid=53)
    assert not both.a.core.send(2, b"x", both.now, ppid=53)
    (both.a if who == "a" else both.b).core.shutdown(both.now)
    both.run(lambda: both.a.saw(ShutdownStarted))
    at = both.a.events.index(both.a.all(ShutdownStarted)[0])
    assert both.a.events[at + 1] == Writable(2)
    with pytest.raises(LocalProtocolError):
        both.a.core.send(2, b"x", both.now, ppid=53)
    both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended))
    assert received(both.b) == [bytes(100_000)]
