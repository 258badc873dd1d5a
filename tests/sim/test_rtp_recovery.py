"""Media over bad networks: RTP sessions with SRTP between them, on simulated links."""

from math import inf
from typing import Any

import attrs
import pytest

from pystack.base import SeededRandomness
from pystack.rtp import (
    ABS_SEND_TIME,
    MID,
    TRANSPORT_SEQUENCE,
    ByeReceived,
    CodecSpec,
    HeaderExtensionMap,
    KeyFrameRequested,
    RtpPacket,
    RtpSession,
    RtpSessionOptions,
    TransportFeedbackReceived,
)
from pystack.srtp import SrtpReceiver, SrtpSender
from pystack.testing import LinkOptions, Node, World

MAP = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME})
VP8 = CodecSpec(
    payload_type=96,
    name="VP8",
    clock_rate=90000,
    rtcp_fb=("nack", "nack pli", "transport-cc"),
    rtx_payload_type=97,
)
KEY, SALT = bytes(16), bytes(12)


class Peer:
    """An RTP session with its SRTP contexts, as a core that speaks in datagrams."""

    def __init__(self, name: str, profile: int = 7) -> None:
        self.rtp = RtpSession(RtpSessionOptions(ntp_offset=1e9), SeededRandomness(name))
        salt = SALT if profile == 7 else bytes(14)
        self.protect = SrtpSender(profile, KEY, salt)
        self.unprotect = SrtpReceiver(profile, KEY, salt)
        self.media: list[tuple[int, str, RtpPacket]] = []
        self.waiting: list[bytes] = []

    @property
    def deadline(self) -> float:
        return self.rtp.deadline

    def receive(self, data: bytes, now: float) -> None:
        if 192 <= data[1] <= 223:
            control = self.unprotect.unprotect_rtcp(data)
            if control is not None:
                self.rtp.receive_rtcp(control, now)
            return
        plain = self.unprotect.unprotect(data)
        if plain is not None:
            self.rtp.receive_rtp(plain, now)
        elif self.unprotect.replayed is not None:
            self.rtp.record_replay(self.unprotect.replayed, now)

    def tick(self, now: float) -> None:
        self.rtp.tick(now)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        out, self.waiting = self.waiting, []
        media, control = self.rtp.flush(now)
        out += [self.protect.protect(each) for each in media]
        out += [self.protect.protect_rtcp(each) for each in control]
        return out

    def take_events(self) -> list[Any]:
        self.media += self.rtp.take_packets()
        return self.rtp.take_events()

    def send(self, sender_id: int, packet: RtpPacket, now: float, **overrides: Any) -> bool:
        parts = self.rtp.send_parts(sender_id, packet, now, **overrides)
        if parts is None:
            return False
        self.waiting.append(self.protect.protect_parts(*parts))
        return True


@attrs.define
class Camera:
    """Sends frames of a few packets each."""

    world: World
    node: Node[Peer]
    sender_id: int
    number: int = 0
    packets: int = 0

    def start(self, frames: int, *, rate: float = 30.0, per_frame: int = 6, size: int = 1000) -> None:
        for frame in range(frames):
            self.world.after(frame / rate, lambda: self.shoot(per_frame, size))

    def shoot(self, per_frame: int, size: int) -> None:
        timestamp = round(self.world.now * 90000) & 0xFFFFFFFF
        for at in range(per_frame):
            packet = RtpPacket(
                payload_type=96,
                sequence_number=self.number & 0xFFFF,
                timestamp=timestamp,
                marker=at == per_frame - 1,
                payload=self.number.to_bytes(4, "big") + bytes(size),
            )
            assert self.node.core.send(self.sender_id, packet, self.world.now)
            self.number += 1
            self.packets += 1


def numbers(peer: Peer) -> list[int]:
    return [int.from_bytes(packet.payload[:4], "big") for _, _, packet in peer.media]


def scene(
    link: LinkOptions, *, rtx: bool = True, seed: int = 1, first: int = 0, profile: int = 7, codec: CodecSpec = VP8
) -> tuple[World, Node[Peer], Node[Peer], Camera]:
    world = World(seed)
    a, b = world.add("a", Peer("a", profile)), world.add("b", Peer("b", profile))
    world.connect(a, b, link)
    a.core.rtp.set_sender(
        1, mid="0", kind="video", ssrc=100, rtx_ssrc=101 if rtx else None, codecs=[codec], extensions=MAP
    )
    b.core.rtp.set_receiver(2, mid="0", kind="video", codecs=[codec], extensions=MAP)
    return world, a, b, Camera(world, a, 1, first)


@pytest.mark.parametrize(("rtx", "profile"), [(True, 7), (False, 7), (True, 1)])
def test_ten_percent_loss_both_ways_is_repaired(rtx: bool, profile: int) -> None:
    link = LinkOptions(delay=0.03, jitter=0.01, loss=0.1)
    world, _, b, camera = scene(link, rtx=rtx, first=65000, profile=profile)
    with world:
        camera.start(150)
        world.run()
        got = numbers(b.core)
        assert len(got) == len(set(got))
        assert len(got) >= camera.packets * 0.998
        assert not any(b.core.unprotect.drops.values())


def test_without_loss_nothing_is_asked_for() -> None:
    world, a, b, camera = scene(LinkOptions(delay=0.05, jitter=0.02))
    with world:
        camera.start(60)
        world.run()
        assert numbers(b.core) == list(range(360))
        assert a.core.rtp.stats(0.0).outbound[0].nacks == 0


def test_short_reordering_is_waited_for() -> None:
    world, a, b, camera = scene(LinkOptions(delay=0.02, reorder=0.2, reorder_delay=0.015))
    with world:
        camera.start(60)
        world.run()
        assert sorted(numbers(b.core)) == list(range(360))
        assert a.core.rtp.stats(0.0).outbound[0].nacks == 0
        assert b.core.rtp.stats(0.0).inbound[0].reordered > 20


def test_duplicates_are_handed_on_once() -> None:
    world, _, b, camera = scene(LinkOptions(delay=0.02, duplicate=0.3))
    with world:
        camera.start(30)
        world.run()
        assert numbers(b.core) == list(range(180))
        assert b.core.unprotect.drops["replay"] > 20


def test_a_black_hole_is_survived_and_its_requests_end() -> None:
    world, a, b, camera = scene(LinkOptions(delay=0.02))
    with world:
        link = a._routes[None][0]
        camera.start(300)
        world.after(2.0, link.black_hole)
        world.after(5.0, link.heal)
        world.run()
        got = numbers(b.core)
        assert got[-1] == camera.packets - 1
        assert len(got) >= camera.packets - 3 * 180
        # Never more than five tries for a hundred packets.
        assert a.core.rtp.stats(0.0).outbound[0].nacks <= 500


def test_round_trip_and_loss_are_measured_by_the_sender() -> None:
    world, a, b, camera = scene(LinkOptions(delay=0.04), codec=attrs.evolve(VP8, rtcp_fb=()))
    with world:
        a._routes[None][0].options = LinkOptions(delay=0.04, loss=0.2)
        camera.start(300)
        world.run()
        stats = a.core.rtp.stats(0.0)
        assert stats.round_trip_time == pytest.approx(0.08, abs=0.005)
        assert stats.outbound[0].reported_lost == b.core.rtp.stats(0.0).inbound[0].lost
        assert 0.15 * camera.packets < stats.outbound[0].reported_lost < 0.25 * camera.packets


def test_transport_wide_feedback_tells_every_arrival() -> None:
    world, a, _, camera = scene(LinkOptions(delay=0.03, jitter=0.02, loss=0.05), seed=4)
    with world:
        camera.start(120)
        world.run()
        told: dict[int, float] = {}
        for event in a.all(TransportFeedbackReceived):
            told |= dict(event.feedback.arrivals())
        delivered = a._routes[None][0].delivered
        # Reports themselves are lost too; what a lost one told is not told again.
        assert len(told) > 0.85 * delivered
        lost = [delta for event in a.all(TransportFeedbackReceived) for delta in event.feedback.deltas if delta is None]
        assert len(lost) > 20


def test_requests_of_many_subscribers_reach_the_publisher_as_few() -> None:
    """A forwarder: one publisher, five subscribers, each of which asks for a key frame again and again."""
    world = World(3)
    with world:
        publisher, inside = world.add("publisher", Peer("p")), world.add("inside", Peer("i"))
        world.connect(publisher, inside, LinkOptions(delay=0.01, loss=0.02))
        publisher.core.rtp.set_sender(1, mid="0", kind="video", ssrc=100, rtx_ssrc=101, codecs=[VP8], extensions=MAP)
        inside.core.rtp.set_receiver(1, mid="0", kind="video", codecs=[VP8], extensions=MAP)
        legs, subscribers = [], []
        for at in range(5):
            leg, subscriber = world.add(f"leg {at}", Peer(f"l{at}")), world.add(f"subscriber {at}", Peer(f"s{at}"))
            world.connect(leg, subscriber, LinkOptions(delay=0.02, loss=0.05))
            leg.core.rtp.set_sender(9, mid="5", kind="video", ssrc=900, rtx_ssrc=901, codecs=[VP8], extensions=MAP)
            subscriber.core.rtp.set_receiver(1, mid="5", kind="video", codecs=[VP8], extensions=MAP)
            legs.append(leg)
            subscribers.append(subscriber)

        def forward() -> None:
            taken, inside.core.media = inside.core.media, []
            for _, _, packet in taken:
                for leg in legs:
                    leg.core.send(9, packet, world.now)

        def ask(event: Any) -> None:
            if isinstance(event, KeyFrameRequested):
                inside.core.rtp.request_key_frame(1, world.now)

        for leg in legs:
            leg.on_event = ask
        camera = Camera(world, publisher, 1)
        camera.start(120)
        for step in range(420):
            world.after(step / 100, forward)
            if step % 10 == 0 and 50 < step < 250:
                for subscriber in subscribers:
                    world.after(step / 100, lambda to=subscriber: to.core.rtp.request_key_frame(1, world.now))
        world.run(for_=5.0)
        assert all(len(set(numbers(each.core))) >= 0.98 * camera.packets for each in subscribers)
        # Two seconds of asking, at most one request each half second, and the first at once.
        assert 3 <= len(publisher.all(KeyFrameRequested)) <= 7


def test_silence_is_quiet_and_a_farewell_is_heard() -> None:
    world, a, b, camera = scene(LinkOptions(delay=0.02))
    with world:
        camera.start(30)
        world.run()
        assert a.core.deadline == b.core.deadline == inf
        a.core.rtp.close(world.now)
        world.run()
        assert b.saw(ByeReceived)
        assert b.core.rtp.stats(0.0).inbound == ()
