"""Media between our connection and a page's: what a page sends arrives, and what we send back is decoded there.

We decode nothing: the page's own packets are echoed, so its decoder is the judge of what passed through us twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from typing import Any

import pytest

from pystack import DataChannel
from tests.interop.browser.echo import Echo, inbound, until
from tests.interop.other_peer import PATIENCE, Offerer, OtherPeer, Ours, negotiate, pattern

WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


async def echo(ours: Ours, other: OtherPeer, who: Offerer, kind: str, codec: str | None = None) -> Echo:
    """Have the page send a track, and send it back."""
    found: list[Echo] = []
    if who == "we offer":
        found.append(Echo(ours.peer.add_transceiver(kind), codec))
        await other.ask("send", kind=kind)
    else:
        await other.ask("send", kind=kind, **({"codec": codec} if codec else {}))

    def take() -> None:
        found.append(Echo(ours.peer.transceivers[-1]))

    await negotiate(ours, other, who, take)
    return found[0]


@WHO
def test_audio_there_and_back(browser, who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        heard = await echo(ours, other, who, "audio")

        async def audible() -> bool:
            return any(
                each.get("totalAudioEnergy", 0) > 1e-4 and each["codec"] == "opus"
                for each in await inbound(other, "audio")
            )

        await until(audible, f"nothing is heard; {heard.packets} came")
        assert heard.packets[""] >= 5

    browser.meet(who, body)


@WHO
@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1", "H264"])
def test_video_there_and_back(browser, who, codec):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        if codec not in await other.ask("codecs"):
            assert (browser.browser.kind, codec) == ("firefox", "H264"), "a codec that this browser should have"
            return  # Firefox downloads its H.264 from elsewhere, when it has it at all
        seen = await echo(ours, other, who, "video", codec)

        async def decoded() -> bool:
            return any(
                each.get("framesDecoded", 0) >= 20 and each["codec"] == codec for each in await inbound(other, "video")
            )

        await until(decoded, f"no frames of {codec}; {seen.packets} packets came")
        names = {each.payload_type: each.name for each in seen.transceiver.receiver.codecs}
        assert {names[each] for each in seen.payload_types} == {codec}
        # What the payloads tell without decoding: they begin with a key frame, and few of the others are one.
        assert not seen.unread, seen.unread[:3]
        assert min(seen.frames) in seen.key_frames
        assert len(seen.frames) > 10 * len(seen.key_frames)

    browser.meet(who, body)


def test_every_layer_of_a_simulcast_arrives(browser):
    rids = ["q", "h", "f"]

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        await other.ask("send", kind="video", rids=rids, width=1280, height=720)
        packets: Counter[str] = Counter()
        sizes: Counter[str] = Counter()

        def take() -> None:
            receiver = ours.peer.transceivers[-1].receiver

            def count(packet: Any, rid: str) -> None:
                packets[rid] += 1
                sizes[rid] += len(packet.payload)

            receiver.on_packet = count

        await negotiate(ours, other, "they offer", take)

        async def all_come() -> bool:
            return all(packets[rid] >= 20 for rid in rids)

        await until(all_come, f"layers are missing: {packets}")
        assert set(packets) == set(rids)
        assert sizes["q"] < sizes["f"]
        assert ours.peer.transceivers[-1].receiver.rids == ("q", "h", "f")

    browser.meet("they offer", body)


@WHO
def test_ice_restarts_in_the_middle_of_a_transfer_and_nothing_is_lost(browser, who):
    count, size = 600, 16384

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        came: list[int] = []
        restarted = asyncio.Event()

        async def read() -> None:
            while len(came) < count:
                message = await first.read(timeout=PATIENCE)
                assert message == pattern(size, len(came)), f"message {len(came)} is another"
                came.append(len(came))
                if len(came) == 100:
                    restarted.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            tasks.create_task(other.ask("pour", label="first", count=count, size=size))
            await restarted.wait()
            at = len(came)
            before = ours.peer.local_description.sdp
            await negotiate(ours, other, who, restart=True)
            print(f"restarted after {at} messages, negotiated after {len(came)}")
        for seed in range(3):
            await first.write(pattern(1000, seed))
        await other.wait("message", label="first", count=3)
        after = ours.peer.local_description.sdp
        assert ufrag(before) != ufrag(after)
        assert not other.all("state", state="disconnected")
        assert not other.all("state", state="failed")

    browser.meet(who, body)


@WHO
def test_ice_restarts_while_we_pour_and_nothing_is_lost(browser, who):
    count, size = 600, 16384

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        async def pour() -> None:
            for seed in range(count):
                await first.write(pattern(size, seed), timeout=PATIENCE)

        before = ours.peer.local_description.sdp
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pour())
            await other.wait("message", label="first", count=100)
            await negotiate(ours, other, who, restart=True)
            print(f"negotiated after {len(other.all('message', label='first'))} messages")
        await other.wait("message", label="first", count=count)
        came = [each["sha256"] for each in other.all("message", label="first")]
        assert came == [hashlib.sha256(pattern(size, seed)).hexdigest() for seed in range(count)]
        assert ufrag(before) != ufrag(ours.peer.local_description.sdp)
        assert not other.all("state", state="failed")

    browser.meet(who, body)


def test_our_simulcast_falls_back_to_one_stream_where_the_browser_takes_no_more(browser):
    """Browsers send simulcast and do not take it: their answer leaves it out, and one encoding is decoded."""

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        source = ours.peer.add_transceiver("video", direction="recvonly")
        sink = ours.peer.add_transceiver("video", direction="sendonly", track_id="t", send_encodings=["q", "h", "f"])
        vp8 = [each for each in source.codecs if each.name == "VP8"]
        for each in (source, sink):
            each.set_codec_preferences(vp8)
        source.receiver.on_packet = lambda packet, rid: sink.sender.write(packet)
        sink.sender.on_key_frame_request = source.receiver.request_key_frame
        await other.ask("send", kind="video")
        await negotiate(ours, other, "we offer")
        assert ours.peer.local_description is not None
        assert "a=simulcast:send q;h;f" in ours.peer.local_description.sdp
        assert sink.sender.rids == ()

        async def decoded() -> bool:
            return any(each.get("framesDecoded", 0) >= 20 for each in await inbound(other, "video"))

        await until(decoded, "no frames")

    browser.meet("we offer", body)


def ufrag(sdp: str) -> str:
    return next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag"))


@WHO
def test_tracks_are_added_and_removed_ten_times(browser, who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        sections = set()
        for turn in range(10):
            if who == "we offer":
                ours.peer.add_transceiver("video", direction="recvonly")
            index = await other.ask("send", kind="video")
            packets: Counter[int] = Counter()

            def listen(packets: Counter[int] = packets) -> None:
                receiver = ours.peer.transceivers[-1].receiver
                receiver.on_packet = lambda packet, rid: packets.update([packet.payload_type])

            await negotiate(ours, other, who, listen)
            listen()

            async def flowing(packets: Counter[int] = packets) -> bool:
                return packets.total() >= 5

            await until(flowing, f"nothing flows in turn {turn}")
            sections.add(ours.peer.local_description.sdp.count("\nm="))
            if who == "we offer":
                ours.peer.transceivers[-1].stop()
            else:
                await other.ask("stop", index=index)
            await negotiate(ours, other, who)
            assert len(ours.peer.transceivers) == 0
        assert sections == {2}  # data, and one section that is used again and again
        await first.write("still here")
        assert (await other.wait("message", label="first"))["body"] == "still here"

    browser.meet(who, body)
