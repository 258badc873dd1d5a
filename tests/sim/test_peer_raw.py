"""Raw RTP and RTCP in and out: packets of the application's own, and every report of the peer as a typed value."""

from __future__ import annotations

import asyncio

import pytest

from pystack.errors import Closed, InvalidArgument
from pystack.peer import Configuration, RtpReceiver, RtpSender
from pystack.rtp import (
    Bye,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    RtcpPacket,
    RtpPacket,
    SenderReport,
    SourceDescription,
    UnknownRtcp,
    serialize_compound,
)
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

LINK = LinkOptions(delay=0.01)


def vp8(number: int, sender: RtpSender) -> RtpPacket:
    return RtpPacket(
        payload_type=sender.require_codec("VP8").payload_type,
        sequence_number=number,
        timestamp=3000 * number,
        payload=bytes([number]) * 20,
    )


def test_bytes_go_out_as_they_came_in_but_for_the_ssrc() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            sender = one.add_track("video")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            source = [vp8(number, sender) for number in range(5)]
            for packet in source:
                assert sender.write_raw(packet.serialize())
            receiver = (await other.next_track(timeout=5)).receiver
            for packet in source:
                came, _ = await receiver.read(timeout=5)
                assert came.ssrc == sender.ssrc
                assert RtpPacket.parse(came.serialize()).payload == packet.payload
                assert (came.sequence_number, came.timestamp) == (packet.sequence_number, packet.timestamp)
            for garbage in (b"", b"\x80", b"x" * 40):
                with pytest.raises(InvalidArgument, match="cannot be sent as RTP"):
                    sender.write_raw(garbage)
            one.abort()
            with pytest.raises(Closed):
                sender.write_raw(source[0].serialize())

    run(main())


def test_reports_of_the_peer_arrive_where_they_belong() -> None:
    async def main() -> None:
        network = MemoryNetwork(LINK)
        async with peer_pair(network) as (one, other):
            sender, silent = one.add_track("video"), one.add_track("audio")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            receiver = (await other.next_track(timeout=5)).receiver
            heard: dict[str, list[RtcpPacket]] = {"receiver": [], "sender": [], "silent": [], "rest": []}
            receiver.rtcp.on_packet = heard["receiver"].append
            sender.rtcp.on_packet = heard["sender"].append
            silent.rtcp.on_packet = heard["silent"].append
            one.rtcp.on_packet = heard["rest"].append
            for number in range(60):
                if number != 30:  # a hole, that the peer asks about
                    sender.write(vp8(number, sender))
                await asyncio.sleep(0.05)
            receiver.request_key_frame()
            await asyncio.sleep(1)
            assert {type(packet) for packet in heard["receiver"]} == {SenderReport, SourceDescription}
            kinds = {type(packet) for packet in heard["sender"]}
            assert {ReceiverReport, Nack, Pli} <= kinds
            nack = next(packet for packet in heard["sender"] if isinstance(packet, Nack))
            assert nack.sequence_numbers == [30]
            assert heard["silent"] == []
            # What names no stream of ours, such as the peer's description of its reports' source, is the connection's.
            assert {type(packet) for packet in heard["rest"]} == {SourceDescription}
            await one.close()
            await asyncio.sleep(0.1)
            assert isinstance(heard["receiver"][-1], Bye)

    run(main())


def test_packets_of_ones_own_reach_the_peer() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            sender = one.add_track("video")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            receiver = (await other.next_track(timeout=5)).receiver
            assert receiver.rtcp.write(Pli(receiver.rtcp.ssrc, sender.ssrc))
            assert await sender.rtcp.read(timeout=5) == Pli(receiver.rtcp.ssrc, sender.ssrc)
            assert receiver.rtcp.write(Remb(receiver.rtcp.ssrc, 250_000, [sender.ssrc]))
            remb = await sender.rtcp.read(timeout=5)
            assert isinstance(remb, Remb)
            assert remb.bitrate_bps == 250_000
            # An APP packet, of a kind that the stack does not know, as bytes and in company (RFC 3550 section 6.7).
            own = UnknownRtcp(204, 1, one.rtcp.ssrc.to_bytes(4, "big") + b"NAMEdata")
            assert one.rtcp.write(serialize_compound([ReceiverReport(one.rtcp.ssrc), own]))
            assert isinstance(await other.rtcp.read(timeout=5), ReceiverReport)
            assert await other.rtcp.read(timeout=5) == own
            for garbage in (b"", b"\x80\xc8\x00\x09", b"nothing"):
                with pytest.raises(InvalidArgument, match="cannot be sent as RTCP"):
                    one.rtcp.write(garbage)
            one.abort()
            for port in (one.rtcp, sender.rtcp):
                with pytest.raises(Closed):
                    port.write(own)

    run(main())


def test_what_is_written_before_the_keys_waits_for_them_within_a_bound() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK), Configuration(inbox_rtcp=64)) as (one, other):
            one.add_track("video")
            taken = [one.rtcp.write(Pli(1, number)) for number in range(100)]
            assert taken == [True] * 64 + [False] * 36
            await negotiate(one, other)
            assert await other.rtcp.read(timeout=10) == Pli(1, 0)

    run(main())


def test_rtcp_is_not_handed_out_when_nobody_wants_it() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK), Configuration(inbox_rtcp=0)) as (one, other):
            sender = one.add_track("video")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            receiver: RtpReceiver = (await other.next_track(timeout=5)).receiver
            for number in range(60):
                sender.write(vp8(number, sender))
                await asyncio.sleep(0.05)
            for port in (sender.rtcp, receiver.rtcp, one.rtcp):
                with pytest.raises(TimeoutError):
                    await port.read(timeout=1)

    run(main())
