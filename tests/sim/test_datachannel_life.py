"""Data channels over real associations on a simulated network: what a user sees, loss and all."""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import Ended, SeededRandomness
from pystack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelOpened,
    ChannelOptions,
    ChannelWritable,
    DataChannels,
    TransportEstablished,
)
from pystack.errors import LOCAL, LocalError, PeerClosed, TransportLost
from pystack.sctp import Association, AssociationOptions
from pystack.sctp.wire.packet import ChunkType, Packet
from pystack.testing import LinkOptions, Pair

CALM = LinkOptions(delay=0.02)


def make_pair(link=CALM, *, seed=0, channels=None, reads=True, **options) -> Pair[DataChannels]:
    """Two sides, started; both read what comes at once unless told not to."""
    cores = [
        DataChannels(Association(AssociationOptions(**options), SeededRandomness(f"{seed} {name}")), channels)
        for name in "ab"
    ]
    pair = Pair(*cores, link, seed=seed)
    if reads:
        for node in (pair.a, pair.b):

            def read(event, core=node.core):
                if isinstance(event, ChannelMessage):
                    core.consume(event.handle, len(event.data), pair.now)

            node.on_event = read
    for core in cores:
        core.start(core is cores[0], pair.now)
    return pair


def connect(pair: Pair[DataChannels], label="chat", **parameters) -> tuple[int, int]:
    """Open a channel from ``a`` and wait until both sides have it; return both handles."""
    handle = pair.a.core.open(label, pair.now, **parameters)
    count = len(pair.b.all(ChannelAnnounced))
    pair.run(lambda: ChannelOpened(handle) in pair.a.events and len(pair.b.all(ChannelAnnounced)) > count)
    return handle, pair.b.all(ChannelAnnounced)[-1].handle


def received(node) -> list[bytes]:
    return [event.data for event in node.all(ChannelMessage)]


def on(node, handle) -> list[ChannelMessage]:
    return [event for event in node.all(ChannelMessage) if event.handle == handle]


def test_channels_opened_on_both_sides_before_the_start_do_not_collide():
    cores = [DataChannels(Association(AssociationOptions(), SeededRandomness(name))) for name in "ab"]
    handles = [[core.open(f"{number}", 0.0) for number in range(3)] for core in cores]
    pair = Pair(*cores, LinkOptions(delay=0.02))
    cores[0].start(True, pair.now)
    cores[1].start(False, pair.now)
    pair.run(
        lambda: all(len(node.all(ChannelOpened)) == 3 == len(node.all(ChannelAnnounced)) for node in (pair.a, pair.b))
    )
    assert [[core.info(handle).id for handle in own] for core, own in zip(cores, handles, strict=True)] == [
        [0, 2, 4],
        [1, 3, 5],
    ]
    assert cores[0].drops == cores[1].drops == {}


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.2])
def test_an_echo_over_every_kind_of_channel(loss):
    pair = make_pair(LinkOptions(delay=0.02, loss=loss), seed=3)
    kinds = [{}, {"ordered": False}, {"max_retransmits": 30}, {"max_lifetime": 60.0, "ordered": False}]
    for number, parameters in enumerate(kinds):
        mine, theirs = connect(pair, f"kind {number}", **parameters)
        for data in (b"bytes", "text", b"", "", bytes(50_000)):
            assert pair.a.core.send(mine, data, pair.now)
        expected = {(b"bytes", True), (b"text", False), (b"", True), (b"", False), (bytes(50_000), True)}
        pair.run(lambda: len(on(pair.b, theirs)) == 5, limit=200)  # noqa: B023
        assert {(event.data, event.binary) for event in on(pair.b, theirs)} == expected


def test_data_sent_right_behind_the_open_arrives_even_when_the_open_is_lost():
    pair = make_pair()
    pair.run(lambda: pair.a.saw(TransportEstablished) and pair.b.saw(TransportEstablished))
    handle = pair.a.core.open("u", pair.now, ordered=False)
    pair.a.core.flush(pair.now)  # nobody carries it: the OPEN is lost
    for number in range(5):
        assert pair.a.core.send(handle, b"%d" % number, pair.now)
    pair.run(lambda: len(received(pair.b)) == 5)
    assert received(pair.b) == [b"0", b"1", b"2", b"3", b"4"]
    assert isinstance(pair.b.events[1], ChannelAnnounced)


def test_everything_sent_before_close_arrives_before_the_peer_hears_of_it():
    pair = make_pair(LinkOptions(delay=0.05, loss=0.03, rate_bps=2e6, queue=30_000), seed=5)
    mine, theirs = connect(pair)
    messages = [bytes([number]) * 20_000 for number in range(20)]
    for data in messages:
        assert pair.a.core.send(mine, data, pair.now)
    pair.a.core.close(mine, pair.now)
    pair.run(lambda: pair.a.saw(ChannelClosed) and pair.b.saw(ChannelClosed))
    assert received(pair.b) == messages
    kinds = [type(event) for event in pair.b.events]
    assert kinds[-2:] == [ChannelClosing, ChannelClosed]
    assert pair.a.all(ChannelClosed) == [ChannelClosed(mine, LOCAL)]
    [closed] = pair.b.all(ChannelClosed)
    assert closed.handle == theirs
    assert isinstance(closed.reason, PeerClosed)


def test_both_close_at_once():
    pair = make_pair()
    mine, theirs = connect(pair)
    pair.a.core.close(mine, pair.now)
    pair.b.core.close(theirs, pair.now)
    pair.run(lambda: pair.a.saw(ChannelClosed) and pair.b.saw(ChannelClosed))
    assert pair.a.all(ChannelClosed) == [ChannelClosed(mine, LOCAL)]
    assert pair.b.all(ChannelClosed) == [ChannelClosed(theirs, LOCAL)]


def test_a_channel_opened_and_closed_over_and_over_reuses_its_identifier_and_never_mixes():
    pair = make_pair(LinkOptions(delay=0.02, loss=0.1), seed=9)
    used = set()
    for number in range(25):
        mine, theirs = connect(pair, f"{number}")
        used.add(pair.a.core.info(mine).id)
        assert pair.a.core.send(mine, b"%d" % number, pair.now)
        closer, handle = ((pair.a, mine), (pair.b, theirs))[number % 2]
        closer.core.close(handle, pair.now)
        pair.run(lambda: all(len(node.all(ChannelClosed)) > number for node in (pair.a, pair.b)))  # noqa: B023
        assert [event.data for event in pair.b.all(ChannelMessage) if event.handle == theirs] in (
            [b"%d" % number],
            [] if closer is pair.b else None,
        )
    assert len(used) <= 3
    assert pair.a.core.drops.keys() <= {"stream-closed"}


def test_an_open_to_a_peer_that_vanished_ends_within_its_time_out():
    pair = make_pair()
    pair.run(lambda: pair.a.saw(TransportEstablished))
    pair.black_hole()
    handle = pair.a.core.open("void", pair.now)
    began = pair.now
    pair.run(lambda: pair.a.saw(ChannelClosed))
    assert pair.a.all(ChannelClosed)[0].handle == handle
    assert pair.now - began == pytest.approx(10.0)


def test_a_gate_that_never_opens_does_not_hold_an_open_or_its_channel():
    """The wedge: the peer vanishes behind a blocking write, and an OPEN waits at the same gate."""
    pair = make_pair(blocking_writes=True)
    first, _ = connect(pair)
    pair.black_hole()
    while pair.a.core.send(first, bytes(60_000), pair.now):
        pair.run(for_=0.001)
    second = pair.a.core.open("behind", pair.now)
    assert not pair.a.core.send(second, b"x", pair.now)
    began = pair.now
    pair.run(lambda: pair.a.saw(ChannelClosed))
    assert pair.a.all(ChannelClosed)[0].handle == second
    assert pair.now - began <= 10.0 + 1e-6
    pair.run(lambda: pair.a.saw(Ended))
    assert {event.handle for event in pair.a.all(ChannelClosed)} == {first, second}
    assert isinstance(pair.a.all(Ended)[0].reason, TransportLost)
    # Eleven expiries of T3, doubling from a second at most to a minute.
    assert pair.now - began <= 363
    assert pair.a.core.deadline == float("inf")


def test_every_refusal_is_answered_once_while_data_flows():
    pair = make_pair(LinkOptions(delay=0.02, loss=0.02, rate_bps=5e6, queue=40_000), seed=11, stream_send_buffer=30_000)
    mine, _ = connect(pair)
    sent = refused = 0
    while sent < 60:
        if pair.a.core.send(mine, bytes([sent]) * 9_000, pair.now):
            sent += 1
            continue
        refused += 1
        pair.run(lambda: len(pair.a.all(ChannelWritable)) >= refused)  # noqa: B023
        assert len(pair.a.all(ChannelWritable)) == refused
    pair.run(lambda: len(received(pair.b)) == 60)
    assert received(pair.b) == [bytes([number]) * 9_000 for number in range(60)]
    pair.run(for_=30.0)
    assert len(pair.a.all(ChannelWritable)) == refused


def test_a_reader_that_does_not_read_stops_the_sender_and_a_close_gives_the_window_back():
    pair = make_pair(reads=False, receive_window=300_000, send_buffer=100_000, stream_send_buffer=100_000)
    mine, theirs = connect(pair)
    other, other_there = connect(pair, "other")
    taken = 0
    for _ in range(400):
        taken += pair.a.core.send(mine, bytes(10_000), pair.now)
        pair.run(for_=0.05)
    assert taken * 10_000 <= 300_000 + 110_000 + 10_000
    held = sum(len(event.data) for event in pair.b.all(ChannelMessage))
    assert held <= 300_000
    pair.b.core.close(theirs, pair.now)  # nobody will read these any more
    pair.run(lambda: pair.a.saw(ChannelClosed) and pair.b.saw(ChannelClosed), limit=60)
    assert pair.a.core.send(other, bytes(50_000), pair.now)
    pair.run(lambda: any(e.handle == other_there for e in pair.b.all(ChannelMessage)), limit=60)


def test_shutdown_delivers_what_is_queued_and_closes_everything_on_both_sides():
    pair = make_pair()
    mine, theirs = connect(pair)
    for number in range(10):
        assert pair.a.core.send(mine, bytes([number]) * 10_000, pair.now)
    pair.a.core.shutdown(pair.now)
    pair.run(lambda: pair.a.saw(Ended) and pair.b.saw(Ended))
    assert len(received(pair.b)) == 10
    assert [event.handle for event in pair.b.all(ChannelClosed)] == [theirs]
    assert pair.a.all(ChannelClosed) == [ChannelClosed(mine, LOCAL)]
    pair.run(limit=10)


def test_abort_is_heard_by_the_peers_channels():
    pair = make_pair()
    _, theirs = connect(pair)
    pair.a.core.abort(pair.now)
    pair.run(lambda: pair.b.saw(Ended))
    assert [event.handle for event in pair.b.all(ChannelClosed)] == [theirs]
    assert pair.a.core.deadline == pair.b.core.deadline == float("inf")


def test_the_peers_limit_of_channels_closes_the_one_above_it():
    pair = make_pair(channels=ChannelOptions(max_channels=2))
    for _ in range(2):
        connect(pair)
    cores = pair.a.core, pair.b.core
    cores[0].options = ChannelOptions()
    third = cores[0].open("third", pair.now)
    pair.run(lambda: pair.a.saw(ChannelClosed), limit=30)
    assert pair.a.all(ChannelClosed)[0].handle == third
    assert cores[1].drops == {"open-too-many": 1}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "negotiated", "send", "send", "send", "close", "wait", "wait", "hole", "heal"]),
        st.integers(0, 1),
        st.integers(0, 9),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=40)
@given(steps=STEPS, seed=st.integers(0, 1000), ending=st.sampled_from(["close", "abort", "vanish"]))
def test_whatever_happens_each_channel_ends_once_each_refusal_is_answered_and_data_is_in_order(steps, seed, ending):
    pair = make_pair(LinkOptions(delay=0.02, loss=0.05, duplicate=0.02), seed=seed, stream_send_buffer=8_000)
    nodes = pair.a, pair.b
    handles: tuple[list[int], list[int]] = ([], [])
    refused: tuple[set[int], set[int]] = (set(), set())
    sent: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def answered(side: int) -> None:
        for event in nodes[side].events[seen[side] :]:
            if isinstance(event, ChannelWritable):
                assert event.handle in refused[side], "an answer that nobody waits for"
                refused[side].discard(event.handle)
            elif isinstance(event, ChannelClosed):
                refused[side].discard(event.handle)
        seen[side] = len(nodes[side].events)

    seen = [0, 0]
    for what, side, number in steps:
        core = nodes[side].core
        own = handles[side] + [event.handle for event in nodes[side].all(ChannelAnnounced)]
        try:
            if what == "open":
                handles[side].append(core.open("x", pair.now))
            elif what == "negotiated":
                handles[side].append(core.open("n", pair.now, negotiated=True, id=100 + number))
            elif what == "send" and own:
                handle = own[number % len(own)]
                count = sent[side].get(handle, 0)
                if core.send(handle, count.to_bytes(2, "big") + bytes(700 * number), pair.now):
                    sent[side][handle] = count + 1
                else:
                    refused[side].add(handle)
            elif what == "close" and own:
                core.close(own[number % len(own)], pair.now)
        except LocalError:
            pass
        if what == "wait":
            pair.run(for_=number**2 / 10)
        elif what == "hole":
            pair.black_hole()
        elif what == "heal":
            pair.heal()
        pair.world.pump()
        answered(0)
        answered(1)
    if ending == "vanish":
        pair.black_hole()
    else:
        pair.heal()
        for node, own in zip(nodes, handles, strict=True):
            for handle in own if ending == "close" else ():
                node.core.close(handle, pair.now)
            if ending == "abort":
                node.core.abort(pair.now)
    # Heartbeats find a dead peer by themselves; nothing needs traffic to end.
    pair.run(for_=1200.0)
    for side, node in enumerate(nodes):
        answered(side)
        assert not refused[side], "a refusal without an answer"
        ended = [event.handle for event in node.all(ChannelClosed)]
        assert len(ended) == len(set(ended))
        if ending != "close":
            assert len(node.all(Ended)) == 1
            assert set(ended) >= set(handles[side])
            assert node.core.deadline == float("inf")
            assert not node.core._channels
        elif not node.saw(Ended):
            assert set(ended) >= set(handles[side])
    for node in nodes:
        numbers: dict[int, int] = {}
        for event in node.all(ChannelMessage):
            number = int.from_bytes(event.data[:2], "big")
            assert number == numbers.get(event.handle, 0), "out of order, twice or lost"
            numbers[event.handle] = number + 1


@pytest.mark.parametrize("interleaving", [True, False], ids=["I-DATA", "DATA"])
@pytest.mark.parametrize("asked", ["close", "open", "acknowledge", "read"])
def test_what_a_packet_asks_for_before_it_ends_the_association_raises_nothing(asked, interleaving):
    """The same packet goes on with an ABORT: what came before it would be answered over what has ended."""
    pair = make_pair(interleaving=interleaving, send_buffer=4096, stream_send_buffer=4096)
    handle, theirs = connect(pair)
    pair.run(for_=1.0)
    one, other = pair.a.core, pair.b.core
    now = pair.now
    other.open("late", now)  # an OPEN and an ACK of this side wait at a full gate, too
    while other.send(theirs, bytes(1000), now):
        pass
    other.open("parked", now)
    for data in other.flush(now):
        one.receive(data, now)
    match asked:
        case "close":
            one.close(handle, now)
        case "open":
            one.open("another", now)
        case "read":
            one.consume(handle, 10**6, now)
    now += 0.3  # a delayed SACK is due
    one.tick(now)
    packets = [Packet.decode(data) for data in one.flush(now)]
    chunks = [chunk for packet in packets for chunk in packet.chunks]
    assert chunks
    ended = attrs.evolve(packets[0], chunks=[*chunks, (ChunkType.ABORT, 0, b"")])
    other.receive(ended.encode(), now)
    heard = other.take_events()
    assert isinstance(heard[-1], Ended)
    assert {event.handle for event in heard if isinstance(event, ChannelClosed)} >= {theirs}
    assert other.flush(now) == []
    assert other.deadline == float("inf")
