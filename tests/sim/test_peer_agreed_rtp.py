"""What was negotiated about RTP is obeyed: how feedback travels, which there is, and where header extensions go."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable

import pytest

from pystack.peer import PeerConnection, RtpReceiver, RtpSender, SessionDescription
from pystack.rtp import AUDIO_LEVEL, MID, HeaderExtensionMap, RtpPacket
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

FEEDBACK = {"Nack", "Pli", "TransportFeedback"}


def _same(text: str) -> str:
    return text


async def _exchange(
    one: PeerConnection,
    other: PeerConnection,
    edit_offer: Callable[[str], str] = _same,
    edit_answer: Callable[[str], str] = _same,
) -> None:
    """Negotiate by descriptions that a peer of other abilities would write."""
    await one.set_local_description()
    await one.wait_gathered(timeout=5)
    offer = one.local_description
    assert offer is not None
    await other.set_remote_description(SessionDescription("offer", edit_offer(offer.sdp)))
    await other.set_local_description()
    await other.wait_gathered(timeout=5)
    answer = other.local_description
    assert answer is not None
    await one.set_remote_description(SessionDescription("answer", edit_answer(answer.sdp)))
    await one.wait_connected(timeout=10)
    await other.wait_connected(timeout=10)


async def _media(
    one: PeerConnection,
    other: PeerConnection,
    kind: str = "video",
    edit_offer: Callable[[str], str] = _same,
    edit_answer: Callable[[str], str] = _same,
) -> tuple[RtpSender, RtpReceiver]:
    sender = one.add_track("video" if kind == "video" else "audio")
    await _exchange(one, other, edit_offer, edit_answer)
    return sender, (await other.next_track(timeout=5)).receiver


def _hear(one: PeerConnection, sender: RtpSender) -> dict[float, set[str]]:
    """The kinds of RTCP that come, by the instant: those of a datagram share it."""
    heard: dict[float, set[str]] = defaultdict(set)
    loop = asyncio.get_running_loop()
    for port in (one.rtcp, sender.rtcp):
        port.on_packet = lambda packet: heard[loop.time()].add(type(packet).__name__)
    return heard


async def _write(sender: RtpSender, payload_type: int, *numbers: int) -> None:
    for number in numbers:
        sender.write(RtpPacket(payload_type=payload_type, sequence_number=number, timestamp=number, payload=b"x"))
        await asyncio.sleep(0.01)


def _without(pattern: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"a={pattern}\r\n", "", text)


@pytest.mark.parametrize("who", ["all", "nobody", "one section"])
def test_feedback_follows_a_report_unless_every_section_agreed_on_reduced_size(who: str) -> None:
    def edit(text: str) -> str:
        if who == "all":
            return text
        head, tail = text.split("m=audio")
        return _without("rtcp-rsize")(head) + "m=audio" + (_without("rtcp-rsize")(tail) if who == "nobody" else tail)

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            sender = one.add_track("video")
            one.add_track("audio")
            await _exchange(one, other, edit)
            receiver = (await other.next_track(timeout=5)).receiver
            heard = _hear(one, sender)
            await _write(sender, sender.require_codec("VP8").payload_type, 1, 2, 5)
            receiver.request_key_frame()
            await asyncio.sleep(3)
            groups = [kinds for kinds in heard.values() if kinds & FEEDBACK]
            assert set[str]().union(*groups) >= FEEDBACK
            if who == "all":
                assert any("ReceiverReport" not in kinds for kinds in groups)
            else:
                assert all({"ReceiverReport", "SourceDescription"} <= kinds for kinds in groups)

    run(main())


def test_without_transport_cc_no_arrivals_are_told() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            sender, _ = await _media(one, other, edit_offer=_without(r"rtcp-fb:\d+ transport-cc"))
            heard = _hear(one, sender)
            await _write(sender, sender.codecs[0].payload_type, *range(50))
            await asyncio.sleep(3)
            kinds = set[str]().union(*heard.values())
            assert "ReceiverReport" in kinds
            assert "TransportFeedback" not in kinds

    run(main())


def test_what_is_missing_is_asked_for_as_the_last_negotiation_says() -> None:
    without_nack = _without(r"rtcp-fb:\d+ nack")

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):

            async def asked(*numbers: int) -> int:
                heard.clear()
                await _write(sender, payload_type, *numbers)
                await asyncio.sleep(1)
                return sum("Nack" in kinds for kinds in heard.values())

            sender, _ = await _media(one, other, edit_offer=without_nack)
            payload_type = sender.codecs[0].payload_type
            heard = _hear(one, sender)
            assert await asked(1, 3) == 0
            await negotiate(one, other)
            assert await asked(4, 6) > 0
            await _exchange(one, other, without_nack)
            assert await asked(7, 9) == 0

    run(main())


def test_an_extension_goes_only_where_its_direction_allows() -> None:
    names = HeaderExtensionMap({1: AUDIO_LEVEL})

    async def level_of(edit_answer: Callable[[str], str]) -> tuple[bytes | None, bytes | None]:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            sender, receiver = await _media(one, other, "audio", edit_answer=edit_answer)
            packet = RtpPacket(payload_type=sender.codecs[0].payload_type, payload=b"x", extension_map=names)
            names.set(packet, AUDIO_LEVEL, b"\x80")
            sender.write(packet)
            came, _ = await receiver.read(timeout=2)
            assert came.extension_map is not None
            return came.extension_map.get(came, AUDIO_LEVEL), came.extension_map.get(came, MID)

    async def main() -> None:
        assert await level_of(_same) == (b"\x80", b"0")
        # The peer sends it, and does not want it.
        assert await level_of(lambda text: text.replace("a=extmap:1 ", "a=extmap:1/sendonly ")) == (None, b"0")
        assert await level_of(lambda text: text.replace("a=extmap:1 ", "a=extmap:1/recvonly ")) == (b"\x80", b"0")
        assert await level_of(lambda text: text.replace("a=extmap:4 ", "a=extmap:4/sendonly ")) == (b"\x80", None)

    run(main())


def test_an_extension_that_only_we_send_is_not_read() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            sender, receiver = await _media(
                one, other, "audio", lambda text: text.replace("a=extmap:1 ", "a=extmap:1/recvonly ")
            )
            assert sender.codecs
            assert (receiver.extensions.id_of(AUDIO_LEVEL), receiver.extensions.id_of(MID)) == (0, 4)

    run(main())


@pytest.mark.parametrize("mixed", [True, False])
def test_forms_of_extensions_alternate_only_with_a_peer_that_allows_it(mixed: bool) -> None:
    dependency = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    names = HeaderExtensionMap({12: dependency})

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            edit = _same if mixed else _without("extmap-allow-mixed")
            sender, receiver = await _media(one, other, edit_offer=edit)
            profiles = []
            for number, size in enumerate((3, 20, 3)):
                packet = RtpPacket(
                    payload_type=sender.codecs[0].payload_type,
                    sequence_number=number,
                    payload=b"x",
                    extension_map=names,
                )
                names.set(packet, dependency, bytes(size))
                sender.write(packet)
                came, _ = await receiver.read(timeout=2)
                profiles.append(came.extension_profile)
            assert profiles == ([0xBEDE, 0x1000, 0xBEDE] if mixed else [0xBEDE] * 3)

    run(main())
