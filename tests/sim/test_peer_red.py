"""Redundant audio between two connections: losses that nobody hears of, if the receiver is told to unwrap."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from pystack.peer import Configuration
from pystack.peer.media import AUDIO_CODECS
from pystack.rtp import RedBlock, RedUnwrapper, RtpPacket, build_red
from pystack.sdp.jsep import CodecCapability
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

RED = CodecCapability(name="red", clock_rate=48000, channels=2)


@pytest.mark.parametrize("unwrap", [True, False])
def test_every_third_packet_is_lost_and_unwrapping_brings_it_back(unwrap: bool) -> None:
    async def main() -> None:
        configuration = attrs.evolve(Configuration(), audio_codecs=(*AUDIO_CODECS, RED))
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01)), configuration) as (one, other):
            sender = one.add_track("audio")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            receiver = (await other.next_track(timeout=5)).receiver
            if unwrap:
                receiver.red = RedUnwrapper()
            opus, red = (sender.require_codec(name).payload_type for name in ("opus", "red"))
            came: list[RtpPacket] = []
            receiver.on_packet = lambda packet, rid: came.append(packet)
            for number in range(100):
                if number % 3 != 1:
                    before = [RedBlock(opus, 960, b"%d" % (number - 1))] if number else []
                    payload = build_red([*before, RedBlock(opus, 0, b"%d" % number)])
                    stamp = number * 960
                    sender.write(RtpPacket(payload_type=red, sequence_number=number, timestamp=stamp, payload=payload))
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)
            if unwrap:
                assert receiver.red is not None
                assert [each.payload for each in came] == [b"%d" % number for number in range(100)]
                assert {each.payload_type for each in came} == {opus}
                assert [each.sequence_number for each in came] == list(range(100))
                assert receiver.red.recovered == 33
            else:
                assert len(came) == 67
                assert {each.payload_type for each in came} == {red}

    run(main())
