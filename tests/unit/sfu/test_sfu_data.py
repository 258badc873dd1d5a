"""The relay of data messages: who is stamped in, who receives, and what a slow reader costs."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from pystack.errors import DecodeError
from sfu.data import LOSSY, RELIABLE, DataRouter, DeliveryPolicy, DeliveryQueue, policy_for, stamp


@attrs.frozen
class Someone:
    sid: str
    identity: str


ADA, GRACE, JOAN = (Someone(f"PA_{name}", name) for name in ("ada", "grace", "joan"))


def test_the_sender_is_stamped_and_everything_else_stays():
    packet = models.DataPacket(
        kind=models.DataPacket.LOSSY,
        participant_identity="somebody else",
        sequence=7,
        user=models.UserPacket(payload=b"x", topic="t", participant_sid="PA_forged"),
    )
    stamped = models.DataPacket.FromString(stamp(packet.SerializeToString(), "PA_ada", "ada").data)
    assert (stamped.participant_sid, stamped.participant_identity) == ("PA_ada", "ada")
    assert (stamped.user.participant_sid, stamped.user.participant_identity) == ("PA_ada", "ada")
    assert (stamped.sequence, stamped.user.payload, stamped.user.topic, stamped.kind) == (7, b"x", "t", 1)


def test_somebody_unseen_stays_unnamed():
    packet = models.DataPacket(participant_identity="ada", user=models.UserPacket(participant_sid="PA_ada"))
    routed, receivers = DataRouter().route(packet.SerializeToString(), ADA, True, [GRACE], anonymous=True)
    stamped = models.DataPacket.FromString(routed.data)
    assert (stamped.participant_identity, stamped.user.participant_sid, receivers) == ("", "", [GRACE])


CHAT = models.DataPacket(participant_identity="grace", chat_message=models.ChatMessage(message="hi"))
TEXT = models.DataPacket(
    participant_identity="grace", stream_header=models.DataStream.Header(text_header=models.DataStream.TextHeader())
)
FILE = models.DataPacket(
    participant_identity="grace", stream_header=models.DataStream.Header(byte_header=models.DataStream.ByteHeader())
)
USER = models.DataPacket(participant_identity="grace", user=models.UserPacket())


@pytest.mark.parametrize(("packet", "kept"), [(CHAT, True), (TEXT, True), (FILE, False), (USER, False)])
def test_an_agent_may_write_for_somebody_and_nobody_else_may(packet, kept):
    def routed(packet, **how):
        stamped, _ = DataRouter().route(packet.SerializeToString(), ADA, True, [GRACE], **how)
        return models.DataPacket.FromString(stamped.data)

    told = routed(packet, agent=True)
    assert told.participant_sid == "PA_ada", "repeats are told apart by who really sent"
    assert told.participant_identity == ("grace" if kept else "ada")
    assert (told.chat_message.generated or told.stream_header.text_header.generated) == kept
    unseen = routed(packet, agent=True, anonymous=True)
    assert (unseen.participant_sid, unseen.participant_identity) == ("", "grace" if kept else "")
    forged = routed(packet)
    assert forged.participant_identity == "ada"
    assert not forged.chat_message.generated
    assert not forged.stream_header.text_header.generated
    own = models.DataPacket.FromString(packet.SerializeToString())
    own.participant_identity = ""
    assert routed(own, agent=True).participant_identity == "ada"


def test_what_only_agents_or_nobody_may_say_is_dropped_and_counted():
    router = DataRouter()
    said = [
        models.DataPacket(transcription=models.Transcription(transcribed_participant_identity="grace")),
        models.DataPacket(
            metrics=models.DataPacket.DESCRIPTOR.fields_by_name["metrics"].message_type._concrete_class()
        ),
        models.DataPacket(speaker=models.ActiveSpeakerUpdate(speakers=[models.SpeakerInfo(sid="PA_grace")])),
    ]
    for packet in said:
        assert router.route(packet.SerializeToString(), ADA, True, [GRACE])[1] == []
    assert router.drops == {"transcription": 1, "metrics": 1, "speaker": 1}
    receivers = [router.route(packet.SerializeToString(), ADA, True, [GRACE], agent=True)[1] for packet in said]
    assert receivers == [[GRACE], [], []]


def test_unknown_fields_and_encrypted_packets_pass_unchanged():
    packet = models.DataPacket(
        encrypted_packet=models.EncryptedPacket(encrypted_value=b"secret", key_index=3), sequence=1
    )
    unknown = b"\xfa\x3e\x03abc"  # field 1007
    stamped = stamp(packet.SerializeToString() + unknown, "PA_ada", "ada").data
    assert unknown in stamped
    assert models.DataPacket.FromString(stamped).encrypted_packet == packet.encrypted_packet


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (models.DataPacket(user=models.UserPacket(payload=b"x")), [GRACE, JOAN]),
        (models.DataPacket(destination_identities=["joan"], user=models.UserPacket()), [JOAN]),
        (models.DataPacket(user=models.UserPacket(destination_identities=["grace"])), [GRACE]),
        (models.DataPacket(user=models.UserPacket(destination_sids=["PA_joan"])), [JOAN]),
        (models.DataPacket(destination_identities=["nobody"]), []),
    ],
)
def test_receivers(packet, expected):
    router = DataRouter()
    _, receivers = router.route(packet.SerializeToString(), ADA, True, [GRACE, JOAN])
    assert receivers == expected
    assert router.messages == 1


def test_what_may_not_be_relayed_is_counted():
    router = DataRouter()
    assert router.route(b"\xff", ADA, True, [GRACE])[1] == []
    assert router.route(models.DataPacket().SerializeToString(), ADA, False, [GRACE])[1] == []
    assert router.drops == {"undecodable": 1, "not permitted": 1}


@given(st.binary(max_size=300))
def test_any_bytes_are_stamped_or_refused(data):
    try:
        stamped = stamp(data, "PA_ada", "ada")
    except DecodeError:
        return
    assert models.DataPacket.FromString(stamped.data).participant_sid == "PA_ada"


def test_reliable_refuses_the_newest_and_lossy_drops_the_oldest():
    keep = DeliveryQueue(DeliveryPolicy(max_bytes=10, max_messages=3, patience=5, newest_wins=False))
    assert [keep.offer(bytes([n]) * 4, 0.0) for n in range(3)] == [True, True, False]
    assert keep.front(1.0) == b"\0" * 4
    newest = DeliveryQueue(DeliveryPolicy(max_bytes=10, max_messages=3, patience=5, newest_wins=True))
    assert [newest.offer(bytes([n]) * 4, 0.0) for n in range(3)] == [True, True, True]
    assert newest.front(1.0) == b"\1" * 4
    assert keep.drops == newest.drops == {"overflow": 1}
    assert not newest.offer(bytes(11), 0.0), "larger than all there is room for"


def test_what_waits_too_long_is_dropped_at_the_front():
    queue = DeliveryQueue(DeliveryPolicy(max_bytes=100, max_messages=10, patience=5, newest_wins=False))
    queue.offer(b"a", 0.0)
    queue.offer(b"b", 3.0)
    assert queue.deadline == 5.0
    assert queue.front(5.0) == b"b"
    queue.delivered_front()
    assert (queue.delivered, queue.size, len(queue)) == (1, 0, 0)
    queue.offer(b"c", 6.0)
    queue.clear()
    assert queue.drops == {"too late": 1, "closed": 1}
    assert queue.front(7.0) is None


def test_the_policies_bound_what_one_receiver_can_cost():
    for label in (RELIABLE, LOSSY):
        policy = policy_for(label)
        assert 0 < policy.max_bytes <= 4 << 20
        assert 0 < policy.patience <= 10


@given(st.lists(st.tuples(st.integers(0, 12), st.floats(0, 2), st.booleans()), max_size=60), st.booleans())
def test_a_queue_never_holds_more_than_it_may(steps, newest_wins):
    queue = DeliveryQueue(DeliveryPolicy(max_bytes=30, max_messages=5, patience=3, newest_wins=newest_wins))
    now = 0.0
    for offered, (size, wait, take) in enumerate(steps, 1):
        now += wait
        queue.offer(bytes(size), now)
        if take and queue.front(now) is not None:
            queue.delivered_front()
        assert queue.size <= 30
        assert len(queue) <= 5
        assert offered == queue.delivered + len(queue) + sum(queue.drops.values())
