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
from tests.interop.changing_tracks import add_and_remove_tracks, stop_the_owner
from tests.interop.other_peer import PATIENCE, Offerer, OtherPeer, Ours, negotiate, pattern

WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


async def echo(ours: Ours, other: OtherPeer, who: Offerer, kind: str, *codecs: str, theirs: str = "") -> Echo:
    """Have the page send a track, and send it back; ``codecs`` as we prefer them, ``theirs`` is the page's only one."""
    found: list[Echo] = []
    if who == "we offer":
        found.append(Echo(ours.peer.add_transceiver(kind), codecs))
        await other.ask("send", kind=kind)
    else:
        await other.ask("send", kind=kind, **({"codec": theirs} if theirs else {}))

    def take() -> None:
        found.append(Echo(ours.peer.transceivers[-1], () if theirs else codecs))

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
            # Firefox's H.264 is a plug-in that it downloads, and Debian's has none: we agree on another.
            assert (browser.browser.kind, codec) == ("firefox", "H264"), "a codec that this browser should have"
            seen = await echo(ours, other, who, "video", "H264", "VP8")
            await sees_it(other, seen, "VP8")
            assert "H264" not in {each.name for each in seen.transceiver.receiver.codecs}
        else:
            seen = await echo(ours, other, who, "video", codec, theirs=codec)
            await sees_it(other, seen, codec)

    browser.meet(who, body)


async def sees_it(other: OtherPeer, seen: Echo, codec: str) -> None:
    """The page decodes what it sent in this codec, and the payloads told what they were without decoding."""

    async def decoded() -> bool:
        return any(
            each.get("framesDecoded", 0) >= 20 and each["codec"] == codec for each in await inbound(other, "video")
        )

    await until(decoded, f"no frames of {codec}; {seen.packets} packets came")
    names = {each.payload_type: each.name for each in seen.transceiver.receiver.codecs}
    assert {names[each] for each in seen.payload_types} == {codec}
    assert not seen.unread, seen.unread[:3]
    assert min(seen.frames) in seen.key_frames, "they begin with a key frame"
    assert len(seen.frames) > 10 * len(seen.key_frames), "and few of the others are one"


@WHO
def test_every_layer_of_a_simulcast_arrives(browser, who):
    rids = ("q", "h", "f")

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        packets: Counter[str] = Counter()
        sizes: Counter[str] = Counter()

        def count(packet: Any, rid: str) -> None:
            packets[rid] += 1
            sizes[rid] += len(packet.payload)

        def take() -> None:
            ours.peer.transceivers[-1].receiver.on_packet = count

        if who == "we offer":
            # Our offer asks for the layers, and what the page sends on that section takes their rids.
            ours.peer.add_transceiver("video", direction="recvonly", receive_encodings=rids)
            take()
            await ours.peer.set_local_description()
            camera = {"width": 1280, "height": 720}
            await ours.hear("answer", await other.ask("answer", sdp=await ours.description(), camera=camera))
        else:
            await other.ask("send", kind="video", rids=rids, width=1280, height=720)
            await negotiate(ours, other, who, take)

        async def all_come() -> bool:
            return all(packets[rid] >= 20 for rid in rids)

        await until(all_come, f"layers are missing: {packets}")
        assert set(packets) == set(rids)
        sizes.clear()  # the larger ones begin later, when there is bandwidth

        async def larger() -> bool:
            return sizes["q"] > 0 and sizes["f"] > sizes["q"] + 20_000

        await until(larger, f"not larger by layers: {sizes}")
        assert ours.peer.transceivers[-1].receiver.rids == rids

    browser.meet(who, body)


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


def test_the_owner_of_the_transport_is_stopped_and_the_transport_stays(browser):
    """Browsers take the transport down with it; see `pystack.peer.local`."""
    browser.meet("we offer", stop_the_owner, prepare=lambda ours: ours.peer.add_transceiver("audio"))


@WHO
def test_tracks_are_added_and_removed_ten_times(browser, who):
    browser.meet(who, add_and_remove_tracks(who, 10))
