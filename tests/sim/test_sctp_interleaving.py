"""Interleaving (RFC 8260) between two associations, and against a peer played by hand."""

import pytest

from pystack.base import SeededRandomness
from pystack.errors import RemoteProtocolError
from pystack.sctp import Association, AssociationOptions, Ended, Established, MessageReceived, OutgoingResetDone
from pystack.sctp.wire.causes import CauseCode, decode_causes
from pystack.sctp.wire.data import DataChunk
from pystack.sctp.wire.forward import ForwardTsnChunk, IForwardTsnChunk
from pystack.sctp.wire.idata import IDataChunk
from pystack.sctp.wire.init import InitChunk
from pystack.sctp.wire.packet import ChunkType, Packet, build_packet, encode_chunk
from pystack.sctp.wire.params import ParameterType
from pystack.testing import LinkOptions, Pair

BROWSER = LinkOptions(delay=0.025)


def pair(link=BROWSER, options=None, other=None, *, seed=1):
    options = options or AssociationOptions()
    cores = [Association(one, SeededRandomness(f"{seed} {n}")) for n, one in (("a", options), ("b", other or options))]
    both = Pair(*cores, link, seed=seed)
    for node in (both.a, both.b):
        node.on_event = lambda event, core=node.core: (
            core.consume(event.stream, len(event.data), both.now) if isinstance(event, MessageReceived) else None
        )
    both.a.core.connect(both.now)
    both.run(lambda: both.a.saw(Established) and both.b.saw(Established))
    return both


def watch(link):
    """Collect the packets that a link is given, lost ones too; nothing is lost by this."""
    seen = []

    def lose(number, item):
        seen.append(Packet.decode(item[0]))
        return False

    link.lose = lose
    return seen


def kinds(packets):
    return {kind for packet in packets for kind, _, _ in packet.chunks}


def chunks(packets):
    return [IDataChunk.decode(flags, body) for packet in packets for kind, flags, body in packet.chunks if kind == 64]


@pytest.mark.parametrize("second", [True, False])
def test_data_travels_as_both_agreed(second):
    """I01, I02, H33: I-DATA and I-FORWARD-TSN between those who offer them, DATA and FORWARD-TSN otherwise."""
    both = pair(other=AssociationOptions(interleaving=second))
    assert both.a.all(Established)[0].interleaving is second
    seen = watch(both.there)
    both.a.core.send(1, bytes(3000), both.now, ppid=53)
    both.a.core.send(1, b"late", both.now, ppid=53, max_retransmits=0, ordered=False)
    both.run(lambda: len(both.b.all(MessageReceived)) == 2)
    both.there.lose = lambda number, item: True
    both.a.core.send(1, b"given up", both.now, ppid=53, max_retransmits=0)
    both.run(for_=0.2)
    watched = watch(both.there)
    both.run(for_=5)
    assert {0, 64} & kinds(seen) == ({64} if second else {0})
    assert {192, 194} & kinds(watched) == ({194} if second else {192})
    assert both.b.core.stats().outstanding == both.a.core.stats().outstanding == 0


@pytest.mark.parametrize("interleaving", [True, False])
def test_a_large_message_does_not_hold_back_small_ones_of_other_streams(interleaving):
    """I07: 1 MiB on one stream at 50 ms, and a small message every 10 ms on another."""
    options = AssociationOptions(interleaving=interleaving, receive_window=4 << 20, max_message_size=2 << 20)
    both = pair(LinkOptions(delay=0.025, rate_bps=8e6), options)
    sent, late = {}, []
    before = both.b.on_event

    def on_event(event):
        before(event)
        if isinstance(event, MessageReceived) and event.stream == 2:
            late.append(both.now - sent[event.data])

    both.b.on_event = on_event
    both.a.core.send(1, bytes(1 << 20), both.now, ppid=53)
    for number in range(40):
        both.run(for_=0.01)
        data = b"%d" % number
        sent[data] = both.now
        both.a.core.send(2, data, both.now, ppid=53)
    both.run(lambda: len(both.b.all(MessageReceived)) == 41, limit=60)
    whole = next(at for at, event in enumerate(both.b.all(MessageReceived)) if event.stream == 1)
    if interleaving:
        assert whole == 40
        assert max(late) < 0.2
    else:
        assert whole == 0


def test_fragments_alternate_on_the_wire_and_are_numbered():
    """I05, I06, I07, I13: FSN from 0, MIDs of ordered and unordered messages apart, no packet above the MTU."""
    both = pair()
    seen = watch(both.there)
    for stream in (1, 2):
        both.a.core.send(stream, bytes(5000), both.now, ppid=50 + stream)
    both.a.core.send(1, b"unordered", both.now, ppid=53, ordered=False)
    both.run(lambda: len(both.b.all(MessageReceived)) == 3)
    found = chunks(seen)
    assert [one.stream for one in found[:6]] == [1, 2, 1, 2, 1, 2]
    for stream in (1, 2):
        mine = [one for one in found if one.stream == stream and not one.flags & 4]
        assert [one.fsn for one in mine] == list(range(len(mine)))
        assert (mine[0].ppid, mine[0].mid, mine[0].flags, mine[-1].flags) == (50 + stream, 0, 2, 1)
    assert next(one for one in found if one.flags & 4).mid == 0
    assert max(len(packet.encode()) for packet in seen) <= 1191
    assert {event.ppid for event in both.b.all(MessageReceived)} == {51, 52, 53}


@pytest.mark.parametrize("interleaving", [True, False])
def test_the_most_urgent_stream_goes_first(interleaving):
    """I08, I14: cutting into a message where that is possible, after it where not; equals take turns."""
    both = pair(options=AssociationOptions(scheduler="priority", interleaving=interleaving))
    core = both.a.core
    core.set_priority(1, 500)
    core.set_priority(3, 10)
    core.send(1, bytes(100_000), both.now, ppid=53)
    both.run(for_=0.001)
    for stream in (2, 4, 3):
        core.send(stream, bytes(30_000), both.now, ppid=53)
    core.set_priority(4, 10)
    both.run(lambda: len(both.b.all(MessageReceived)) == 4)
    order = [event.stream for event in both.b.all(MessageReceived)]
    if interleaving:
        assert set(order[:2]) == {3, 4}
        assert order[2:] == [2, 1]
    else:
        assert order == [1, 3, 4, 2]


def test_streams_share_equally_in_turn():
    """I14: ten streams with the same work end within one turn of each other."""
    both = pair()
    seen = watch(both.there)
    for stream in range(10):
        both.a.core.send(stream, bytes(20_000), both.now, ppid=53)
    both.run(lambda: len(both.b.all(MessageReceived)) == 10)
    counts = dict.fromkeys(range(10), 0)
    for one in chunks(seen):
        counts[one.stream] += 1
        assert max(counts.values()) - min(counts.values()) <= 2


@pytest.mark.parametrize("seed", range(3))
def test_everything_arrives_over_a_bad_path(seed):
    """I01, D03, P18: loss, duplicates, reordering; ordered ones in order, given up ones leave nothing behind."""
    both = pair(LinkOptions(delay=0.02, jitter=0.01, loss=0.08, duplicate=0.03, reorder=0.05), seed=seed)
    a, b = both.a.core, both.b.core
    for number in range(60):
        a.send(number % 3, bytes([number]) * (1 + 700 * (number % 11)), both.now, ppid=53)
        a.send(7, bytes([number]) * 3000, both.now, ppid=53, ordered=number % 2 > 0, max_retransmits=0)
    both.run(lambda: a.stats().outstanding == a.stats().buffered == 0, limit=600)
    both.run(for_=2)
    for stream in range(3):
        got = [event.data for event in both.b.all(MessageReceived) if event.stream == stream]
        assert got == [bytes([n]) * (1 + 700 * (n % 11)) for n in range(60) if n % 3 == stream]
    some = [event.data[0] for event in both.b.all(MessageReceived) if event.stream == 7 and event.ordered]
    assert some == sorted(some)
    assert len(some) < 30
    assert b.stats().receive_window == 1 << 20


def test_message_identifiers_wrap():
    """I06: past 2^32, ordered and unordered."""
    both = pair()
    stream = both.a.core._queue.stream(1)
    stream.next_ssn = stream.next_unordered = 0xFFFFFFFE
    both.b.core._receiver._streams.clear()
    both.a.core.send(1, b"makes the stream", both.now, ppid=53, ordered=False)
    both.run(lambda: both.b.saw(MessageReceived))
    both.b.core._receiver._streams[1].next_ssn = 0xFFFFFFFE
    for number in range(4):
        both.a.core.send(1, bytes([number]) * 2000, both.now, ppid=53)
        both.a.core.send(1, bytes([number + 10]) * 2000, both.now, ppid=53, ordered=False)
    both.run(lambda: len(both.b.all(MessageReceived)) == 9)
    assert [event.data[0] for event in both.b.all(MessageReceived) if event.ordered] == [0, 1, 2, 3]
    assert stream.next_ssn == 2


def test_a_reset_takes_both_kinds_of_message_identifier_back_to_zero():
    """I15."""
    both = pair()
    for ordered in (True, False):
        both.a.core.send(1, b"x", both.now, ppid=53, ordered=ordered)
    both.run(lambda: len(both.b.all(MessageReceived)) == 2)
    both.a.core.reset([1], both.now)
    both.run(lambda: both.a.saw(OutgoingResetDone))
    seen = watch(both.there)
    for ordered in (True, False):
        both.a.core.send(1, b"y", both.now, ppid=53, ordered=ordered)
    both.run(lambda: len(both.b.all(MessageReceived)) == 4)
    assert [one.mid for one in chunks(seen)] == [0, 0]


def test_begun_messages_never_fill_the_window_of_the_peer():
    """I12, liveness: 40 large messages at once through a window of two; without the bound nothing could move."""
    options = AssociationOptions(receive_window=300_000, max_message_size=150_000)
    both = pair(options=options)
    for stream in range(40):
        assert both.a.core.send(stream, bytes([stream]) * 50_000, both.now, ppid=53)
    both.run(lambda: len(both.b.all(MessageReceived)) == 40, limit=120)
    assert not both.a.saw(Ended)


class Peer:
    """A peer that interleaves, played chunk by chunk."""

    def __init__(self, extensions=(130, 192, 64, 194), **options):
        self.core = Association(AssociationOptions(**options), SeededRandomness("interleaving"))
        self.now, self.tsn, self.tag = 1000.0, 500, 0
        init = InitChunk(
            9,
            100_000,
            10,
            10,
            self.tsn,
            [(ParameterType.FORWARD_TSN_SUPPORTED, b""), (ParameterType.SUPPORTED_EXTENSIONS, bytes(extensions))],
        )
        (answer,) = self.say(init.encode())
        ack = InitChunk.decode(answer.chunks[0][2], ack=True)
        self.offer = ack.parameter(ParameterType.SUPPORTED_EXTENSIONS)
        self.tag = ack.initiate_tag
        self.say(encode_chunk(ChunkType.COOKIE_ECHO, 0, ack.parameter(ParameterType.STATE_COOKIE)))
        self.core.take_events()

    def say(self, *said):
        self.core.receive(build_packet(5000, 5000, self.tag, said), self.now)
        return [Packet.decode(packet) for packet in self.core.flush(self.now)]

    def idata(self, payload=b"x", *, flags=3, stream=1, mid=0, fsn=0, ppid=53, skip=0):
        self.tsn += 1
        return IDataChunk(flags, (self.tsn - 1 + skip) & 0xFFFFFFFF, stream, mid, ppid, fsn, payload).encode()

    def heard(self):
        return [event.data for event in self.core.take_events() if isinstance(event, MessageReceived)]

    def ended(self):
        return [event.reason for event in self.core.take_events() if isinstance(event, Ended)]


@pytest.mark.parametrize("connecting", [False, True], ids=["answers", "both connect"])
def test_i_data_behind_the_cookie_is_delivered(connecting):
    """H12, I02: which kind of data is agreed upon stands in the cookie in front of it."""
    a, b = (Association(AssociationOptions(), SeededRandomness(name)) for name in "ab")
    a.connect(0.0)
    if connecting:
        b.connect(0.0)
        b.flush(0.0)  # lost
    for source, target in ((a, b), (b, a)):
        for packet in source.flush(0.0):
            target.receive(packet, 0.0)
    (echo,) = a.flush(0.0)
    packet = Packet.decode(echo)
    (cookie,) = packet.chunks
    data = IDataChunk(3, a._handshake.local_tsn, 1, 0, 50, 0, b"OPEN").encode()
    b.receive(build_packet(5000, 5000, packet.tag, [encode_chunk(*cookie), data]), 0.0)
    events = b.take_events()
    assert [event.data for event in events if isinstance(event, MessageReceived)] == [b"OPEN"]
    assert not any(isinstance(event, Ended) for event in events)
    assert {ChunkType.COOKIE_ACK, ChunkType.SACK} <= kinds([Packet.decode(packet) for packet in b.flush(0.0)])


def test_the_offer_names_what_is_switched_on():
    """I02, H33."""
    assert Peer().offer == bytes([130, 192, 64, 194])
    assert Peer(interleaving=False).offer == bytes([130, 192])
    assert Peer(partial_reliability=False).offer == bytes([130, 64])


def test_a_peer_without_the_other_half_gets_no_forward_tsn():
    """P01 where I-DATA is agreed upon: FORWARD-TSN alone is of no use then."""
    peer = Peer(extensions=(130, 192, 64))
    assert not peer.core._retransmitter.partial_reliability


@pytest.mark.parametrize(
    ("extensions", "said"),
    [
        ((130, 192, 64, 194), DataChunk(3, 500, 1, 0, 53, b"x").encode()),
        ((130, 192, 64, 194), ForwardTsnChunk(501).encode()),
        ((130, 192), IDataChunk(3, 500, 1, 0, 53, 0, b"x").encode()),
        ((130, 192), IForwardTsnChunk(501).encode()),
    ],
)
def test_the_kind_that_was_not_agreed_upon_is_a_violation(extensions, said):
    """I03, I04."""
    peer = Peer(extensions)
    (answer,) = peer.say(said)
    kind, _, body = answer.chunks[0]
    assert kind == ChunkType.ABORT
    assert decode_causes(body)[0][0] == CauseCode.PROTOCOL_VIOLATION
    assert isinstance(peer.ended()[0], RemoteProtocolError)


def test_i_data_to_somebody_who_does_not_know_it_is_an_unknown_chunk():
    """I04, M07: reported, and the rest of the packet is left alone."""
    peer = Peer((130, 192), interleaving=False)
    (answer,) = peer.say(peer.idata())
    assert [kind for kind, _, _ in answer.chunks] == [ChunkType.ERROR]
    assert peer.ended() == []


def test_what_is_skipped_goes_and_what_is_whole_stays():
    """I09, I10: the largest MID of a stream wins, whole messages below it are handed up, parts are freed."""
    peer = Peer()
    peer.say(peer.idata(b"part", flags=2, mid=0))
    peer.say(peer.idata(b"whole", mid=1, skip=1))
    peer.say(peer.idata(b"part", flags=2, mid=2, skip=1))
    peer.say(peer.idata(b"unordered part", flags=6, mid=0, skip=1))
    peer.say(peer.idata(b"after", mid=3, skip=1))
    assert peer.heard() == []
    assert len(peer.core._receiver.interleaved) == 3
    skips = [(1, False, 2), (1, False, 0), (1, True, 0), (99, False, 5)]
    peer.say(IForwardTsnChunk(505, skips).encode())
    assert peer.heard() == [b"whole", b"after"]
    assert len(peer.core._receiver.interleaved) == peer.core._receiver.interleaved.size == 0
    assert peer.core._receiver.window.held == 10
    peer.say(IForwardTsnChunk(503, [(1, False, 9)]).encode())
    peer.tsn += 1
    peer.say(peer.idata(b"goes on", mid=4))
    assert peer.heard() == [b"goes on"]


@pytest.mark.parametrize(
    "fragments",
    [
        [(2, 0), (0, 1), (0, 1)],
        [(2, 0), (2, 0)],
        [(0, 0)],
        [(1, 3), (1, 4)],
        [(0, 5), (1, 3)],
        [(1, 3), (0, 5)],
    ],
)
def test_fragments_that_contradict_each_other_are_a_violation(fragments):
    """I11, D18."""
    peer = Peer()
    for flags, fsn in fragments:
        peer.say(peer.idata(b"x", flags=flags, fsn=fsn))
    assert isinstance(peer.ended()[0], RemoteProtocolError)


def test_a_stale_identifier_is_dropped_and_a_far_one_costs_nothing():
    """I11, I16."""
    peer = Peer()
    peer.say(peer.idata(b"first"))
    peer.say(peer.idata(b"again", mid=0))
    peer.say(peer.idata(b"part of it", mid=0, flags=2))
    peer.say(peer.idata(b"far", mid=0x7FFFFFFF))
    assert peer.heard() == [b"first"]
    assert peer.core.drops == {"ssn-stale": 1, "mid-stale": 1}
    assert peer.core._receiver.window.items == 2


def test_empty_short_and_misplaced_i_data():
    """D14, D15, F08 with I-DATA."""
    peer = Peer()
    peer.say(encode_chunk(64, 3, bytes(9)))
    assert peer.core.drops == {"malformed": 1}
    peer.say(peer.idata(stream=4000000 & 0xFFFF))
    assert peer.core.drops["stream-identifier"] == 1
    peer.say(peer.idata(b""))
    assert isinstance(peer.ended()[0], RemoteProtocolError)
    peer = Peer(max_message_size=1000)
    peer.say(peer.idata(bytes(900), flags=2), peer.idata(bytes(900), flags=0, fsn=1))
    assert isinstance(peer.ended()[0], RemoteProtocolError)


def test_a_window_full_of_unfinished_messages_ends_the_association():
    """I12, F05, F08: it could never move again, so it does not stay."""
    peer = Peer(receive_window=20_000, max_message_size=20_000)
    for mid in range(20):
        peer.say(peer.idata(bytes(1100), flags=2, mid=mid))
    (reason,) = peer.ended()
    assert "window" in str(reason)
