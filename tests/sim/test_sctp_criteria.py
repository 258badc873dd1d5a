"""Acceptance criteria of the association, each by its number; docs/explanation/sctp.md has the table of all."""

from math import inf

import pytest

from pystack.base import SeededRandomness
from pystack.errors import LocalProtocolError
from pystack.sctp import Association, AssociationOptions, Ended, Established, MessageReceived, Writable
from pystack.sctp.wire.packet import ChunkType, Packet
from pystack.testing import LinkOptions, Pair

PATH = LinkOptions(delay=0.025)


def pair(link=PATH, options=None, other=None, *, reads=True, seed=1):
    options = options or AssociationOptions()
    cores = [Association(one, SeededRandomness(f"{seed} {n}")) for n, one in (("a", options), ("b", other or options))]
    both = Pair(*cores, link, seed=seed)
    if reads:
        both.b.on_event = lambda event: (
            both.b.core.consume(event.stream, len(event.data), both.now) if isinstance(event, MessageReceived) else None
        )
    both.a.core.connect(both.now)
    both.run(lambda: both.a.saw(Established) and both.b.saw(Established))
    return both


def received(both, stream=None):
    return [event.data for event in both.b.all(MessageReceived) if stream in (None, event.stream)]


@pytest.mark.parametrize("interleaving", [True, False])
def test_ac3_4_a_refused_or_expired_message_leaves_no_hole(interleaving):
    """AC3.4: the next ordered message is delivered at once."""
    options = AssociationOptions(blocking_writes=True, interleaving=interleaving)
    both = pair(options=options, other=AssociationOptions(receive_window=20_000, max_message_size=20_000), reads=False)
    core = both.a.core
    core.send(1, bytes(20_000), both.now, ppid=53)
    both.run(for_=1)
    assert core.send(1, bytes(5_000), both.now, ppid=53, lifetime=0.1)
    assert not core.send(1, b"refused", both.now, ppid=53)
    both.run(for_=1)
    assert core.buffered_amount(1) == 0
    assert core.send(1, b"next", both.now, ppid=53)
    both.b.core.consume(1, 20_000, both.now)
    both.run(lambda: received(both)[-1:] == [b"next"], limit=10)
    assert [len(data) for data in received(both)] == [20_000, 4]


def test_ac4_1_fifty_writers_on_five_streams_all_finish_in_order():
    """AC4.1, blocking mode: no writer takes more than twice the mean, order within a stream is kept."""
    both = pair(options=AssociationOptions(blocking_writes=True))
    waiting = {stream: [bytes([stream, number]) * 800 for number in range(10)] for stream in range(5)}
    done = []
    start = both.now

    def push(stream):
        while waiting[stream] and both.a.core.send(stream, waiting[stream][0], both.now, ppid=53):
            waiting[stream].pop(0)
            done.append((both.now - start, stream))

    both.a.on_event = lambda event: push(event.stream) if isinstance(event, Writable) else None
    for stream in waiting:
        push(stream)
    both.run(lambda: len(received(both)) == 50, limit=60)
    for stream in range(5):
        assert received(both, stream) == [bytes([stream, number]) * 800 for number in range(10)]
    last = [max(at for at, one in done if one == stream) for stream in range(5)]
    assert len(done) == 50
    assert max(last) <= 2 * sum(last) / 5 + PATH.delay


def test_ac4_3_a_release_that_nobody_waits_for_lets_one_in_and_no_more():
    """AC4.3."""
    both = pair(options=AssociationOptions(blocking_writes=True))
    core = both.a.core
    core.send(1, b"departs, with nobody waiting", both.now, ppid=53)
    both.run(for_=0.1)
    assert [core.send(stream, b"x", both.now, ppid=53) for stream in (1, 2, 3)] == [True, False, False]


@pytest.mark.parametrize("route", ["departure", "expiry", "shutdown", "abort"])
def test_ac5_2_every_way_out_of_the_queue_opens_the_gate(route):
    """AC5.2, L3: whoever was refused is answered, by whatever route the queue gets empty."""
    small = AssociationOptions(receive_window=8_000, max_message_size=8_000)
    both = pair(options=AssociationOptions(blocking_writes=True), other=small, reads=False)
    core = both.a.core
    core.send(1, bytes(8_000), both.now, ppid=53)
    both.run(for_=0.5)
    core.send(1, bytes(3_000), both.now, ppid=53, lifetime=0.2 if route == "expiry" else None)
    both.run(for_=0.01)
    assert not core.send(2, b"waits", both.now, ppid=53)
    if route == "departure":
        both.b.core.consume(1, 8_000, both.now)
    elif route == "shutdown":
        core.shutdown(both.now)
    elif route == "abort":
        core.abort(both.now)
    both.run(for_=3)
    assert both.a.saw(Writable) or both.a.saw(Ended)


def test_ac5_3_a_closed_window_gets_one_chunk():
    """AC5.3: with nothing in flight; the gate opens only if that empties the queue."""
    small = AssociationOptions(receive_window=8_000, max_message_size=8_000)
    both = pair(options=AssociationOptions(blocking_writes=True), other=small, reads=False)
    core = both.a.core
    core.send(1, bytes(8_000), both.now, ppid=53)
    both.run(for_=1)
    assert core.stats().peer_window < 1_000
    core.send(1, bytes(3_000), both.now, ppid=53)
    assert not core.send(2, b"x", both.now, ppid=53)
    both.run(for_=0.001)
    assert core.stats().outstanding == 1
    assert core.buffered_amount(1) > 0
    assert not both.a.saw(Writable)


def test_ac5_4_a_message_above_the_window_is_taken_as_one():
    """AC5.4: and the writer has not to wait for its acknowledgement."""
    both = pair()
    assert both.a.core.send(1, bytes(250_000), both.now, ppid=53)
    assert both.a.core.stats().congestion_window < 20_000
    both.run(lambda: received(both) == [bytes(250_000)], limit=60)


def test_ac6_1_an_answer_at_the_last_moment_clears_the_counter():
    """AC6.1, L02, L05: the tenth retransmission gets through; one more failure would have been the end."""
    both = pair(options=AssociationOptions(rto_max=1.0))
    both.black_hole()
    both.a.core.send(1, b"x", both.now, ppid=53)
    both.run(lambda: both.a.core.stats().errors == 9, limit=60)
    both.heal()
    both.run(for_=5)
    assert both.a.core.stats().errors == 0
    assert received(both) == [b"x"]


def test_ac6_3_t3_shrinks_the_window_and_skips_what_is_given_up():
    """AC6.3: ssthresh, cwnd, out of fast recovery, and a FORWARD-TSN."""
    both = pair(options=AssociationOptions(tail_loss_probe=False))
    core = both.a.core
    core.send(1, bytes(100_000), both.now, ppid=53)
    both.run(for_=2)
    both.there.down = True
    core.send(2, b"given up", both.now, ppid=53, max_retransmits=0)
    both.run(for_=0.001)
    window = core.stats().congestion_window
    before = core.stats().counters.timer_expiries
    both.run(lambda: core.stats().counters.timer_expiries > before)
    stats = core.stats()
    assert (stats.congestion_window, stats.slow_start_threshold) == (1191, max(window // 2, 4 * 1191))
    assert core._retransmitter.waiting or stats.outstanding
    both.there.down = False
    both.run(for_=3)  # the FORWARD-TSN that was lost is repeated
    assert core.stats().outstanding == 0


def test_ac6_4_no_timer_of_an_ended_association_fires():
    """AC6.4: ten minutes later nothing has happened."""
    both = pair()
    core = both.a.core
    core.send(1, bytes(50_000), both.now, ppid=53, lifetime=5.0)
    core.reset([3], both.now)
    both.run(for_=0.03)
    core.abort(both.now)
    both.run(for_=0.001)
    assert core.deadline == inf
    events = len(both.a.events)
    both.run(for_=600)
    core.tick(both.now)
    assert core.flush(both.now) == []
    assert len(both.a.events) == events


def test_ac7_4_what_was_refused_is_never_sent():
    """AC7.4: woken by the end, a writer has sent nothing."""
    both = pair(options=AssociationOptions(blocking_writes=True))
    both.a.core.send(1, bytes(50_000), both.now, ppid=53)
    assert not both.a.core.send(2, b"refused", both.now, ppid=53)
    both.a.core.shutdown(both.now)
    with pytest.raises(LocalProtocolError):
        both.a.core.send(2, b"refused", both.now, ppid=53)
    both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended), limit=30)
    assert received(both) == [bytes(50_000)]


def test_ac7_5_an_abort_is_one_packet_of_the_next_flush():
    """AC7.5 as our design has it: the call returns, one packet says so, and nothing follows."""
    both = pair()
    both.a.core.send(1, bytes(200_000), both.now, ppid=53)
    both.a.core.abort(both.now)
    (packet,) = both.a.core.flush(both.now)
    assert [kind for kind, _, _ in Packet.decode(packet).chunks] == [ChunkType.ABORT]
    assert both.a.core.flush(both.now) == []


def test_small_messages_never_wait_for_each_other():
    """If the window is open nothing waits: ten a second for ten seconds, each is there after half a round trip."""
    both = pair()
    for number in range(100):
        both.a.core.send(1, b"%d" % number, both.now, ppid=53)
        both.run(for_=PATH.delay)
        assert received(both)[-1] == b"%d" % number
        both.run(for_=0.1 - PATH.delay)


def test_a_path_with_a_short_queue_is_filled_and_does_not_collapse():
    """C09, C14: 20 Mbit/s, 50 ms, 60 kB of queue: most of it is used, and no timer expires."""
    both = pair(LinkOptions(delay=0.025, rate_bps=20e6, queue=60_000))
    left = [150]

    def push():
        while left[0] and both.a.core.send(1, bytes(16_000), both.now, ppid=53):
            left[0] -= 1

    both.a.on_event = lambda event: push() if isinstance(event, Writable) else None
    start = both.now
    push()
    both.run(lambda: len(both.b.all(MessageReceived)) == 150, limit=60)
    assert 2_400_000 / (both.now - start) > 0.6 * 2.5e6
    assert both.a.core.stats().counters.timer_expiries == 0
