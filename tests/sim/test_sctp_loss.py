"""How soon a loss is noticed, and what is not one (RFC 8985): associations over paths that lose and reorder."""

import pytest

from pystack.base import SeededRandomness
from pystack.sctp import Association, AssociationOptions, Established, MessageReceived, Writable
from pystack.sctp.wire.packet import Packet
from pystack.testing import LinkOptions, Pair

RTT = 0.05
PLAIN = AssociationOptions(rack=False, tail_loss_probe=False)


PATH = LinkOptions(delay=RTT / 2)


def pair(link=PATH, options=None, seed=1):
    options = options or AssociationOptions()
    both = Pair(*(Association(options, SeededRandomness(f"{seed} {name}")) for name in "ab"), link, seed=seed)
    both.b.on_event = lambda event: (
        both.b.core.consume(event.stream, len(event.data), both.now) if isinstance(event, MessageReceived) else None
    )
    both.a.core.connect(both.now)
    both.run(lambda: both.a.saw(Established) and both.b.saw(Established))
    for _ in range(5):
        both.a.core.send(1, bytes(2300), both.now, ppid=53)  # two packets, so that it is acknowledged at once
        both.run(for_=0.5)
    both.b.events.clear()
    return both


def has_data(item):
    return any(kind in (0, 64) for kind, _, _ in Packet.decode(item[0]).chunks)


def lose_data(both, numbers):
    """Lose the data packets with these numbers, counted from now."""
    seen = []

    def lose(number, item):
        if not has_data(item):
            return False
        seen.append(both.now)
        return len(seen) - 1 in numbers

    both.there.lose = lose


@pytest.mark.parametrize(("size", "numbers", "bound"), [(500, {0}, 0.2), (5000, {4}, 0.2), (9000, {5, 6, 7}, 0.0)])
def test_a_lost_tail_is_repaired_without_the_timer(size, numbers, bound):
    """R23, R27: two round trips, the delay of an acknowledgement for a single packet, and the way there."""
    both = pair()
    lose_data(both, numbers)
    start = both.now
    both.a.core.send(1, bytes(size), both.now, ppid=53)
    both.run(lambda: both.b.saw(MessageReceived))
    assert both.now - start <= 3.7 * RTT + bound + 0.01 + (RTT if len(numbers) > 1 else 0)
    both.run(for_=2)
    counters = both.a.core.stats().counters
    assert counters.timer_expiries == 0
    assert counters.tail_probes == 1


def test_a_late_acknowledgement_does_not_cost_the_window():
    """R27: the probe was needless, the peer says so, and nothing is held to be lost."""
    both = pair()
    window = both.a.core.stats().congestion_window
    both.back.options = LinkOptions(delay=RTT * 2.2)
    both.a.core.send(1, bytes(500) * 4, both.now, ppid=53)
    both.run(for_=2)
    stats = both.a.core.stats()
    assert stats.counters.tail_probes == 1
    assert stats.counters.timer_expiries == 0
    assert stats.congestion_window >= window, stats


def test_nothing_is_probed_when_nothing_is_in_flight_or_new_data_can_go():
    """R24, R25."""
    both = pair()
    both.run(for_=20)
    assert both.a.core.stats().counters.tail_probes == 0
    assert both.a.core._retransmitter.soon_at == float("inf")


def transfer(link, options, total=600_000, seed=3):
    both = pair(link, options, seed)
    left = [total]

    def push(event=None):
        while left[0] > 0 and both.a.core.send(1, bytes(12_000), both.now, ppid=53):
            left[0] -= 12_000

    both.a.on_event = lambda event: push() if isinstance(event, Writable) else None
    start = both.now
    push()
    both.run(lambda: len(both.b.all(MessageReceived)) == total // 12_000, limit=300)
    return both.now - start, both.a.core.stats().counters


def test_reordering_is_not_taken_for_loss():
    """R18, R20: two in a hundred packets are overtaken by a tenth of a round trip; reports alone call that loss."""
    path = LinkOptions(delay=RTT / 2, reorder=0.02, reorder_delay=RTT / 10)
    took, counters = transfer(path, AssociationOptions())
    plain_took, plain = transfer(path, PLAIN)
    assert counters.fast_retransmits <= 2 < plain.fast_retransmits
    assert took < plain_took


@pytest.mark.parametrize("rtt", [0.02, 0.1])
def test_one_percent_loss_costs_no_more_than_by_reports(rtt):
    """C13, R17."""
    path = LinkOptions(delay=rtt / 2, loss=0.01)
    took, counters = transfer(path, AssociationOptions())
    plain_took, _ = transfer(path, PLAIN)
    assert took <= 1.1 * plain_took
    assert counters.timer_expiries <= 1
