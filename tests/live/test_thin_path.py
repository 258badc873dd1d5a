"""A subscriber whose path does not take everything, on real sockets: it gets what it has room for, the others all."""

import asyncio
import re

from livekit.protocol import models, rtc

from pystack import RtpPacket
from pystack.testing.link import LinkOptions
from tests.interop.lossy_relay import LossyRelay
from tests.live.sfu_client import Client, run, serving, until

RATES = {"q": 150_000, "h": 400_000, "f": 1_200_000}


class Camera:
    """Simulcast without an encoder: three layers of their rates, and a key frame when one is asked for."""

    def __init__(self, sender):
        self.sender = sender
        self.keys = set(RATES)
        sender.on_layer_key_frame_request = self.keys.add
        self.numbers = dict.fromkeys(RATES, 0)

    async def run(self):
        payload_type = self.sender.require_codec("VP8").payload_type
        frame = 0
        while True:
            frame += 1
            for at, (rid, rate) in enumerate(RATES.items()):
                size = rate // 8 // 30
                count = -(-size // 1100)
                for index in range(count):
                    first = index == 0
                    key = first and rid in self.keys
                    packet = RtpPacket(
                        payload_type=payload_type,
                        sequence_number=self.numbers[rid] & 0xFFFF,
                        timestamp=frame * 3000,
                        marker=index == count - 1,
                        payload=bytes((0x10 if first else 0, 0 if key else 1, at)) + bytes(size // count),
                    )
                    self.numbers[rid] += 1
                    if self.sender.write(packet, rid=rid) and key:
                        self.keys.discard(rid)
            await asyncio.sleep(1 / 30)


async def publish(client):
    layers = [models.VideoLayer(quality=rank, width=320 << rank, height=180 << rank) for rank in range(3)]
    request = rtc.AddTrackRequest(
        cid="camera",
        type=models.TrackType.VIDEO,
        width=1280,
        height=720,
        source=models.TrackSource.CAMERA,
        layers=layers,
    )
    await client.send(add_track=request)
    await until(lambda: "camera" in client.published)
    sender = client.peer.add_transceiver(
        "video", direction="sendonly", track_id="camera", stream_ids=["s"], send_encodings=list(RATES)
    ).sender
    await client.offer()
    return Camera(sender)


class Screen:
    """Sees which layer comes."""

    def __init__(self, receiver):
        self.layer = -1
        self.packets = 0
        receiver.on_packet = self.see

    def see(self, packet, rid):
        if len(packet.payload) > 2:
            self.layer = packet.payload[2]
            self.packets += 1


def test_a_subscriber_on_a_thin_path_gets_fewer_layers_until_there_is_room():
    async def main():
        async with serving() as (_, http), LossyRelay.open(1) as relay:
            ada, grace, joan = (Client(http, name) for name in ("ada", "grace", "joan"))

            def through(sdp):
                """The relay is the only way."""
                return relay.rewrite(
                    re.sub(r"a=candidate:(?!.* udp .* 127\.0\.0\.1 ).*\r\n", "", sdp, flags=re.IGNORECASE)
                )

            joan.through = through
            for client in (ada, grace, joan):
                await client.join()
            camera = await publish(ada)
            sid = ada.published["camera"]
            task = asyncio.ensure_future(camera.run())
            await until(lambda: grace.receiver(sid) is not None and joan.receiver(sid) is not None)
            wide, thin = Screen(grace.receiver(sid)), Screen(joan.receiver(sid))
            await until(lambda: wide.layer == thin.layer == 2)
            relay.link.options = LinkOptions(rate_bps=700_000, queue=50_000)
            await until(lambda: thin.layer == 1, 10)
            for _ in range(80):
                await asyncio.sleep(0.1)
                assert wide.layer == 2
            assert thin.layer == 1
            relay.link.options = LinkOptions(rate_bps=5_000_000, queue=50_000)
            await until(lambda: thin.layer == 2, 25)
            task.cancel()
            for client in (ada, grace, joan):
                await client.close()

    run(main())
