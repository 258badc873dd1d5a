"""What an application learns of the streams that it receives: events, windows, the sender's wall clock."""

from __future__ import annotations

import asyncio

import pytest

from pystack.rtp import RtpPacket, StreamAnomaly, StreamStarted, StreamTold
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair


def test_late_listeners_hear_all_windows_follow_and_the_end_lets_go() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            sender = one.add_track("audio")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            receiver = (await other.next_track(timeout=5)).receiver
            opus = sender.require_codec("opus").payload_type

            async def speak(first: int, last: int, skip: int = 0) -> None:
                for number in range(first, last):
                    packet = RtpPacket(
                        payload_type=opus, sequence_number=number + skip, timestamp=number * 960, payload=b"o"
                    )
                    sender.write(packet)
                    await asyncio.sleep(0.02)

            await speak(0, 100)
            assert receiver.reception_window() is None
            told: list[StreamTold] = []
            stop = receiver.listen(told.append)
            assert told == [StreamStarted(told[0].receiver_id, "", sender.ssrc)]
            await speak(100, 150)
            window = receiver.reception_window()
            assert window is not None
            assert (window.packets, window.lost, window.end - window.start) == (50, 0, pytest.approx(1.0))
            assert sender.report_window() is None
            assert sender.report_window("no such layer") is None
            await speak(150, 151, skip=250)
            await asyncio.sleep(0.1)
            (gap,) = [each for each in told if isinstance(each, StreamAnomaly)]
            await asyncio.sleep(6)
            report = sender.report_window()
            assert report is not None
            assert (report.packets > 250, report.lost > 240, report.reports > 0) == (True, True, True)
            assert (gap.kind, gap.ssrc, gap.before & 0xFFFF, gap.after & 0xFFFF) == ("gap", sender.ssrc, 149, 400)

            packets = [packet async for packet in _waiting(receiver, 151)]
            times = [receiver.capture_time(packet) for packet in packets[:150]]
            first, last = times[0], times[-1]
            assert first is not None
            assert last is not None
            assert last - first == pytest.approx(149 * 0.02)
            assert receiver.capture_time(packets[0], "no such layer") is None
            stop()
            other.abort()
            assert receiver.reception_window() is None
            assert receiver._hub.ended

    async def _waiting(receiver, count):  # type: ignore[no-untyped-def]
        for _ in range(count):
            yield (await receiver.read(timeout=1))[0]

    run(main())
