"""Flights: packing into datagrams, and when they are sent again."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import TimerSet
from pystack.dtls.flights import FLIGHT_TIMER, ChangeCipherSpec, Flights, Outgoing
from pystack.dtls.fragments import FragmentAssembler
from pystack.dtls.keys import TrafficKeys
from pystack.dtls.options import DtlsOptions
from pystack.dtls.records import PlainWriter, make_reader, make_writer
from pystack.dtls.suites import SUITES
from pystack.dtls.wire.handshake import parse_fragments
from pystack.dtls.wire.record import CHANGE_CIPHER_SPEC, HANDSHAKE, split_records

KEYS = TrafficKeys(SUITES[0xC02B], bytes(16), bytes(16), bytes(4), bytes(4))


def flights(**options: float) -> tuple[Flights, TimerSet]:
    timers = TimerSet()
    return Flights(DtlsOptions(**options), timers), timers  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=900), min_size=1, max_size=6), st.integers(200, 1500))
def test_datagrams_keep_to_the_mtu_and_read_back(bodies: list[bytes], mtu: int) -> None:
    last = len(bodies) - 1
    items: list[Outgoing | ChangeCipherSpec] = [
        Outgoing(1 if at == last else 0, 20 if at == last else 11, at, body) for at, body in enumerate(bodies)
    ]
    items.insert(last, ChangeCipherSpec())
    sender, _ = flights(mtu=mtu)
    sender.begin(items, 0, 0.0, timed=True)
    datagrams = sender.build(PlainWriter(), make_writer(KEYS, client=True))
    assert not sender.pending
    reader = make_reader(KEYS, client=False, replay_window=64)
    assembler = FragmentAssembler()
    got = []
    kinds = []
    for datagram in datagrams:
        assert 0 < len(datagram) <= mtu
        for record in split_records(datagram):
            kinds.append(record.kind)
            payload = reader.unprotect(record) if record.epoch else record.payload
            if record.kind == HANDSHAKE:
                for fragment in parse_fragments(payload):
                    assembler.add(fragment)
            while (message := assembler.peek()) is not None:
                got.append(message.body)
                assembler.advance()
    assert got == bodies
    assert kinds.count(CHANGE_CIPHER_SPEC) == 1
    # Filled up: two neighbours never fit in one, but for a piece too small to begin with.
    for one, two in itertools.pairwise(datagrams):
        assert len(one) + len(two) > mtu or len(one) + 64 + 49 > mtu


def test_records_are_numbered_anew_each_time() -> None:
    sender, _ = flights()
    plain = PlainWriter()
    sender.begin([Outgoing(0, 1, 0, b"hello")], 0, 0.0, timed=True)
    numbers = []
    for _ in range(3):
        for datagram in sender.build(plain, None):
            numbers += [record.number for record in split_records(datagram)]
    assert numbers == [0, 1, 2]


def test_waits_double_up_to_the_maximum() -> None:
    sender, timers = flights(retransmit_initial=0.2, retransmit_maximum=1.0)
    now = 0.0
    sender.begin([Outgoing(0, 1, 0, b"")], 0, now, timed=True)
    waits = []
    for _ in range(5):
        waits.append(round(timers.at(FLIGHT_TIMER) - now, 6))
        now = timers.at(FLIGHT_TIMER)
        sender.pending = False
        sender.handle_timeout(now)
        assert sender.pending
    assert waits == [0.2, 0.4, 0.8, 1.0, 1.0]
    assert sender.repetitions == 5
    sender.begin([Outgoing(0, 1, 1, b"")], 1, now, timed=True)
    assert timers.at(FLIGHT_TIMER) == now + 0.2


def test_a_repetition_of_what_was_answered_brings_the_answer_again_but_not_at_once() -> None:
    sender, timers = flights(repeat_spacing=0.05)
    sender.begin([Outgoing(0, 2, 0, b"")], 3, 1.0, timed=True)
    sender.pending = False
    sender.handle_repetition(2, 3, 1.04)
    assert not sender.pending
    sender.handle_repetition(2, 3, 1.06)
    assert sender.pending
    assert timers.at(FLIGHT_TIMER) == 1.06 + 0.2
    sender.pending = False
    sender.handle_repetition(2, 4, 2.0)  # something newer has come: our flight has arrived
    sender.handle_repetition(3, 4, 2.0)  # of the flight in progress
    assert not sender.pending


def test_a_last_flight_has_no_timer_and_a_forgotten_one_is_gone() -> None:
    sender, timers = flights()
    sender.begin([Outgoing(0, 2, 0, b"")], 1, 0.0, timed=True)
    sender.begin([ChangeCipherSpec()], 2, 0.1, timed=False)
    assert not timers.armed(FLIGHT_TIMER)
    sender.pending = False
    sender.repeat(1.0)
    assert sender.pending
    assert not timers.armed(FLIGHT_TIMER)
    sender.forget()
    assert not sender.pending
    assert sender.build(PlainWriter(), None) == []
