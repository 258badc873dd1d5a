"""The channels over an association whose every answer the test decides; the real one is in tests/sim and tests/laws."""

from math import inf

import pytest

from pystack.base import Ended
from pystack.datachannel import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelOpened,
    ChannelOptions,
    ChannelWritable,
    DataChannels,
    Open,
    TransportEstablished,
    write_open,
)
from pystack.datachannel.messages import ACK
from pystack.errors import (
    LOCAL,
    InvalidArgument,
    LocalProtocolError,
    MessageTooLarge,
    PeerClosed,
    RemoteProtocolError,
    TransportLost,
)
from pystack.sctp.events import (
    BufferedAmountLow,
    Established,
    IncomingReset,
    MessageReceived,
    OutgoingResetAsked,
    OutgoingResetDone,
    OutgoingResetFailed,
    Restarted,
    ShutdownStarted,
    Writable,
)


class Association:
    """Does what the test says: refuses while ``full``, and speaks only when told to."""

    def __init__(self):
        self.deadline = inf
        self.full = False
        self.sent = []
        self.resets = []
        self.consumed = {}
        self.thresholds = {}
        self.calls = []
        self.events = []
        self.out = []

    def connect(self, now):
        self.calls.append("connect")

    def send(self, stream, data, now, *, ppid, ordered=True, max_retransmits=None, lifetime=None):
        if self.full:
            return False
        self.sent.append((stream, ppid, data, ordered, max_retransmits, lifetime))
        return True

    def consume(self, stream, nbytes, now):
        self.consumed[stream] = self.consumed.get(stream, 0) + nbytes

    def reset(self, streams, now):
        self.resets += streams

    def set_low_threshold(self, stream, nbytes):
        self.thresholds[stream] = nbytes

    def buffered_amount(self, stream):
        return sum(len(data) for at, _, data, *_ in self.sent if at == stream)

    def shutdown(self, now):
        self.calls.append("shutdown")
        self.events.append(ShutdownStarted(remote=False))

    def abort(self, now, reason=LOCAL):
        self.events.append(Ended(reason))

    def receive(self, data, now):
        self.calls.append(("receive", data))

    def tick(self, now):
        self.calls.append("tick")

    def flush(self, now, limit=inf):
        out, self.out = self.out[: int(min(limit, 99))], self.out[int(min(limit, 99)) :]
        return out

    def take_events(self):
        events, self.events = self.events, []
        return events


def hear(channels, *events, now=0.0):
    """Let the association say something; return what the channels then say."""
    channels.association.events += events
    channels.receive(b"", now)
    return channels.take_events()


def established(inbound=65535, outbound=65535):
    return Established(
        inbound_streams=inbound,
        outbound_streams=outbound,
        partial_reliability=True,
        stream_reset=True,
        zero_checksum=False,
    )


def started(*, client=True, options=None, **limits):
    channels = DataChannels(Association(), options)
    channels.start(client, 0.0)
    assert hear(channels, established(**limits)) == [TransportEstablished()]
    return channels


def message(stream, data=b"data", ppid=53):
    return MessageReceived(stream=stream, ppid=ppid, data=data, ordered=True)


def opening(stream, label="theirs", **parameters):
    return message(stream, write_open(Open(label=label, **parameters)), 50)


def opened(channels, **parameters):
    """Open a channel and let the peer acknowledge it."""
    handle = channels.open("ours", 0.0, **parameters)
    stream = channels.info(handle).id
    assert hear(channels, message(stream, ACK, 50)) == [ChannelOpened(handle)]
    return handle, stream


# -- opening ---------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_the_association_is_established():
    channels = DataChannels(Association())
    handle = channels.open("chat", 0.0)
    assert channels.info(handle).id is None
    assert channels.info(handle).state == "connecting"
    channels.start(False, 0.0)
    assert channels.association.calls == ["connect"]
    assert channels.info(handle).id == 1
    assert channels.association.sent == []
    assert channels.deadline == inf
    assert hear(channels, established(), now=1.0) == [TransportEstablished()]
    assert channels.association.sent == [(1, 50, write_open(Open(label="chat")), True, None, None)]
    assert channels.deadline == 11.0
    assert hear(channels, message(1, ACK, 50), now=2.0) == [ChannelOpened(handle)]
    assert channels.info(handle).state == "open"
    assert channels.deadline == inf
    assert channels.association.consumed == {1: 1}


def test_channels_get_their_identifiers_in_the_order_of_opening_around_the_negotiated_ones():
    channels = DataChannels(Association())
    handles = [channels.open("a", 0.0), channels.open("n", 0.0, negotiated=True, id=2), channels.open("b", 0.0)]
    channels.start(True, 0.0)
    assert [channels.info(handle).id for handle in handles] == [0, 2, 4]


def test_a_negotiated_channel_sends_nothing_and_is_open_at_once():
    channels = DataChannels(Association())
    handle = channels.open("n", 0.0, negotiated=True, id=7)
    channels.start(True, 0.0)
    assert hear(channels, established()) == [TransportEstablished(), ChannelOpened(handle)]
    assert channels.association.sent == []
    assert channels.deadline == inf


def test_the_peer_opens_a_channel_and_gets_an_ack():
    channels = started()
    [event] = hear(channels, opening(1, protocol="p", ordered=False, max_lifetime_ms=1500))
    assert event == ChannelAnnounced(event.handle)
    info = channels.info(event.handle)
    assert (info.label, info.protocol, info.ordered, info.id) == ("theirs", "p", False, 1)
    assert (info.max_retransmits, info.max_lifetime, info.negotiated, info.state) == (None, 1.5, False, "open")
    assert channels.association.sent == [(1, 50, ACK, True, None, None)]
    assert channels.send(event.handle, b"x", 0.0)
    assert channels.association.sent[-1] == (1, 53, b"x", False, None, 1.5)
    assert channels.opened == 1


def test_user_messages_are_ordered_until_the_peer_is_known_to_know_the_channel():
    for proof in (message(0, ACK, 50), message(0)):
        channels = started()
        handle = channels.open("u", 0.0, ordered=False, max_retransmits=0)
        assert channels.send(handle, b"before", 0.0)
        assert ChannelOpened(handle) in hear(channels, proof)
        assert channels.send(handle, b"after", 0.0)
        assert channels.association.sent == [
            (0, 50, write_open(Open(label="u", ordered=False, max_retransmits=0)), True, None, None),
            (0, 53, b"before", True, 0, None),
            (0, 53, b"after", False, 0, None),
        ]


def test_an_open_that_the_gate_refuses_waits_for_its_turn_and_goes_before_the_users_data():
    channels = started()
    channels.association.full = True
    handle = channels.open("chat", 0.0)
    assert not channels.send(handle, b"x", 0.0)
    assert not channels.send(handle, b"x", 0.0)
    assert hear(channels, Writable(0)) == []  # it still will not have it
    channels.association.full = False
    assert hear(channels, Writable(0)) == [ChannelWritable(handle)]
    assert channels.send(handle, b"x", 0.0)
    assert [entry[1] for entry in channels.association.sent] == [50, 53]
    assert hear(channels, Writable(0)) == []  # nobody waits any more


def test_an_open_that_the_gate_never_takes_ends_at_its_time_out_and_its_identifier_is_free():
    channels = started()
    channels.association.full = True
    handle = channels.open("chat", 5.0)
    assert not channels.send(handle, b"x", 5.0)
    assert channels.deadline == 15.0
    channels.tick(14.9)
    assert channels.take_events() == []
    channels.tick(15.0)
    [closed] = channels.take_events()
    assert (closed.handle, type(closed.reason)) == (handle, RemoteProtocolError)
    assert channels.deadline == inf
    assert channels.association.resets == []
    assert channels.info(channels.open("again", 20.0)).id == 0


def test_an_open_that_is_never_acknowledged_ends_and_its_identifier_stays_taken_until_both_resets():
    channels = started()
    handle = channels.open("chat", 0.0)
    channels.tick(10.0)
    [closed] = channels.take_events()
    assert closed.handle == handle
    assert "10 s" in str(closed.reason)
    assert channels.association.resets == [0]
    assert hear(channels, message(0, ACK, 50), now=11.0) == []
    assert channels.drops == {"stream-closed": 1}
    assert channels.info(channels.open("b", 11.0)).id == 2
    assert hear(channels, OutgoingResetDone((0,)), IncomingReset((0,)), now=12.0) == []
    assert channels.info(channels.open("c", 12.0)).id == 0


def test_an_ack_that_the_gate_never_takes_ends_at_the_same_time_out():
    channels = started()
    channels.association.full = True
    [event] = hear(channels, opening(1), now=3.0)
    assert not channels.send(event.handle, b"x", 3.0)
    assert channels.deadline == 13.0
    channels.tick(13.0)
    assert [type(event) for event in channels.take_events()] == [ChannelClosed]
    assert channels.association.resets == [1]


def test_an_ack_that_the_gate_takes_later():
    channels = started()
    channels.association.full = True
    [event] = hear(channels, opening(1))
    channels.association.full = False
    assert hear(channels, Writable(1)) == []
    assert [entry[2] for entry in channels.association.sent] == [ACK]
    assert channels.deadline == inf
    assert channels.info(event.handle).state == "open"


def test_time_outs_of_several_channels_follow_each_other():
    channels = started()
    first, second, third = (channels.open(name, float(at)) for at, name in enumerate("abc"))
    assert hear(channels, message(0, ACK, 50)) == [ChannelOpened(first)]
    assert channels.deadline == 11.0
    channels.close(third, 3.0)
    channels.tick(11.0)
    assert [event.handle for event in channels.take_events()] == [second]
    assert channels.deadline == inf


# -- misuse ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"negotiated": True},
        {"id": 3},
        {"negotiated": True, "id": 65535},
        {"negotiated": True, "id": -1},
        {"max_retransmits": 1, "max_lifetime": 1.0},
        {"max_retransmits": -1},
        {"max_lifetime": -0.1},
        {"max_lifetime": 1e7},
        {"protocol": "x" * 65536},
    ],
)
def test_impossible_parameters(parameters):
    with pytest.raises(InvalidArgument):
        DataChannels(Association()).open("x", 0.0, **parameters)


def test_an_identifier_in_use_and_one_that_the_peer_does_not_have():
    channels = started(inbound=10, outbound=3)
    channels.open("n", 0.0, negotiated=True, id=1)
    with pytest.raises(LocalProtocolError, match="in use"):
        channels.open("n", 0.0, negotiated=True, id=1)
    with pytest.raises(LocalProtocolError, match="no stream 3"):
        channels.open("n", 0.0, negotiated=True, id=3)
    channels.open("a", 0.0)
    channels.open("b", 0.0)
    with pytest.raises(LocalProtocolError, match="no stream identifier"):
        channels.open("c", 0.0)


def test_channels_opened_before_the_streams_were_counted_end_with_a_reason():
    channels = DataChannels(Association())
    good, bad = channels.open("a", 0.0), channels.open("b", 0.0)
    channels.start(True, 0.0)
    events = hear(channels, established(inbound=2))
    assert events[0] == TransportEstablished()
    assert [(event.handle, str(event.reason)) for event in events[1:]] == [(bad, "the peer has no stream 2")]
    assert channels.info(good).id == 0


def test_too_many_channels():
    channels = started(options=ChannelOptions(max_channels=1))
    channels.open("a", 0.0)
    with pytest.raises(LocalProtocolError, match="1 channels"):
        channels.open("b", 0.0)
    assert hear(channels, opening(1)) == []
    assert channels.drops == {"open-too-many": 1}
    assert channels.association.resets == [1]


def test_a_role_that_leaves_no_identifier():
    channels = DataChannels(Association())
    channels._ids.limit = 2
    handles = [channels.open(name, 0.0) for name in "ab"]
    channels.start(True, 0.0)
    [closed] = channels.take_events()
    assert closed.handle == handles[1]
    assert isinstance(closed.reason, LocalProtocolError)


def test_a_message_above_the_peers_limit():
    channels = started()
    handle, _ = opened(channels)
    channels.max_message_size = 3
    assert channels.send(handle, b"123", 0.0)
    with pytest.raises(MessageTooLarge) as caught:
        channels.send(handle, "äb€", 0.0)
    assert (caught.value.limit, caught.value.size) == (3, 6)
    channels.max_message_size = 0
    assert channels.send(handle, bytes(1_000_000), 0.0)


def test_use_of_what_is_gone():
    channels = started()
    for use in (lambda: channels.send(9, b"", 0.0), lambda: channels.info(9), lambda: channels.stats(9)):
        with pytest.raises(LocalProtocolError, match="closed"):
            use()
    channels.close(9, 0.0)
    channels.consume(9, 5, 0.0)
    channels.set_low_threshold(9, 5)
    assert channels.buffered_amount(9) == 0
    with pytest.raises(LocalProtocolError, match="started"):
        channels.start(True, 0.0)


# -- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "ppid", "wire"), [(b"x", 53, b"x"), ("ä", 51, b"\xc3\xa4"), (b"", 57, b"\0"), ("", 56, b"\0")]
)
def test_ppids_both_ways(data, ppid, wire):
    """RFC 8831 section 6.6: an empty message is one zero byte with a PPID of its own."""
    channels = started()
    handle, stream = opened(channels)
    assert channels.send(handle, data, 0.0)
    assert channels.association.sent[-1][:3] == (stream, ppid, wire)
    [event] = hear(channels, message(stream, wire, ppid))
    raw = data.encode() if isinstance(data, str) else data
    assert event == ChannelMessage(handle, raw, isinstance(data, bytes))
    stats = channels.stats(handle)
    assert (stats.messages_sent, stats.bytes_sent) == (1, len(raw))
    assert (stats.messages_received, stats.bytes_received) == (1, len(raw))


def test_deprecated_partial_messages_are_joined():
    channels = started(options=ChannelOptions(max_message_size=6))
    handle, stream = opened(channels)
    assert hear(channels, message(stream, b"ab", 52), message(stream, b"cd", 52)) == []
    assert hear(channels, message(stream, b"ef", 53)) == [ChannelMessage(handle, b"abcdef", True)]
    assert hear(channels, message(stream, b"x", 54), message(stream, b"y", 51)) == [
        ChannelMessage(handle, b"xy", False)
    ]
    assert hear(channels, message(stream, b"abcd", 52), message(stream, b"efg", 53)) == []
    assert channels.drops == {"partial-too-large": 1}
    assert channels.association.consumed[stream] == 1 + 7
    assert hear(channels, message(stream, b"z")) == [ChannelMessage(handle, b"z", True)]


def test_a_reader_gives_back_no_more_than_it_got():
    channels = started()
    handle, stream = opened(channels)
    hear(channels, message(stream, b"12345"))
    before = channels.association.consumed[stream]
    channels.consume(handle, 3, 0.0)
    channels.consume(handle, 30, 0.0)
    channels.consume(handle, 1, 0.0)
    assert channels.association.consumed[stream] - before == 5


def test_an_unknown_ppid_is_counted_and_its_bytes_are_given_back():
    channels = started()
    _, stream = opened(channels)
    before = channels.association.consumed[stream]
    assert hear(channels, message(stream, b"12345", 99)) == []
    assert channels.drops == {"ppid-unknown": 1}
    assert channels.association.consumed[stream] - before == 5


def test_messages_before_their_open_are_delivered_after_it():
    channels = started()
    assert hear(channels, message(1, b"one"), message(1, b"two")) == []
    [announced, one, two] = hear(channels, opening(1))
    assert isinstance(announced, ChannelAnnounced)
    assert (one.data, two.data) == (b"one", b"two")


def test_messages_before_a_negotiated_channel_is_claimed_are_delivered_when_it_is():
    channels = started()
    assert hear(channels, message(4, b"early")) == []
    handle = channels.open("n", 0.0, negotiated=True, id=4)
    assert channels.take_events() == [ChannelOpened(handle), ChannelMessage(handle, b"early", True)]


def test_early_messages_are_bounded_and_a_reset_forgets_them():
    channels = started(options=ChannelOptions(early_bytes=5))
    assert hear(channels, message(1, b"1234"), message(1, b"56")) == []
    assert channels.drops == {"early-overflow": 1}
    assert channels.association.consumed == {1: 2}
    assert hear(channels, IncomingReset((1,))) == []
    assert channels.drops["early-reset"] == 1
    assert channels.association.consumed == {1: 6}


# -- the peer's bad DCEP ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "why", "reset"),
    [
        (b"\x03", "open-truncated", True),
        (b"\x03\x07" + bytes(10), "open-channel-type", True),
        (b"\x02", "ack-unexpected", False),
        (b"", "dcep-unknown", False),
        (b"\x77", "dcep-unknown", False),
    ],
)
def test_bad_dcep_on_a_free_stream(data, why, reset):
    """RFC 8832 section 6: no ACK, and the stream is reset if a channel was meant."""
    channels = started()
    assert hear(channels, message(1, data, 50)) == []
    assert channels.drops == {why: 1}
    assert channels.association.resets == ([1] if reset else [])
    assert channels.association.sent == []
    assert channels.association.consumed == {1: len(data)}


def test_an_open_on_an_identifier_of_ours_is_refused():
    channels = started(client=True)
    assert hear(channels, opening(0)) == []
    assert channels.drops == {"open-wrong-parity": 1}
    assert channels.association.resets == [0]
    assert channels.info(channels.open("ours", 0.0)).id == 2


def test_dcep_on_a_stream_in_use_changes_nothing():
    channels = started()
    handle, stream = opened(channels)
    bad = [opening(stream), message(stream, ACK, 50), message(stream, b"", 50), message(stream, b"\x01", 50)]
    assert hear(channels, *bad) == []
    assert channels.drops == {"open-in-use": 1, "ack-unexpected": 1, "dcep-unknown": 2}
    assert channels.info(handle).state == "open"


def test_refused_opens_do_not_pile_up():
    channels = started(options=ChannelOptions(max_channels=3))
    hear(channels, *(message(1 + 2 * n, b"\x03", 50) for n in range(50)))
    assert channels.drops == {"open-truncated": 50}
    assert len(channels.association.resets) == 3
    assert len(channels._ids) == 3


# -- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours_first", [True, False])
def test_closing_is_data_then_reset_then_closed(ours_first):
    channels = started()
    handle, stream = opened(channels)
    channels.association.full = True
    assert not channels.send(handle, b"refused", 0.0)
    channels.close(handle, 1.0)
    channels.close(handle, 1.0)
    assert channels.association.resets == [stream]
    with pytest.raises(LocalProtocolError, match="closing"):
        channels.send(handle, b"", 1.0)
    assert hear(channels, message(stream, b"late"), Writable(stream), now=2.0) == [
        ChannelMessage(handle, b"late", True)
    ]
    done, incoming = OutgoingResetDone((stream,)), IncomingReset((stream,))
    assert hear(channels, done if ours_first else incoming, now=3.0) == []
    assert channels.deadline == (13.0 if ours_first else inf)
    assert hear(channels, incoming if ours_first else done, now=4.0) == [ChannelClosed(handle, LOCAL)]
    assert channels.deadline == inf
    assert channels.closed == 1
    assert channels.association.consumed[stream] == 1 + 4  # the ACK, and what nobody read
    assert channels.info(channels.open("next", 4.0)).id == stream


def test_the_peer_closes():
    channels = started()
    [announced] = hear(channels, opening(1))
    channels.association.full = True
    assert not channels.send(announced.handle, b"refused", 0.0)
    assert hear(channels, IncomingReset((1,))) == [ChannelClosing(announced.handle)]
    assert channels.association.resets == [1]
    [closed] = hear(channels, OutgoingResetDone((1,)))
    assert closed.handle == announced.handle
    assert isinstance(closed.reason, PeerClosed)
    channels.association.full = False
    [again] = hear(channels, opening(1))
    assert isinstance(again, ChannelAnnounced)
    assert again.handle != announced.handle


def test_a_peer_that_never_resets_its_direction_does_not_hold_the_channel():
    channels = started()
    handle, stream = opened(channels)
    channels.close(handle, 0.0)
    assert hear(channels, OutgoingResetDone((stream,)), now=1.0) == []
    channels.tick(11.0)
    assert channels.take_events() == [ChannelClosed(handle, LOCAL)]
    assert hear(channels, message(stream), now=12.0) == []
    assert channels.drops == {"stream-closed": 1}
    assert channels.info(channels.open("next", 12.0)).id == stream + 2


def test_a_peer_that_never_confirms_our_reset_does_not_hold_the_channel():
    channels = started()
    handle, stream = opened(channels)
    channels.close(handle, 0.0)
    assert channels.deadline == inf  # the data goes first, however long that takes
    hear(channels, OutgoingResetAsked((stream, 77)), now=5.0)
    channels.tick(14.9)
    assert channels.take_events() == []
    channels.tick(15.0)
    assert channels.take_events() == [ChannelClosed(handle, LOCAL)]
    assert channels.deadline == inf
    assert channels.info(channels.open("next", 15.0)).id == stream + 2
    # Late is good enough for the identifier.
    hear(channels, OutgoingResetDone((stream,)), IncomingReset((stream,)), now=20.0)
    assert channels.info(channels.open("another", 20.0)).id == stream


def test_each_half_of_a_closing_has_its_own_time():
    channels = started()
    handle, stream = opened(channels)
    channels.close(handle, 0.0)
    hear(channels, OutgoingResetAsked((stream,)), now=0.0)
    hear(channels, OutgoingResetDone((stream,)), now=9.0)
    assert channels.deadline == 19.0
    channels.tick(10.0)
    assert channels.take_events() == []
    channels.tick(19.0)
    assert channels.take_events() == [ChannelClosed(handle, LOCAL)]


def test_what_is_unread_is_given_back_when_this_side_closes():
    """Else a channel that nobody reads holds up all others for as long as its peer has something to send."""
    channels = started()
    handle, stream = opened(channels)
    hear(channels, message(stream, bytes(1000)))
    channels.close(handle, 0.0)
    assert channels.association.consumed[stream] == 1 + 1000
    # Its user may read it all the same, and what comes now is given back as it is read or at the end.
    channels.consume(handle, 1000, 0.0)
    assert channels.association.consumed[stream] == 1 + 1000
    hear(channels, message(stream, bytes(10)))
    channels.consume(handle, 4, 0.0)
    hear(channels, OutgoingResetDone((stream,)), IncomingReset((stream,)))
    assert channels.association.consumed[stream] == 1 + 1000 + 10


def test_a_peers_next_channel_on_a_stream_that_is_still_being_reset_here():
    channels = started()
    [first] = hear(channels, opening(1, "first"))
    hear(channels, IncomingReset((1,)))
    # For the peer the stream is free already: it got our reset and we have its; only the answer is still under way.
    assert hear(channels, opening(1, "second"), message(1, b"hello")) == []
    closed, announced, hello = hear(channels, OutgoingResetDone((1,)))
    assert closed.handle == first.handle
    assert channels.info(announced.handle).label == "second"
    assert hello == ChannelMessage(announced.handle, b"hello", True)


def test_closing_before_anything_was_sent_is_immediate():
    channels = DataChannels(Association())
    unsent, negotiated = channels.open("a", 0.0), channels.open("n", 0.0, negotiated=True, id=5)
    channels.close(unsent, 0.0)
    channels.close(negotiated, 0.0)
    assert channels.take_events() == [ChannelClosed(unsent, LOCAL), ChannelClosed(negotiated, LOCAL)]
    channels = started()
    channels.association.full = True
    handle = channels.open("a", 0.0)
    channels.close(handle, 0.0)
    assert channels.take_events() == [ChannelClosed(handle, LOCAL)]
    assert channels.association.resets == []
    assert channels.deadline == inf
    assert channels.closed == 0


def test_closing_a_negotiated_channel_resets_it_even_if_it_was_never_used():
    channels = started()
    channels.open("n", 0.0, negotiated=True, id=5)
    [opened_] = channels.take_events()
    channels.close(opened_.handle, 0.0)
    assert channels.association.resets == [5]


def test_a_refused_reset_ends_the_channel_and_its_identifier_is_never_used_again():
    channels = started()
    handle, stream = opened(channels)
    channels.close(handle, 0.0)
    [closed] = hear(channels, OutgoingResetFailed((stream, 77)))
    assert closed.handle == handle
    assert isinstance(closed.reason, RemoteProtocolError)
    assert channels.info(channels.open("next", 0.0)).id != stream


# -- the association ends --------------------------------------------------------------------------------------------


def test_the_end_of_the_association_ends_every_channel_once_and_nothing_is_kept():
    channels = started()
    one, _ = opened(channels)
    two = channels.open("connecting", 0.0)
    channels.association.full = True
    assert not channels.send(one, b"", 0.0)
    hear(channels, message(7, b"early"))
    reason = TransportLost("gone")
    assert hear(channels, Ended(reason)) == [ChannelClosed(one, reason), ChannelClosed(two, reason), Ended(reason)]
    assert channels.deadline == inf
    with pytest.raises(LocalProtocolError, match="ended"):
        channels.open("late", 0.0)
    channels.abort(0.0)
    channels.shutdown(0.0)
    channels.consume(one, 5, 0.0)
    assert channels.take_events() == []
    assert (len(channels._channels), len(channels._streams), len(channels._ids), len(channels._early)) == (0, 0, 0, 0)


def test_abort_ends_in_the_same_call():
    channels = started()
    handle, _ = opened(channels)
    channels.abort(1.0)
    assert channels.take_events() == [ChannelClosed(handle, LOCAL), Ended(LOCAL)]


def test_shutdown_takes_nothing_more_and_the_end_closes_the_channels():
    channels = started()
    handle, _ = opened(channels)
    connecting = channels.open("c", 0.0)
    channels.shutdown(0.0)
    assert channels.take_events() == [
        ChannelClosing(handle, by_peer=False),
        ChannelClosing(connecting, by_peer=False),
    ]
    assert channels.deadline == inf
    with pytest.raises(LocalProtocolError, match="closing"):
        channels.send(handle, b"", 0.0)
    with pytest.raises(LocalProtocolError, match="shutting down"):
        channels.open("late", 0.0)
    channels.close(handle, 0.0)
    assert channels.association.resets == []
    reason = PeerClosed("bye")
    assert hear(channels, Ended(reason))[-1] == Ended(reason)


def test_a_shutdown_before_the_association_is_up():
    channels = DataChannels(Association())
    handle = channels.open("x", 0.0)
    channels.start(True, 0.0)
    channels.shutdown(0.0)
    assert channels.take_events() == [ChannelClosing(handle, by_peer=False)]
    assert hear(channels, established()) == [TransportEstablished()]
    assert channels.association.sent == []


def test_an_open_of_the_peers_while_the_association_ends():
    channels = started()
    channels.shutdown(0.0)
    assert hear(channels, opening(1)) == []
    assert channels.drops == {"open-while-ending": 1}


def test_an_open_in_front_of_the_news_that_the_association_ends():
    channels = started()

    def refuse(*_, **__):
        raise LocalProtocolError("send", "shutdown-received")

    channels.association.send = channels.association.reset = refuse
    announced, closing = hear(channels, opening(1), message(3, b"\x03", 50), ShutdownStarted(remote=True))
    assert closing == ChannelClosing(announced.handle)
    assert channels.drops == {"open-truncated": 1}
    assert channels.deadline == inf


def test_a_restart_of_the_peer_ends_every_channel():
    channels = started()
    handle, stream = opened(channels)
    closing, closing_stream = opened(channels)
    channels.close(closing, 0.0)
    hear(channels, message(9, b"early"))
    events = hear(channels, Restarted())
    assert [(event.handle, type(event.reason)) for event in events] == [
        (handle, RemoteProtocolError),
        (closing, RemoteProtocolError),
    ]
    assert channels.association.resets == [closing_stream, stream]
    hear(channels, OutgoingResetDone((stream, closing_stream)))
    assert channels.info(channels.open("anew", 0.0)).id == stream


# -- passing on ------------------------------------------------------------------------------------------------------


def test_datagrams_time_and_the_deadline_pass_through():
    channels = started()
    channels.association.deadline = 5.0
    assert channels.deadline == 5.0
    handle = channels.open("x", 0.0)
    channels.association.deadline = 50.0
    assert channels.deadline == 10.0
    channels.receive(b"packet", 1.0)
    channels.tick(1.0)
    assert channels.association.calls[-2:] == [("receive", b"packet"), "tick"]
    channels.association.out = [b"1", b"2", b"3"]
    assert channels.flush(1.0, 2) == [b"1", b"2"]
    assert channels.flush(1.0) == [b"3"]
    assert channels.info(handle).label == "x"


def test_what_departs_may_let_an_open_in_and_it_leaves_in_the_same_flush():
    channels = started()
    association = channels.association
    association.full = True
    channels.open("x", 0.0)
    association.out = [b"data"]
    plain_flush = association.flush

    def flush(now, limit=inf):
        out = plain_flush(now, limit)
        if out == [b"data"]:
            association.full = False
            association.events.append(Writable(0))
            association.out = [b"open"]
        return out

    association.flush = flush
    assert channels.flush(0.0) == [b"data", b"open"]
    assert channels.flush(0.0) == []


def test_buffered_amount_and_its_low_threshold():
    channels = DataChannels(Association())
    handle = channels.open("x", 0.0)
    assert channels.buffered_amount(handle) == 0
    channels.set_low_threshold(handle, 10)
    channels.start(True, 0.0)
    hear(channels, established())
    assert channels.association.thresholds == {0: 10}
    channels.set_low_threshold(handle, 20)
    assert channels.association.thresholds == {0: 20}
    assert channels.buffered_amount(handle) == len(write_open(Open(label="x")))
    assert hear(channels, BufferedAmountLow(0), BufferedAmountLow(9)) == [ChannelBufferedAmountLow(handle)]


def test_writers_before_the_association_is_up_are_answered_when_it_is():
    channels = DataChannels(Association())
    plain, negotiated = channels.open("a", 0.0), channels.open("n", 0.0, negotiated=True, id=9)
    assert not channels.send(plain, b"x", 0.0)
    assert not channels.send(negotiated, b"x", 0.0)
    channels.start(True, 0.0)
    assert hear(channels, established()) == [
        TransportEstablished(),
        ChannelWritable(plain),
        ChannelOpened(negotiated),
        ChannelWritable(negotiated),
    ]


def test_a_peer_that_connects_before_the_role_is_known():
    channels = DataChannels(Association())
    early = channels.open("early", 0.0)
    agreed = channels.open("agreed", 0.0, negotiated=True, id=7)
    assert hear(channels, established()) == [TransportEstablished(), ChannelOpened(agreed)]
    late = channels.open("late", 1.0)
    assert not channels.send(late, b"x", 1.0)
    assert channels.association.sent == []
    channels.start(True, 2.0)
    assert [(stream, ppid) for stream, ppid, *_ in channels.association.sent] == [(0, 50), (2, 50)]
    assert channels.take_events() == [ChannelWritable(late)]
    assert channels.deadline == 2.0 + channels.options.open_timeout
    assert hear(channels, message(0, ACK, 50), message(2, ACK, 50)) == [ChannelOpened(early), ChannelOpened(late)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"negotiated": True, "id": 1.5},
        {"negotiated": True, "id": "3"},
        {"negotiated": True, "id": True},
        {"negotiated": True, "id": 65535},
        {"max_lifetime": "1"},
        {"max_lifetime": float("nan")},
        {"max_retransmits": "1"},
    ],
)
def test_a_channel_that_would_break_at_its_first_message_is_refused_when_it_is_opened(wrong):
    channels = started()
    with pytest.raises(InvalidArgument):
        channels.open("wrong", 0.0, **wrong)
    assert channels.open("right", 0.0, negotiated=True, id=3) == 1
