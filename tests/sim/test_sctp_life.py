"""Beginnings, resets and ends of associations over simulated links, and peers that say strange things."""

import pytest

from pystack.base import SeededRandomness
from pystack.errors import (
    LOCAL,
    HandshakeFailed,
    LocalProtocolError,
    PeerAborted,
    PeerClosed,
    RemoteProtocolError,
    TransportLost,
)
from pystack.sctp import (
    Association,
    AssociationOptions,
    AssociationState,
    Ended,
    Established,
    IncomingReset,
    MessageReceived,
    OutgoingResetDone,
    OutgoingResetFailed,
    Restarted,
    Writable,
    answer_out_of_the_blue,
)
from pystack.sctp.wire.causes import CauseCode, decode_causes, encode_causes
from pystack.sctp.wire.control import encode_cookie_echo
from pystack.sctp.wire.data import DataChunk
from pystack.sctp.wire.forward import ForwardTsnChunk
from pystack.sctp.wire.init import InitChunk
from pystack.sctp.wire.packet import ChunkType, Packet, build_packet, encode_chunk
from pystack.sctp.wire.params import ParameterType, encode_parameter, encode_parameters
from pystack.sctp.wire.reconfig import OutgoingResetRequest, ReconfigResponse, decode_reconfig
from pystack.sctp.wire.sack import SackChunk
from pystack.testing import LinkOptions, Pair

DELAY = LinkOptions(delay=0.02)
KINDS = ChunkType


def association(name="a", options=None):
    return Association(options or AssociationOptions(), SeededRandomness(name))


def pair(link=DELAY, options=None, other=None, *, connect="ab", seed=1):
    both = Pair(association(f"{seed} a", options), association(f"{seed} b", other or options), link, seed=seed)
    if connect:
        for node in (both.a, both.b):
            if node.name in connect:
                node.core.connect(both.now)
        both.run(lambda: both.a.saw(Established) and both.b.saw(Established), limit=400)
    return both


def kinds(packet):
    return [KINDS(kind).name for kind, _, _ in Packet.decode(packet, accept_zero=True).chunks]


class Scripted:
    """An association whose peer is played by hand, chunk by chunk."""

    def __init__(
        self,
        options=None,
        *,
        establish=True,
        parameters=(
            (ParameterType.FORWARD_TSN_SUPPORTED, b""),
            (ParameterType.SUPPORTED_EXTENSIONS, bytes([130, 192])),
        ),
        **init,
    ):
        self.core = association("scripted", options)
        self.now = 1000.0
        self.tag = 0
        self.tsn = 1000
        self.init = InitChunk(
            init.get("tag", 77),
            init.get("rwnd", 100_000),
            init.get("outbound", 10),
            init.get("inbound", 10),
            self.tsn,
            list(parameters),
        )
        if establish:
            (answer,) = self.say(self.init.encode(), tag=0)
            ack = InitChunk.decode(answer.chunks[0][2], ack=True)
            self.tag, self.peer_tsn = ack.initiate_tag, ack.initial_tsn
            (answer,) = self.say((KINDS.COOKIE_ECHO, 0, ack.parameter(ParameterType.STATE_COOKIE)))
            assert [kind for kind, _, _ in answer.chunks] == [KINDS.COOKIE_ACK]
            self.core.take_events()

    def packet(self, *chunks, tag=None):
        encoded = [encode_chunk(*chunk) if isinstance(chunk, tuple) else chunk for chunk in chunks]
        return build_packet(5000, 5000, self.tag if tag is None else tag, encoded)

    def say(self, *chunks, tag=None):
        """Send chunks in one packet; return the packets that come back at once."""
        self.core.receive(self.packet(*chunks, tag=tag), self.now)
        return self.hear()

    def hear(self):
        return [Packet.decode(packet, accept_zero=True) for packet in self.core.flush(self.now)]

    def wait(self, seconds):
        """Let time pass, ticking where the core asks for it; return what it sent meanwhile."""
        end = self.now + seconds
        heard = self.hear()
        while self.core.deadline <= end:
            self.now = self.core.deadline
            self.core.tick(self.now)
            heard += self.hear()
        self.now = end
        return heard

    def data(self, payload=b"x", *, flags=3, stream=0, ssn=0, tsn=None):
        if tsn is None:
            tsn, self.tsn = self.tsn, self.tsn + 1
        return DataChunk(flags, tsn & 0xFFFFFFFF, stream, ssn, 53, payload).encode()

    def ended(self):
        reasons = [event.reason for event in self.core.take_events() if isinstance(event, Ended)]
        assert len(reasons) <= 1
        return reasons[0] if reasons else None


def sent(packets, kind):
    return [body for packet in packets for found, _, body in packet.chunks if found == kind]


# -- beginnings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["a", "b", "ab"])
def test_either_side_or_both_may_connect(who):
    """H01, H02, K01: exactly one Established each."""
    both = pair(connect=who)
    both.run(for_=10.0)
    for node in (both.a, both.b):
        assert len(node.all(Established)) == 1
        assert node.core.state is AssociationState.ESTABLISHED
    both.a.core.send(1, b"hello", both.now, ppid=53)
    both.run(lambda: both.b.saw(MessageReceived))


def test_the_four_packets_of_a_handshake():
    """H01, H03, H04."""
    a, b = association("a"), association("b")
    a.connect(0.0)
    flights = []
    for _ in range(2):
        for source, target in ((a, b), (b, a)):
            for packet in source.flush(0.0):
                flights.append((kinds(packet), Packet.decode(packet).tag))
                target.receive(packet, 0.0)
    assert [names for names, _ in flights] == [["INIT"], ["INIT_ACK"], ["COOKIE_ECHO"], ["COOKIE_ACK"]]
    assert flights[0][1] == 0
    assert all(tag for _, tag in flights[1:])


@pytest.mark.parametrize("seed", range(12))
def test_every_start_survives_loss(seed):
    """H05, H07, H09, H10, K02: both connect, a third of all packets is lost."""
    both = pair(LinkOptions(delay=0.02, jitter=0.05, loss=0.33, duplicate=0.1), connect="", seed=seed)
    both.a.core.connect(both.now)
    if seed % 2:
        both.world.after(0.03, lambda: both.b.core.connect(both.now))
    both.run(lambda: both.a.saw(Established) and both.b.saw(Established), limit=400)
    both.a.core.send(1, b"there", both.now, ppid=53)
    both.b.core.send(1, b"and back", both.now, ppid=53)
    both.run(lambda: both.a.saw(MessageReceived) and both.b.saw(MessageReceived), limit=400)
    assert len(both.a.all(Established)) == len(both.b.all(Established)) == 1
    assert not both.a.saw(Restarted)


def test_the_init_is_repeated_as_it_was_and_given_up():
    """H05, H06, L1: nine INITs, then one error and no timer."""
    both = pair(connect="")
    both.black_hole()
    packets = []
    both.there.lose = lambda number, item: packets.append(item[0])
    both.there.down = False
    both.a.core.connect(both.now)
    took = both.run(lambda: both.a.saw(Ended))
    assert took == pytest.approx(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60)
    assert len(packets) == 9
    assert len(set(packets)) == 1
    assert isinstance(both.a.all(Ended)[0].reason, TransportLost)
    assert both.a.core.deadline == float("inf")


def test_the_cookie_echo_is_given_up_too():
    """H08."""
    both = pair(connect="")
    both.there.lose = lambda number, item: "COOKIE_ECHO" in kinds(item[0])
    both.a.core.connect(both.now)
    both.run(lambda: both.a.saw(Ended))
    assert isinstance(both.a.all(Ended)[0].reason, TransportLost)
    assert not both.b.saw(Established)


def test_connecting_twice_is_misuse():
    core = association()
    core.connect(0.0)
    with pytest.raises(LocalProtocolError):
        core.connect(0.0)


def test_unanswered_inits_leave_nothing_behind():
    """H14, K05: before and after the association stands."""
    peer = Scripted(establish=False)
    for tag in range(1, 200):
        (answer,) = peer.say(InitChunk(tag, 5000, 1, 1, tag).encode(), tag=0)
        assert answer.tag == tag
        assert peer.core.deadline == float("inf")
    peer = Scripted()
    before = peer.core.stats()
    (answer,) = peer.say(InitChunk(99, 5000, 1, 1, 5).encode(), tag=0)
    assert InitChunk.decode(answer.chunks[0][2], ack=True).initiate_tag != peer.tag
    assert peer.core.stats().state == before.state


def test_a_stale_cookie_is_answered_and_a_forged_one_dropped():
    """H15, H16, H19."""
    peer = Scripted(establish=False)
    (answer,) = peer.say(peer.init.encode(), tag=0)
    ack = InitChunk.decode(answer.chunks[0][2], ack=True)
    cookie = ack.parameter(ParameterType.STATE_COOKIE)
    assert peer.say((KINDS.COOKIE_ECHO, 0, cookie), tag=ack.initiate_tag ^ 1) == []
    forged = bytes([cookie[0] ^ 1]) + cookie[1:]
    assert peer.say((KINDS.COOKIE_ECHO, 0, forged), tag=ack.initiate_tag) == []
    peer.now += 61
    (answer,) = peer.say((KINDS.COOKIE_ECHO, 0, cookie), tag=ack.initiate_tag)
    ((code, late),) = decode_causes(sent([answer], KINDS.ERROR)[0])
    assert code == CauseCode.STALE_COOKIE
    assert int.from_bytes(late, "big") == 1_000_000
    assert peer.core.state is AssociationState.CLOSED


def test_data_behind_the_cookie_is_delivered():
    """H12."""
    peer = Scripted(establish=False)
    (answer,) = peer.say(peer.init.encode(), tag=0)
    ack = InitChunk.decode(answer.chunks[0][2], ack=True)
    peer.tag = ack.initiate_tag
    answers = peer.say(encode_cookie_echo(ack.parameter(ParameterType.STATE_COOKIE)) + peer.data(b"at once"))
    assert [event.data for event in peer.core.take_events() if isinstance(event, MessageReceived)] == [b"at once"]
    assert [kind for packet in answers for kind, _, _ in packet.chunks] == [KINDS.COOKIE_ACK, KINDS.SACK]


@pytest.mark.parametrize(
    ("chunk", "reason"),
    [
        (InitChunk(0, 5000, 1, 1, 5, [(7, b"c")], True), HandshakeFailed),
        (InitChunk(5, 5000, 0, 1, 5, [(7, b"c")], True), HandshakeFailed),
        (InitChunk(5, 5000, 1, 1, 5, [], True), HandshakeFailed),
        (InitChunk(5, 5000, 1, 1, 5, [(7, bytes(2000))], True), HandshakeFailed),
    ],
)
def test_an_init_ack_that_cannot_be_is_the_end(chunk, reason):
    """H21, H23, H25."""
    peer = Scripted(establish=False)
    peer.core.connect(peer.now)
    (init,) = peer.hear()
    tag = InitChunk.decode(init.chunks[0][2], ack=False).initiate_tag
    answers = peer.say(chunk.encode(), tag=tag)
    assert isinstance(peer.ended(), reason)
    assert len(sent(answers, KINDS.ABORT)) == (1 if chunk.initiate_tag else 0)
    assert peer.wait(1000) == []


def test_inits_that_cannot_be_are_refused():
    """H20, H22, H30, H32."""
    peer = Scripted(establish=False)
    assert peer.say(InitChunk(0, 5000, 1, 1, 5).encode(), tag=0) == []
    assert peer.say((KINDS.INIT, 0, bytes(7)), tag=0) == []
    assert peer.say(InitChunk(5, 5000, 1, 1, 5).encode() + peer.data(), tag=0) == []
    assert peer.say(InitChunk(5, 5000, 1, 1, 5).encode(), tag=9) == []
    (answer,) = peer.say(InitChunk(5, 5000, 0, 1, 5).encode(), tag=0)
    assert answer.tag == 5
    assert sent([answer], KINDS.ABORT)
    assert peer.core.state is AssociationState.CLOSED


def test_unknown_parameters_are_reported_as_they_ask():
    """H26, H27, H29."""
    strange = [
        (ParameterType.IPV4_ADDRESS, bytes(4)),
        (0x8055, b"skip"),
        (0xC055, b"tell"),
        (0xC000, b""),
        (0x4055, b"stop"),
    ]
    peer = Scripted(establish=False, parameters=strange)
    (answer,) = peer.say(peer.init.encode(), tag=0)
    told = InitChunk.decode(answer.chunks[0][2], ack=True).parameter(ParameterType.UNRECOGNIZED)
    assert told == encode_parameters([(0xC055, b"tell"), (0x4055, b"stop")])
    peer = Scripted(establish=False)
    peer.core.connect(peer.now)
    (init,) = peer.hear()
    peer.tag = InitChunk.decode(init.chunks[0][2], ack=False).initiate_tag
    (answer,) = peer.say(InitChunk(5, 5000, 1, 1, 5, [(7, b"cookie"), (0xC055, b"tell")], True).encode())
    assert [kind for kind, _, _ in answer.chunks] == [KINDS.COOKIE_ECHO, KINDS.ERROR]
    assert decode_causes(answer.chunks[1][2]) == [(8, encode_parameter(0xC055, b"tell"))]


def test_a_stale_cookie_error_ends_the_set_up_and_means_nothing_later():
    """H17, H18, T24."""
    error = (KINDS.ERROR, 0, encode_causes([(CauseCode.STALE_COOKIE, bytes(4))]))
    peer = Scripted()
    peer.say(error)
    assert peer.ended() is None
    peer = Scripted(establish=False)
    peer.core.connect(peer.now)
    (init,) = peer.hear()
    peer.tag = InitChunk.decode(init.chunks[0][2], ack=False).initiate_tag
    peer.say(InitChunk(5, 5000, 1, 1, 5, [(7, b"cookie")], True).encode())
    peer.say(error)
    assert isinstance(peer.ended(), HandshakeFailed)


def test_a_restarted_peer_is_told_once_and_goes_on():
    """K06, K08, K09, X19: queued whole messages survive, resets in flight count as done."""
    peer = Scripted()
    peer.core.send(1, bytes(50_000), peer.now, ppid=53)
    peer.core.send(2, b"kept", peer.now, ppid=53)
    peer.core.reset([3], peer.now)
    peer.hear()
    (answer,) = peer.say(InitChunk(88, 50_000, 10, 10, 7000, list(peer.init.parameters)).encode(), tag=0)
    ack = InitChunk.decode(answer.chunks[0][2], ack=True)
    assert ack.initiate_tag != peer.tag
    peer.tag = ack.initiate_tag
    answers = peer.say((KINDS.COOKIE_ECHO, 0, ack.parameter(ParameterType.STATE_COOKIE)))
    events = peer.core.take_events()
    assert events.count(Restarted()) == 1
    assert OutgoingResetDone((3,)) in events
    assert answers[0].tag == 88
    assert answers[0].chunks[0][0] == KINDS.COOKIE_ACK
    (chunk,) = sent(answers, KINDS.DATA)
    assert DataChunk.decode(3, chunk).payload == b"kept"
    assert DataChunk.decode(3, chunk).tsn == ack.initial_tsn
    peer.say(DataChunk(3, 7000, 1, 0, 53, b"anew").encode())
    assert [event.data for event in peer.core.take_events() if isinstance(event, MessageReceived)] == [b"anew"]
    assert peer.core.stats().counters.restarts == 1


def test_a_repeated_cookie_is_acknowledged_again_without_a_restart():
    """H09, H34, H35, K07 (D)."""
    peer = Scripted(establish=False)
    (answer,) = peer.say(peer.init.encode(), tag=0)
    ack = InitChunk.decode(answer.chunks[0][2], ack=True)
    peer.tag = ack.initiate_tag
    cookie = (KINDS.COOKIE_ECHO, 0, ack.parameter(ParameterType.STATE_COOKIE))
    peer.say(cookie)
    peer.core.take_events()
    peer.now += 100  # older than its life time, and still ours
    (answer,) = [one for one in peer.say(cookie) if sent([one], KINDS.COOKIE_ACK)]
    assert peer.core.take_events() == []
    assert peer.say(InitChunk(5, 5000, 1, 1, 5, [(7, b"c")], True).encode()) == []
    assert peer.say((KINDS.COOKIE_ACK, 0, b"")) == []
    assert peer.core.take_events() == []


# -- resets ----------------------------------------------------------------------------------------------------------


def test_a_stream_is_reset_after_its_data_and_starts_again():
    """X01, X02, X15, X20."""
    both = pair()
    for number in range(5):
        both.a.core.send(1, b"%d" % number * 3000, both.now, ppid=53)
    both.a.core.reset([1, 2], both.now)
    both.a.core.send(1, b"held until it is done", both.now, ppid=53)
    both.run(lambda: len(both.b.all(MessageReceived)) == 6)
    assert both.a.all(OutgoingResetDone) == [
        OutgoingResetDone((2,)),
        OutgoingResetDone((1,)),
    ]
    events = [event for event in both.b.events if isinstance(event, (MessageReceived, IncomingReset))]
    assert [type(event).__name__ for event in events][4:] != ["IncomingReset"] * 2
    at = next(index for index, event in enumerate(events) if isinstance(event, IncomingReset) and 1 in event.streams)
    assert [event.data for event in events[at + 1 :] if isinstance(event, MessageReceived)] == [
        b"held until it is done"
    ]


@pytest.mark.parametrize("lifetime", [None, 0.5], ids=["departs", "is given up"])
@pytest.mark.parametrize("then", ["reset", "shutdown"])
def test_what_waits_for_the_last_message_goes_in_the_flush_that_ends_the_waiting(then, lifetime):
    both = pair()
    both.run(for_=1.0)
    core, now = both.a.core, both.now
    core.send(1, b"last", now, ppid=53, lifetime=lifetime)
    if then == "reset":
        core.reset([1], now)
    else:
        core.shutdown(now)
    if lifetime is not None:
        now += 1.0  # nobody came to flush in time
    sent = [kind for packet in core.flush(now) for kind in kinds(packet)]
    if then == "reset":
        assert "RE_CONFIG" in sent
    else:  # RFC 9260 section 9.2: what departed has to be acknowledged first
        assert ("SHUTDOWN" in sent) == (lifetime is not None)
    assert ("I_DATA" in sent) == (lifetime is None)
    assert core.flush(now) == []


@pytest.mark.parametrize("seed", range(4))
def test_both_sides_reset_over_a_lossy_path(seed):
    """X05, X08, X09, X13, X17: a data channel's way to close, many times over."""
    both = pair(LinkOptions(delay=0.02, loss=0.15, reorder=0.1), seed=seed)
    for number in range(6):
        for node in (both.a, both.b):
            node.core.send(number, b"last words" * 300, both.now, ppid=53)
            node.core.reset([number], both.now)
    both.run(
        lambda: all(
            {stream for event in node.all(kind) for stream in event.streams} == set(range(6))
            for node in (both.a, both.b)
            for kind in (OutgoingResetDone, IncomingReset)
        ),
        limit=300,
    )
    for number in range(6):
        both.a.core.send(number, b"again", both.now, ppid=53)
    both.run(lambda: sum(event.data == b"again" for event in both.b.all(MessageReceived)) == 6, limit=100)


def test_a_peer_that_cannot_reset_is_told_at_once():
    both = pair(other=AssociationOptions(stream_reset=False))
    both.a.core.reset([1], both.now)
    both.run(for_=0.1)
    assert both.a.all(OutgoingResetFailed) == [OutgoingResetFailed((1,))]
    both = pair(connect="", other=AssociationOptions(stream_reset=False))
    both.a.core.reset([1], both.now)
    both.a.core.connect(both.now)
    both.run(lambda: both.a.saw(OutgoingResetFailed))


def reconfig(packets):
    return [parameter for body in sent(packets, KINDS.RE_CONFIG) for parameter in decode_reconfig(body)]


def raw(*parameters):
    return (KINDS.RE_CONFIG, 0, b"".join(parameter.encode() for parameter in parameters))


def test_incoming_requests_are_deferred_repeated_and_numbered():
    """X03, X05, X06, X14, X16."""
    peer = Scripted()
    request = OutgoingResetRequest(1000, 0, 1002, (1,))
    assert reconfig(peer.say(raw(request))) == [ReconfigResponse(1000, 6)]
    assert peer.core.take_events() == []
    peer.say(peer.data(b"one", stream=1, ssn=0))
    peer.say(peer.data(b"two", stream=1, ssn=1))
    peer.say(ForwardTsnChunk(1002).encode())
    events = peer.core.take_events()
    assert events[-1] == IncomingReset((1,))
    for _ in range(2):
        assert reconfig(peer.say(raw(request))) == [ReconfigResponse(1000, 1)]
    assert peer.core.take_events() == []
    assert reconfig(peer.say(raw(OutgoingResetRequest(1005, 0, 1002, (1,))))) == [ReconfigResponse(1005, 5)]
    peer.say(DataChunk(3, 1003, 1, 0, 53, b"anew").encode())
    assert [event.data for event in peer.core.take_events()] == [b"anew"]
    assert reconfig(peer.say(raw(OutgoingResetRequest(1001, 0, 1003, ())))) == [ReconfigResponse(1001, 1)]
    assert peer.core.take_events() == [IncomingReset((1,))]


def test_other_requests_are_denied():
    """X10, X11, X12."""
    peer = Scripted()
    for number, kind in enumerate((14, 15, 17, 18)):
        body = encode_parameter(kind, (1000 + number).to_bytes(4, "big") + bytes(4))
        assert reconfig(peer.say((KINDS.RE_CONFIG, 0, body))) == [ReconfigResponse(1000 + number, 2)]
    assert peer.say((KINDS.RE_CONFIG, 0, b"")) == []
    assert peer.say((KINDS.RE_CONFIG, 0, encode_parameter(99, b""))) == []


def test_answers_to_our_requests():
    """X04, X07, X08."""
    peer = Scripted()
    peer.core.reset([1], peer.now)
    (request,) = reconfig(peer.hear())
    peer.core.reset([2, 1], peer.now)
    assert peer.say(raw(ReconfigResponse(request.request_sequence ^ 1, 1))) == []
    assert peer.say(raw(ReconfigResponse(request.request_sequence, 6))) == []
    (request, *_) = reconfig(peer.wait(1.5))
    answers = peer.say(raw(ReconfigResponse(request.request_sequence, 2)))
    assert OutgoingResetFailed((1,)) in peer.core.take_events()
    (following,) = reconfig(answers)
    assert following.streams == (2,)
    assert following.request_sequence == (request.request_sequence + 1) & 0xFFFFFFFF
    peer.say(raw(ReconfigResponse(following.request_sequence, 0)))
    assert peer.core.take_events() == [OutgoingResetDone((2,))]


def test_an_unanswered_reset_ends_the_association():
    """X13, L6."""
    peer = Scripted(AssociationOptions(heartbeat_interval=0))
    peer.core.reset([1], peer.now)
    peer.wait(1000)
    assert isinstance(peer.ended(), TransportLost)


# -- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.0, 0.25])
@pytest.mark.parametrize("who", ["a", "b", "ab"])
def test_shutdown_delivers_everything_first(who, loss):
    """T01, T02, T03, T05, T08, T12, L7."""
    both = pair()
    both.there.options = both.back.options = LinkOptions(delay=0.02, loss=loss)
    for node in (both.a, both.b):
        node.core.send(1, bytes(50_000), both.now, ppid=53)
    for node in (both.a, both.b):
        if node.name in who:
            node.core.shutdown(both.now)
            node.core.shutdown(both.now)
    if not loss:
        both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended))
    else:
        both.run(for_=900)
    for node in (both.a, both.b):
        assert [len(event.data) for event in node.all(MessageReceived)] == [50_000]
        (ended,) = node.all(Ended)
        if node.name in who:
            assert loss or ended.reason == LOCAL
        else:
            assert isinstance(ended.reason, PeerClosed | TransportLost)
        assert node.core.deadline == float("inf")


def test_shutdown_before_and_while_connecting():
    """H36, AC7.6."""
    core = association()
    core.shutdown(0.0)
    assert core.take_events() == [Ended(LOCAL)]
    assert core.flush(0.0) == []
    both = pair(connect="")
    both.a.core.connect(both.now)
    both.a.core.send(1, b"still delivered", both.now, ppid=53)
    both.a.core.shutdown(both.now)
    both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended))
    assert [event.data for event in both.b.all(MessageReceived)] == [b"still delivered"]


def test_a_shutdown_that_nobody_answers_ends_by_the_counter_or_by_the_guard():
    """T04, T28, L6."""
    for options, bound in ((AssociationOptions(), 363.5), (AssociationOptions(shutdown_guard=10.0), 10.0)):
        both = pair(options=options)
        both.black_hole()
        both.a.core.shutdown(both.now)
        took = both.run(lambda both=both: both.a.saw(Ended))
        assert took <= bound
        assert isinstance(both.a.all(Ended)[0].reason, TransportLost)


def test_a_reset_that_is_pending_does_not_hold_up_a_shutdown():
    """X21."""
    both = pair()
    both.back.lose = lambda number, item: "RE_CONFIG" in kinds(item[0])
    both.a.core.send(1, bytes(3000), both.now, ppid=53)
    both.a.core.reset([1], both.now)
    both.run(for_=0.1)
    both.a.core.send(1, b"held", both.now, ppid=53)
    both.a.core.shutdown(both.now)
    assert both.a.core.stats().buffered == 0
    both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended), limit=20)


def test_data_after_our_shutdown_is_taken_and_answered():
    """T10, T19."""
    peer = Scripted()
    peer.core.shutdown(peer.now)
    assert sent(peer.hear(), KINDS.SHUTDOWN) == [(999).to_bytes(4, "big")]
    answers = peer.say(peer.data(b"late"))
    assert sent(answers, KINDS.SHUTDOWN) == [(1000).to_bytes(4, "big")]
    assert any(isinstance(event, MessageReceived) for event in peer.core.take_events())
    answers = peer.say((KINDS.SHUTDOWN, 0, peer.peer_tsn.to_bytes(4, "big")))
    assert sent(answers, KINDS.SHUTDOWN_ACK) == [b""]
    answers = peer.say((KINDS.SHUTDOWN_ACK, 0, b""))
    assert sent(answers, KINDS.SHUTDOWN_COMPLETE) == [b""]
    assert peer.ended() == LOCAL
    assert peer.say(peer.data(b"too late")) == []


def test_the_peers_shutdown_step_by_step():
    """T09, T11, T12, T15, T16, T20, T30, K11."""
    peer = Scripted()
    assert peer.say((KINDS.SHUTDOWN_ACK, 0, b"")) == []
    assert peer.say((KINDS.SHUTDOWN_COMPLETE, 0, b"")) == []
    assert peer.say((KINDS.SHUTDOWN, 0, b"")) == []
    peer.core.send(1, b"mine", peer.now, ppid=53)
    assert sent(peer.hear(), KINDS.DATA)
    before = (peer.peer_tsn - 1) & 0xFFFFFFFF
    never = (peer.peer_tsn + 50) & 0xFFFFFFFF
    peer.say((KINDS.SHUTDOWN, 0, never.to_bytes(4, "big")))
    assert peer.core.stats().outstanding == 1
    assert peer.say((KINDS.SHUTDOWN, 0, before.to_bytes(4, "big"))) == []
    assert peer.say(peer.data(b"ignored")) == []
    answers = peer.say((KINDS.SHUTDOWN, 0, peer.peer_tsn.to_bytes(4, "big")))
    assert sent(answers, KINDS.SHUTDOWN_ACK) == [b""]
    assert sent(peer.say((KINDS.SHUTDOWN, 0, peer.peer_tsn.to_bytes(4, "big"))), KINDS.SHUTDOWN_ACK) == [b""]
    assert sent(peer.say(peer.init.encode(), tag=0), KINDS.SHUTDOWN_ACK) == [b""]
    assert sent(peer.wait(1.1), KINDS.SHUTDOWN_ACK)
    assert peer.say((KINDS.SHUTDOWN_COMPLETE, 0, b"")) == []
    assert isinstance(peer.ended(), PeerClosed)
    assert peer.core.deadline == float("inf")


def test_abort_says_why_ends_at_once_and_is_final():
    """T21, T22, L7, AC6.4."""
    both = pair(options=AssociationOptions(send_buffer=1000))
    both.a.core.send(1, bytes(200_000), both.now, ppid=53)
    assert not both.a.core.send(2, b"x", both.now, ppid=53)
    both.a.core.abort(both.now, RemoteProtocolError("bad manners"))
    both.a.core.abort(both.now)
    both.a.core.shutdown(both.now)
    (ended,) = both.a.core.take_events()[-1:]
    assert isinstance(ended, Ended)
    assert str(ended.reason) == "bad manners"
    (packet,) = both.a.core.flush(both.now)
    assert kinds(packet) == ["ABORT"]
    both.b.core.receive(packet, both.now)
    (ended,) = [event for event in both.b.core.take_events() if isinstance(event, Ended)]
    assert isinstance(ended.reason, PeerAborted)
    assert "bad manners" in str(ended.reason)
    for node in (both.a, both.b):
        node.core.tick(both.now + 10_000)
        node.core.receive(packet, both.now + 10_000)
        node.core.consume(1, 10, both.now)
        assert node.core.flush(both.now + 10_000) == []
        assert node.core.take_events() == []
        assert node.core.buffered_amount(1) == 0


class Watching:
    """A trace that keeps what it is told."""

    def __init__(self):
        self.told = []

    def packet(self, now, layer, direction, data):
        self.told.append(direction)

    def state(self, now, layer, before, after):
        self.told.append(after)

    def timer(self, now, layer, name):
        self.told.append(name)

    def dropped(self, now, layer, why):
        self.told.append(why)


def test_a_trace_sees_packets_states_timers_and_drops():
    watching = Watching()
    core = Association(AssociationOptions(max_init_retransmits=1), SeededRandomness(1), watching)
    core.connect(0.0)
    core.receive(b"noise", 0.0)
    core.flush(0.0)
    core.tick(core.deadline)
    core.tick(core.deadline)
    assert watching.told == [
        "cookie-wait",
        "in",
        "malformed: packet too short",
        "out",
        "t1-init",
        "t1-init",
        "ended",
    ]


def test_a_cookie_while_shutting_down_is_answered_with_shutdown_ack():
    """RFC 9260 section 5.2.4, action A in SHUTDOWN-ACK-SENT."""
    peer = Scripted()
    (answer,) = peer.say(InitChunk(88, 50_000, 10, 10, 7000).encode(), tag=0)
    ack = InitChunk.decode(answer.chunks[0][2], ack=True)
    assert sent(
        peer.say((KINDS.SHUTDOWN, 0, ((peer.peer_tsn - 1) & 0xFFFFFFFF).to_bytes(4, "big"))), KINDS.SHUTDOWN_ACK
    )
    cookie = ack.parameter(ParameterType.STATE_COOKIE)
    answers = peer.say((KINDS.COOKIE_ECHO, 0, cookie), tag=ack.initiate_tag)
    assert sent(answers, KINDS.SHUTDOWN_ACK)
    assert decode_causes(sent(answers, KINDS.ERROR)[0])[0][0] == CauseCode.COOKIE_WHILE_SHUTTING_DOWN
    assert peer.core.state is AssociationState.SHUTDOWN_ACK_SENT


def test_the_farewell_waits_for_room_below():
    core = association()
    core.connect(0.0)
    assert core.flush(0.0, 0) == []
    assert len(core.flush(0.0, 1)) == 1


@pytest.mark.parametrize("code", [*CauseCode, 999])
def test_every_abort_ends_with_its_cause(code):
    """T22, T25, T26."""
    peer = Scripted()
    peer.say((KINDS.ABORT, 0, encode_causes([(code, b"text")])[: 8 if code == 12 else 7]))
    assert isinstance(peer.ended(), PeerAborted)


def test_reflected_tags():
    """T23, T27, K13, K14."""
    peer = Scripted()
    assert peer.say((KINDS.ABORT, 0, b""), tag=5) == []
    assert peer.say((KINDS.ABORT, 1, b"")) == []
    assert peer.say((KINDS.SHUTDOWN_COMPLETE, 1, b"")) == []
    assert peer.say((KINDS.SHUTDOWN_COMPLETE, 1, b""), tag=77) == []
    assert peer.say(peer.data(), tag=5) == []
    assert peer.ended() is None
    assert peer.core.drops["tag"] == 2
    peer.say((KINDS.ABORT, 1, b""), tag=77)
    assert isinstance(peer.ended(), PeerAborted)


def test_out_of_the_blue():
    """T07, K12, K13, Z11."""

    def answer(*chunks, tag=9):
        data = answer_out_of_the_blue(Packet(5000, 5001, tag, list(chunks)).encode())
        return data and Packet.decode(data)

    assert answer((KINDS.SHUTDOWN_ACK, 0, b"")) == Packet(5001, 5000, 9, [(KINDS.SHUTDOWN_COMPLETE, 1, b"")])
    assert answer((KINDS.DATA, 3, bytes(13))) == Packet(5001, 5000, 9, [(KINDS.ABORT, 1, b"")])
    for kind in (KINDS.ABORT, KINDS.SHUTDOWN_COMPLETE, KINDS.INIT, KINDS.COOKIE_ACK, KINDS.ERROR):
        assert answer((kind, 0, b"")) is None
    assert answer() is None
    assert answer((KINDS.DATA, 3, bytes(13)), tag=0) is None
    assert answer_out_of_the_blue(b"noise") is None


# -- strange peers ---------------------------------------------------------------------------------------------------


def test_unknown_chunks_by_their_upper_bits():
    """RFC 9260 section 3.2."""
    for kind, heard, goes_on in ((0x30, False, False), (0x70, True, False), (0xB0, False, True), (0xF0, True, True)):
        peer = Scripted()
        answers = peer.say((kind, 0, b"what?"), peer.data(b"behind"))
        assert bool(sent(answers, KINDS.ERROR)) is heard
        assert any(isinstance(event, MessageReceived) for event in peer.core.take_events()) is goes_on


def test_chunks_that_lie_about_their_length_end_the_packet():
    peer = Scripted()
    for length in (b"\0\0", b"\0\x03", b"\xff\xff"):
        peer.say(peer.data(b"good") + b"\x04\0" + length + bytes(8))
    assert peer.core.drops["malformed"] == 3
    assert peer.core.stats().counters.messages_received == 3 or peer.core.take_events()


def test_data_without_user_data_aborts():
    """D14."""
    peer = Scripted()
    answers = peer.say((KINDS.DATA, 3, bytes(12)))
    assert decode_causes(sent(answers, KINDS.ABORT)[0])[0][0] == CauseCode.NO_USER_DATA
    assert isinstance(peer.ended(), RemoteProtocolError)
    peer = Scripted()
    assert peer.say((KINDS.DATA, 3, bytes(5))) is not None
    assert peer.ended() is None


def test_data_on_a_stream_that_is_not_there_is_reported_and_acknowledged():
    """D15."""
    peer = Scripted()
    answers = peer.say(peer.data(stream=10))
    assert decode_causes(sent(answers, KINDS.ERROR)[0]) == [(1, b"\0\x0a\0\0")]
    assert SackChunk.decode(0, sent(answers, KINDS.SACK)[0]).cumulative_tsn == 1000


def test_duplicates_are_delivered_once_and_reported_once():
    """D16, S08, S20."""
    peer = Scripted()
    chunk = peer.data(b"once")
    peer.say(chunk)
    (sack,) = sent(peer.say(chunk), KINDS.SACK)
    assert SackChunk.decode(0, sack).duplicates == [1000]
    peer.say(peer.data(b"next", ssn=1))
    (sack,) = sent(peer.say(peer.data(b"next", ssn=2)), KINDS.SACK)
    assert SackChunk.decode(0, sack) == SackChunk(1002, SackChunk.decode(0, sack).a_rwnd)
    assert len([event for event in peer.core.take_events() if isinstance(event, MessageReceived)]) == 3


def test_gaps_and_the_immediate_bit_are_acknowledged_at_once():
    """S05, S06, S11, S12."""
    peer = Scripted()
    peer.say(peer.data())
    (sack,) = sent(peer.say(peer.data(tsn=1003, ssn=3), peer.data(tsn=1005, ssn=5)), KINDS.SACK)
    assert SackChunk.decode(0, sack).gaps == [(3, 3), (5, 5)]
    (sack,) = sent(peer.say(peer.data(tsn=1004, ssn=4)), KINDS.SACK)
    assert SackChunk.decode(0, sack).gaps == [(3, 5)]
    peer.say(peer.data(tsn=1001, ssn=1))
    (sack,) = sent(peer.say(peer.data(tsn=1002, ssn=2)), KINDS.SACK)
    assert SackChunk.decode(0, sack).cumulative_tsn == 1005
    assert sent(peer.say(peer.data(tsn=1006, ssn=6, flags=11)), KINDS.SACK)
    peer.say(peer.data(tsn=1007 + 70_000))
    assert peer.core.drops["tsn-far-ahead"] == 1


def test_interleaved_fragments_and_oversized_messages_abort():
    """D18, F08."""
    peer = Scripted()
    peer.say(peer.data(flags=2))
    peer.say(peer.data(flags=1, stream=1))
    assert isinstance(peer.ended(), RemoteProtocolError)
    peer = Scripted(AssociationOptions(max_message_size=1500))
    peer.say(peer.data(bytes(1000), flags=2))
    peer.say(peer.data(bytes(1000), flags=0))
    assert isinstance(peer.ended(), RemoteProtocolError)


def test_a_stale_sequence_number_is_dropped_and_its_window_given_back():
    """D17."""
    peer = Scripted()
    for ssn in (0, 1, 0, 5, 5):
        peer.say(peer.data(b"x", ssn=ssn))
    assert peer.core.drops["ssn-stale"] == 2
    assert len(peer.core.take_events()) == 2


def test_sacks_that_cannot_be_true_change_nothing():
    """S13, S14, S15, S16, R30."""
    peer = Scripted()
    peer.core.send(1, bytes(6000), peer.now, ppid=53)
    peer.hear()
    base = peer.peer_tsn - 1
    before = peer.core.stats()
    block = lambda *pairs: b"".join(a.to_bytes(2, "big") + b.to_bytes(2, "big") for a, b in pairs)  # noqa: E731
    for cumulative, gaps in (
        (base - 1, b""),
        (base + 7, b""),
        (base, block((3, 2))),
        (base, block((0, 2))),
        (base, block((3, 9))),
        (base, block((3, 4), (2, 2))),
        (base, block((3, 65535))),
    ):
        body = (cumulative & 0xFFFFFFFF).to_bytes(4, "big") + (5).to_bytes(4, "big")
        peer.say((KINDS.SACK, 0, body + (len(gaps) // 4).to_bytes(2, "big") + b"\0\0" + gaps))
        assert peer.core.stats().flight == before.flight
        assert peer.core.stats().peer_window == before.peer_window
    peer.say((KINDS.SACK, 0, bytes(7)))
    peer.say((KINDS.SACK, 0, bytes(8) + b"\0\x05\0\0"))
    assert peer.core.stats().peer_window == before.peer_window
    assert sum(count for why, count in peer.core.drops.items() if "sack" in why.lower()) == 9


def test_reneging_makes_chunks_outstanding_again():
    """S17."""
    peer = Scripted()
    peer.core.send(1, bytes(6000), peer.now, ppid=53)
    peer.hear()
    base = (peer.peer_tsn - 1) & 0xFFFFFFFF
    flight = peer.core.stats().flight
    peer.say(SackChunk(base, 50_000, [(2, 4)]).encode())
    assert peer.core.stats().flight == flight - 3 * 1160
    peer.say(SackChunk(base, 50_000, [(2, 2), (4, 4)]).encode())
    assert peer.core.stats().flight == flight - 2 * 1160
    peer.say(SackChunk(base, 50_000).encode())
    assert peer.core.stats().flight == flight
    again = set()
    heard = peer.wait(1.1)
    assert len(sent(heard, KINDS.DATA)) == 1  # one packet first
    while bodies := sent(heard, KINDS.DATA):
        again |= {DataChunk.decode(0, body).tsn for body in bodies}
        heard = peer.say(SackChunk((base + len(again)) & 0xFFFFFFFF, 50_000).encode())
    assert len(again) == 6
    assert peer.core.stats().outstanding == 0


def test_forward_tsn_old_new_and_unasked():
    """P08, P09, P10, P11, P12, P14."""
    peer = Scripted()
    peer.say(peer.data(b"2", tsn=1001, ssn=1), peer.data(b"4", tsn=1003, ssn=3), peer.data(b"u", flags=7, tsn=1004))
    (sack,) = sent(peer.say(ForwardTsnChunk(1000, [(0, 0)]).encode()), KINDS.SACK)
    assert SackChunk.decode(0, sack).cumulative_tsn == 1001
    peer.say(ForwardTsnChunk(1000, [(0, 0)]).encode())
    peer.say(ForwardTsnChunk(1002, [(0, 2), (5, 9), (50, 1)]).encode())
    assert [event.data for event in peer.core.take_events()] == [b"u", b"2", b"4"]
    peer.say(DataChunk(3, 1005, 5, 10, 53, b"five").encode())
    peer.say(ForwardTsnChunk((1005 + (1 << 31) - 1) & 0xFFFFFFFF).encode())
    assert [event.data for event in peer.core.take_events()] == [b"five"]
    peer = Scripted(AssociationOptions(partial_reliability=False))
    answers = peer.say(ForwardTsnChunk(1002).encode())
    assert decode_causes(sent(answers, KINDS.ERROR)[0])[0][0] == CauseCode.UNRECOGNIZED_CHUNK_TYPE


def test_heartbeats_are_answered_byte_for_byte_and_forged_answers_ignored():
    """B02, B06, B08, B10, B11."""
    peer = Scripted(AssociationOptions(heartbeat_interval=5.0))
    body = encode_parameter(1, b"anything") + b"more"
    assert sent(peer.say((KINDS.HEARTBEAT, 0, body)), KINDS.HEARTBEAT_ACK) == [body]
    assert peer.say((KINDS.HEARTBEAT, 0, b"")) == []
    assert peer.say((KINDS.HEARTBEAT, 0, encode_parameter(1, bytes(1400)))) == []
    (beat,) = sent(peer.wait(7.0), KINDS.HEARTBEAT)
    peer.say((KINDS.HEARTBEAT_ACK, 0, beat[:-1] + b"!"))
    assert peer.core.stats().smoothed_rtt is None
    peer.say((KINDS.HEARTBEAT_ACK, 0, beat))
    peer.say((KINDS.HEARTBEAT_ACK, 0, beat))
    assert peer.core.drops["heartbeat-ack-unasked"] >= 1
    assert peer.core.stats().errors <= 1


def test_what_comes_in_the_wrong_state_is_dropped():
    """D22, T14, T18, H35."""
    peer = Scripted(establish=False)
    peer.core.connect(peer.now)
    (init,) = peer.hear()
    peer.tag = InitChunk.decode(init.chunks[0][2], ack=False).initiate_tag
    for chunk in (
        (KINDS.HEARTBEAT, 0, encode_parameter(1, b"x")),
        (KINDS.SHUTDOWN, 0, bytes(4)),
        (KINDS.COOKIE_ACK, 0, b""),
        (KINDS.RE_CONFIG, 0, bytes(4)),
        (KINDS.FORWARD_TSN, 0, bytes(4)),
        (KINDS.SACK, 0, bytes(12)),
        (KINDS.DATA, 3, bytes(13)),
        (KINDS.INIT, 0, bytes(16)),
        (KINDS.ECNE, 0, bytes(4)),
        (KINDS.CWR, 0, bytes(4)),
    ):
        assert peer.say(chunk) == []
    (answer,) = peer.say((KINDS.SHUTDOWN_ACK, 0, b""))
    assert answer.chunks == [(KINDS.SHUTDOWN_COMPLETE, 1, b"")]
    assert answer.tag == peer.tag
    assert peer.core.state is AssociationState.COOKIE_WAIT
    assert peer.core.receive(Packet(1, 2, peer.tag, []).encode(), peer.now) is None


def test_a_flood_of_questions_is_bounded():
    """X18, law 8: nobody makes us keep answers without end."""
    peer = Scripted()
    heartbeat = peer.packet((KINDS.HEARTBEAT, 0, encode_parameter(1, bytes(500))))
    init = peer.packet(peer.init.encode(), tag=0)
    for _ in range(500):
        peer.core.receive(heartbeat, peer.now)
        peer.core.receive(init, peer.now)
        peer.core.receive(peer.packet(peer.data(tsn=1000)), peer.now)
    assert len(peer.hear()) <= 150
    assert peer.core.drops["reply-queue-full"] > 500


def test_writable_comes_exactly_once_per_refusal():
    peer = Scripted(AssociationOptions(send_buffer=2000), rwnd=3000)
    while peer.core.send(1, bytes(1000), peer.now, ppid=53):
        pass
    for _ in range(3):
        assert not peer.core.send(2, b"x", peer.now, ppid=53)
    peer.hear()
    events = peer.core.take_events()
    assert events.count(Writable(2)) == 1
    assert events.count(Writable(1)) == 1


# -- what the catalogue of situations has besides ---------------------------------------------------------------------


def test_an_error_in_front_of_a_cookie_and_data_behind_its_answer():
    """H13, H28, M19: chunks of one packet are taken in their order, whatever stands beside them."""
    peer = Scripted(establish=False)
    (answer,) = peer.say(peer.init.encode(), tag=0)
    ack = InitChunk.decode(answer.chunks[0][2], ack=True)
    peer.tag = ack.initiate_tag
    cookie = (KINDS.COOKIE_ECHO, 0, ack.parameter(ParameterType.STATE_COOKIE))
    peer.say(cookie, (KINDS.ERROR, 0, encode_causes([(CauseCode.UNRECOGNIZED_PARAMETERS, b"\x80\x01\0\4")])))
    assert peer.core.state is AssociationState.ESTABLISHED
    both = pair(connect="")
    both.a.core.connect(both.now)
    both.b.core.send(1, b"at once", both.now, ppid=53)
    both.run(lambda: both.a.saw(MessageReceived))
    assert both.a.all(Established)


def test_a_short_init_ack_and_packets_for_other_ports():
    """H31, H37: dropped, and the set-up goes on."""
    peer = Scripted(establish=False)
    peer.core.connect(peer.now)
    (init,) = peer.hear()
    tag = InitChunk.decode(init.chunks[0][2], ack=False).initiate_tag
    peer.say((KINDS.INIT_ACK, 0, bytes(12)), tag=tag)
    assert peer.core.state is AssociationState.COOKIE_WAIT
    stood = Scripted()
    stood.core.receive(build_packet(5000, 5001, stood.tag, [stood.data()]), stood.now)
    assert stood.core.drops == {"ports": 1}


def test_several_chunks_of_one_packet_make_one_acknowledgement():
    """S04, S10: and the window in it is smaller by what is held."""
    peer = Scripted()
    peer.say(peer.data())
    (answer,) = peer.say(*(peer.data(bytes(100), ssn=ssn) for ssn in range(1, 6))) or peer.wait(0.3)
    (sack,) = [SackChunk.decode(0, body) for body in sent([answer], KINDS.SACK)]
    assert sack.cumulative_tsn == peer.tsn - 1
    assert sack.a_rwnd < (1 << 20) - 500
    before = sack.a_rwnd
    peer.core.consume(0, 501, peer.now)
    peer.say(peer.data(ssn=6))
    (sack,) = [SackChunk.decode(0, body) for body in sent(peer.say(peer.data(ssn=7)), KINDS.SACK)]
    assert sack.a_rwnd > before


def test_what_is_sent_again_is_what_was_sent_and_goes_first():
    """D19, D20, R06, C04: the same bytes, before new data; the time-out doubles to its maximum."""
    peer = Scripted(AssociationOptions(rto_max=2.0, max_association_retransmits=6))
    peer.core.send(1, bytes(range(250)) * 4, peer.now, ppid=53)
    (first,) = peer.hear()
    peer.core.send(1, b"new", peer.now, ppid=53)
    peer.hear()
    again, gaps, before = [], [], peer.now
    for _ in range(4):
        peer.now = peer.core.deadline
        peer.core.tick(peer.now)
        (packet,) = peer.hear()
        again.append(packet.chunks[0])
        gaps.append(round(peer.now - before, 3))
        before = peer.now
    assert set(again) == {first.chunks[0]}
    assert gaps == [1.0, 2.0, 2.0, 2.0]


def test_no_round_trip_is_measured_on_what_was_sent_twice():
    """R03, R04: and one at a time of what was sent once."""
    peer = Scripted()
    for _ in range(3):
        peer.core.send(1, bytes(1000), peer.now, ppid=53)
    peer.hear()
    peer.now += 0.1
    peer.say(SackChunk(peer.peer_tsn, 100_000).encode())
    assert peer.core.stats().smoothed_rtt == pytest.approx(0.1)
    peer.now += 0.2
    peer.say(SackChunk(peer.peer_tsn + 1, 100_000).encode())
    assert peer.core.stats().smoothed_rtt == pytest.approx(0.1)
    peer.wait(3)
    peer.say(SackChunk(peer.peer_tsn + 2, 100_000).encode())
    assert peer.core.stats().smoothed_rtt == pytest.approx(0.1)


def test_fast_recovery_lasts_until_what_was_outstanding_is_acknowledged():
    """R13, R14, R15, R16, C05: one reduction for all of it, one packet at once whatever the window; T3 starts anew."""
    peer = Scripted(AssociationOptions(rack=False, tail_loss_probe=False), rwnd=1 << 20)
    for _ in range(10):
        peer.core.send(1, bytes(1100), peer.now, ppid=53)
    assert len(peer.hear()) == 10
    base = peer.peer_tsn - 1
    heard = []
    for last in (3, 4, 5):
        heard += peer.say(SackChunk(base, 1 << 20, [(2, last)]).encode())
    window = peer.core.stats().congestion_window
    assert window == 5955
    assert [packet.chunks[0][2][:4] for packet in heard] == [peer.peer_tsn.to_bytes(4, "big")]
    peer.say(SackChunk(base + 5, 1 << 20, [(2, 3)]).encode())
    assert peer.core.stats().congestion_window == window
    peer.say(SackChunk(base + 10, 1 << 20).encode())
    assert peer.core._retransmitter._recover == -1
    for _ in range(3):
        peer.core.send(1, bytes(1100), peer.now, ppid=53)
    peer.hear()
    peer.now = peer.core.deadline
    peer.core.tick(peer.now)
    assert peer.core.stats().congestion_window == 1191


def test_no_packet_passes_the_window_and_nothing_is_counted_below_zero():
    """C06, C11, C12, F06: the flight is within the window by less than a packet; acknowledged twice counts once."""
    peer = Scripted(rwnd=6000)
    peer.core.send(1, bytes(50_000), peer.now, ppid=53)
    acked = 0
    for step in range(20):
        peer.hear()
        stats = peer.core.stats()
        assert stats.flight <= min(stats.congestion_window + 1190, 6000)
        acked = min(acked + 1 + step % 2, stats.outstanding + acked)
        for _ in range(2):
            peer.say(SackChunk((peer.peer_tsn - 1 + acked) & 0xFFFFFFFF, 6000).encode())
        assert 0 <= peer.core.stats().flight <= 6000


def test_no_message_is_cut_small_for_the_rest_of_a_window():
    """F07, C10: only a closed window is probed; a nearly closed one waits."""
    peer = Scripted(rwnd=3000)
    peer.core.send(1, bytes(20_000), peer.now, ppid=53)
    sizes = [len(body) - 12 for packet in peer.hear() for kind, _, body in packet.chunks if kind == KINDS.DATA]
    assert sizes == [1160, 1160]
    peer.say(SackChunk(peer.peer_tsn + 1, 10).encode())
    assert all(kind != KINDS.SACK for packet in peer.hear() for kind, _, _ in packet.chunks)


def test_a_repeated_abandonment_stays_within_the_mtu():
    """P15, P16, D11: many streams given up at once need more than one FORWARD-TSN, and each fits."""
    peer = Scripted(AssociationOptions(mtu=512, tail_loss_probe=False), rwnd=1 << 20, inbound=400)
    for stream in range(300):
        peer.core.send(stream, b"x", peer.now, ppid=53, max_retransmits=0)
    peer.hear()
    for packet in peer.wait(1.5):
        assert len(packet.encode()) <= 512
    (forward,) = sent(peer.say(SackChunk(peer.peer_tsn - 1, 1 << 20).encode()) + peer.wait(3), KINDS.FORWARD_TSN)[:1]
    reached = ForwardTsnChunk.decode(forward)
    assert len(reached.skips) < 300
    peer.say(SackChunk((peer.peer_tsn + 299) & 0xFFFFFFFF, 1 << 20).encode())
    assert peer.core.stats().outstanding == 0
    assert peer.core.stats().flight == 0


def test_a_shutdown_drains_what_is_given_up_and_an_unanswered_ack_ends():
    """P17, T06."""
    peer = Scripted(AssociationOptions(max_association_retransmits=2))
    peer.core.send(1, b"x", peer.now, ppid=53, max_retransmits=0)
    peer.hear()
    peer.core.shutdown(peer.now)
    heard = peer.wait(2)
    assert sent(heard, KINDS.FORWARD_TSN)
    peer.say(SackChunk(peer.peer_tsn, 100_000).encode())
    assert peer.core.state is AssociationState.SHUTDOWN_SENT
    peer.say((KINDS.SHUTDOWN, 0, peer.peer_tsn.to_bytes(4, "big")))
    assert peer.core.state is AssociationState.SHUTDOWN_ACK_SENT
    peer.wait(60)
    assert peer.ended()


def test_init_while_connecting_keeps_the_tag():
    """K03, K04: the INIT-ACK names the tag that our own INIT named."""
    peer = Scripted(establish=False)
    peer.core.connect(peer.now)
    (init,) = peer.hear()
    ours = InitChunk.decode(init.chunks[0][2], ack=False)
    (answer,) = peer.say(peer.init.encode(), tag=0)
    assert InitChunk.decode(answer.chunks[0][2], ack=True).initiate_tag == ours.initiate_tag
    ack = InitChunk(77, 100_000, 10, 10, 1000, [(ParameterType.STATE_COOKIE, b"opaque")], ack=True)
    peer.say(ack.encode(), tag=ours.initiate_tag)
    assert peer.core.state is AssociationState.COOKIE_ECHOED
    (answer,) = peer.say(peer.init.encode(), tag=0)
    assert InitChunk.decode(answer.chunks[0][2], ack=True).initiate_tag == ours.initiate_tag


def test_heartbeats_are_answered_while_shutting_down():
    """B09."""
    peer = Scripted()
    peer.core.shutdown(peer.now)
    peer.hear()
    assert sent(peer.say((KINDS.HEARTBEAT, 0, encode_parameter(1, b"info"))), KINDS.HEARTBEAT_ACK)


def test_a_wrong_checksum_is_dropped_whoever_may_leave_it_out():
    """Z09, Z10, M02."""
    zero = (ParameterType.ZERO_CHECKSUM, (1).to_bytes(4, "big"))
    for parameters, accepted in (((zero,), True), (((ParameterType.ZERO_CHECKSUM, (9).to_bytes(4, "big")),), False)):
        peer = Scripted(AssociationOptions(zero_checksum=True), parameters=parameters)
        assert peer.core._handshake.peer.zero_checksum is accepted
        packet = bytearray(peer.packet(peer.data()))
        packet[8] ^= 1
        peer.core.receive(bytes(packet), peer.now)
        assert not [event for event in peer.core.take_events() if isinstance(event, MessageReceived)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(12),
        b"\xff" * 64,
        b"\0\0\0\3",
        b"\0\0\0\0",
        b"\0\3\xff\xff",
        b"\3\0\0\x10" + bytes(11),
        b"\3\0\0\x14" + b"\xff" * 16,
        b"\xc0\0\0\7" + bytes(4),
        b"\x0a\0\0\4",
        b"\x0a\0\xff\xff" + bytes(65531),
        b"\x82\0\0\4",
        b"\x82\0\0\x0c\0\x0d\0\3" + bytes(4),
        b"\x0f\0\0\x08\0\1\0\1",
        b"\xc1\0\0\x08" + bytes(4),
        b"\x80\0\0\x08" + bytes(4),
    ],
)
def test_packets_that_are_not_right_cost_nothing(data):
    """M01, M03, M04, M09, M10, M12, M14, M15, M16, M17, M18, C15: as the packet, or as its only chunk."""
    peer = Scripted()
    peer.core.receive(data, peer.now)
    peer.core.receive(build_packet(5000, 5000, peer.tag, [data]), peer.now)
    peer.hear()
    assert peer.ended() is None
    peer.say(peer.data(b"fine"))
    assert [event.data for event in peer.core.take_events()] == [b"fine"]


def test_padding_flags_and_a_long_unknown_chunk():
    """M05, M06, M07, M08, M21: padding is not looked at, strange flags mean nothing, reports are cut."""
    peer = Scripted()
    chunk = bytearray(peer.data(b"x"))
    chunk[-3:] = b"\xaa\xbb\xcc"
    chunk[1] |= 0xF0
    peer.say(bytes(chunk))
    peer.core.receive(peer.packet(peer.data(b"y", ssn=1)[:-3]), peer.now)
    assert [event.data for event in peer.core.take_events()] == [b"x", b"y"]
    heard = peer.say((0xC5, 0, bytes(1100)), peer.data(b"z", ssn=2))
    assert len(sent(heard, KINDS.ERROR)[0]) < 300
    assert [event.data for event in peer.core.take_events()] == [b"z"]


def test_a_request_that_comes_twice_in_one_chunk_is_performed_once():
    """M22."""
    peer = Scripted()
    request = OutgoingResetRequest(peer.init.initial_tsn, peer.peer_tsn - 1, 999, (1,)).encode()
    (answer,) = peer.say((KINDS.RE_CONFIG, 0, request + request))
    assert len([event for event in peer.core.take_events() if isinstance(event, IncomingReset)]) == 1
    assert [one.result for body in sent([answer], KINDS.RE_CONFIG) for one in decode_reconfig(body)] == [1, 1]


def test_shutdown_complete_in_front_of_data_ends_and_the_abort_leaves_before_all_else():
    """T17, T29."""
    peer = Scripted()
    peer.core.shutdown(peer.now)
    peer.hear()
    peer.say((KINDS.SHUTDOWN, 0, (peer.peer_tsn - 1).to_bytes(4, "big")))
    peer.say((KINDS.SHUTDOWN_COMPLETE, 0, b""), peer.data(b"late"))
    assert [type(event).__name__ for event in peer.core.take_events()] == ["ShutdownStarted", "Ended"]
    peer = Scripted()
    peer.core.send(1, bytes(100_000), peer.now, ppid=53)
    peer.core.abort(peer.now)
    assert [chunk[0] for packet in peer.hear() for chunk in packet.chunks] == [KINDS.ABORT]
