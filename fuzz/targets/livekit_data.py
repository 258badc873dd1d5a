"""LiveKit data packets on their way through: the sender is stamped in, the rest stays, and only the named get it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
from google.protobuf.message import DecodeError as ProtobufDecodeError
from livekit.protocol import models

from fuzz.target import Program, Target, check
from sfu.data import LOSSY, RELIABLE, DataRouter, DeliveryQueue, policy_for


@attrs.frozen
class _Member:
    sid: str
    identity: str


_SENDER: Final = _Member("PA_sender", "ada")
_OTHERS: Final = (_Member("PA_1", "grace"), _Member("PA_2", "joan"), _Member("PA_3", ""))


def run(data: bytes) -> None:
    program = Program(data)
    how = program.byte()
    message = program.rest()
    router = DataRouter()
    stamped, receivers = router.route(message, _SENDER, bool(how & 3), _OTHERS)
    routed = stamped.data
    try:
        given = models.DataPacket.FromString(message)
    except ProtobufDecodeError:
        check(not receivers and not routed, "routed what cannot be read")
        return
    if not how & 3:
        check(not receivers and not routed, "routed without permission")
        return
    if given.WhichOneof("value") in {"speaker", "metrics", "transcription"}:  # not a client's to send
        check(not receivers and not routed, "passed on a claim")
        return
    check(stamped.sequence == given.sequence, "another number")
    packet = models.DataPacket.FromString(routed)
    check(packet.participant_sid == "PA_sender" and packet.participant_identity == "ada", "not stamped")
    check(packet.WhichOneof("value") == given.WhichOneof("value"), "another kind of packet")
    wanted = set(given.destination_identities)
    if given.WhichOneof("value") == "user":
        check(packet.user.payload == given.user.payload, "another payload")
        wanted |= set(given.user.destination_identities)
        check(packet.user.participant_sid == "PA_sender", "not stamped for old clients")
    if wanted and not given.user.destination_sids:
        check(all(each.identity in wanted for each in receivers), "told to somebody who was not named")
    _queue(LOSSY if how & 4 else RELIABLE, routed, how >> 3)


def _queue(label: str, message: bytes, count: int) -> None:
    queue = DeliveryQueue(policy_for(label))
    for number in range(count):
        queue.offer(message, number * 0.1)
    check(len(queue) <= policy_for(label).max_messages and queue.size <= policy_for(label).max_bytes, "above its bound")


def _seeds() -> Iterator[bytes]:
    user = models.UserPacket(payload=b"hello", topic="chat", destination_identities=["grace"], id="1")
    for packet in (
        models.DataPacket(user=user),
        models.DataPacket(user=models.UserPacket(payload=b"x", destination_sids=["PA_1"])),
        models.DataPacket(
            kind=models.DataPacket.LOSSY, destination_identities=["joan"], chat_message=models.ChatMessage()
        ),
        models.DataPacket(stream_chunk=models.DataStream.Chunk(stream_id="s", content=b"c"), sequence=9),
        models.DataPacket(speaker=models.ActiveSpeakerUpdate()),
    ):
        for how in (1, 0x44, 0xF9):
            yield bytes([how]) + packet.SerializeToString()


TARGETS = {"livekit-data": Target(name="livekit-data", run=run, seeds=_seeds, packages=("sfu.data",))}
