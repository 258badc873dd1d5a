"""JSEP as applications meet it: glare by the W3C's pattern, m-lines used again, codecs, extensions, odd lines."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from pystack.dtls import Certificate
from pystack.errors import InvalidArgument
from pystack.peer import (
    AUDIO_CODECS,
    VIDEO_CODECS,
    VIDEO_EXTENSIONS,
    Configuration,
    PeerConnection,
    SessionDescription,
)
from pystack.rtp import RtpPacket
from pystack.sdp.jsep import CodecCapability, ExtensionCapability
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CONFIGURATION = Configuration(certificate=Certificate.generate(1.7e9))


def text_of(description: SessionDescription | None) -> str:
    assert description is not None
    return description.sdp


class Negotiating:
    """One side, as in the example of webrtc-pc section 10.7."""

    def __init__(self, connection: PeerConnection, *, polite: bool) -> None:
        self.connection = connection
        self.polite = polite
        self.ignored = 0

    async def offer(self) -> SessionDescription:
        await self.connection.set_local_description()
        assert self.connection.local_description is not None
        return self.connection.local_description

    async def take(self, description: SessionDescription) -> SessionDescription | None:
        """Handle what the peer sent; return what goes back."""
        collision = description.type == "offer" and self.connection.signaling_state != "stable"
        if collision and not self.polite:
            self.ignored += 1
            return None
        await self.connection.set_remote_description(description)
        return await self.offer() if description.type == "offer" else None


@pytest.mark.parametrize("polite_is_heard_first", [True, False])
def test_in_a_glare_the_polite_side_gives_way_and_both_get_what_they_wanted(polite_is_heard_first: bool) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            polite, impolite = Negotiating(one, polite=True), Negotiating(other, polite=False)
            one.add_track("audio", track_id="ours")
            other.add_track("video", track_id="theirs")
            first, second = await polite.offer(), await impolite.offer()
            if polite_is_heard_first:
                assert await impolite.take(first) is None
                answer = await polite.take(second)
            else:
                answer = await polite.take(second)
                assert await impolite.take(first) is None
            assert answer is not None
            assert await impolite.take(answer) is None
            assert impolite.ignored == 1
            assert one.signaling_state == other.signaling_state == "stable"
            again = await impolite.take(await polite.offer())  # what was rolled back is wanted still
            assert again is not None
            await polite.take(again)
            assert [t.receiver.track_id for t in other.transceivers if t.receiver.receiving] == ["ours"]
            assert [t.receiver.track_id for t in one.transceivers if t.receiver.receiving] == ["theirs"]
            await one.wait_connected(timeout=10)

    run(main())


@pytest.mark.parametrize("offers", ["the one who stopped", "the other"])
def test_the_place_of_a_stopped_section_is_used_again(offers: str) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            one.add_transceiver("audio", track_id="stays")
            stopped = one.add_transceiver("video", track_id="goes")
            await negotiate(one, other)
            old = stopped.mid
            for number in range(10):
                one.transceivers[-1].stop()
                await negotiate(one, other)
                assert re.findall(r"m=\w+ (\d)", text_of(one.local_description)) == ["9", "0"]
                asking, asked = (one, other) if offers == "the one who stopped" else (other, one)
                asking.add_transceiver("video", track_id=f"t{number}")
                await negotiate(asking, asked)
                text = text_of(asking.local_description)
                assert re.findall(r"m=\w+ (\d)", text) == ["9", "9"], "no line more"
                assert [t.receiver.track_id for t in asked.transceivers][-1] == f"t{number}"
                assert asking.transceivers[-1].mid != old
                old = asking.transceivers[-1].mid

    run(main())


def test_codec_preferences_decide_what_is_offered_and_answered() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            offered, answering = one.add_transceiver("video"), other.add_track("video", track_id="t")
            vp8, vp9 = (next(c for c in VIDEO_CODECS if c.name == name) for name in ("VP8", "VP9"))
            offered.set_codec_preferences([vp9, vp8])
            other.transceivers[0].set_codec_preferences([vp8])
            await negotiate(one, other)
            assert [codec.name for codec in answering.codecs] == ["VP8"]
            assert [codec.name for codec in offered.receiver.codecs] == ["VP8"]
            other.transceivers[0].set_codec_preferences([])
            await negotiate(one, other)
            assert [codec.name for codec in offered.receiver.codecs] == ["VP9", "VP8"]
            with pytest.raises(InvalidArgument):
                offered.set_codec_preferences([CodecCapability(name="THEORA", clock_rate=90000)])

    run(main())


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ("42e01f", "42e034", ("42e01f", "42e034")),  # both allow asymmetry: each what it takes
        ("640c1f", "42e01f", None),
        ("4d001f", "4d0028", ("4d001f", "4d0028")),
    ],
)
def test_h264_profiles_meet_between_two_connections(ours: str, theirs: str, agreed: tuple[str, str] | None) -> None:
    def h264(level: str) -> CodecCapability:
        fmtp = {"profile-level-id": level, "packetization-mode": "1", "level-asymmetry-allowed": "1"}
        return CodecCapability(name="H264", clock_rate=90000, fmtp=fmtp)

    async def main() -> None:
        network = MemoryNetwork()
        one, other = (
            PeerConnection(attrs.evolve(CONFIGURATION, mux=network, video_codecs=(h264(level),)))
            for level in (ours, theirs)
        )
        transceiver = one.add_transceiver("video", track_id="t")
        one.create_data_channel("x")
        await negotiate(one, other)
        if agreed is None:
            assert "m=video 0 " in text_of(one.remote_description)
            assert one.transceivers == ()
        else:
            [receives], [sends] = transceiver.receiver.codecs, transceiver.sender.codecs
            assert (receives.fmtp["profile-level-id"], sends.fmtp["profile-level-id"]) == agreed
        await one.close()
        await other.close()

    run(main())


def test_red_is_agreed_when_it_is_listed_and_names_what_it_repeats() -> None:
    red = CodecCapability(name="red", clock_rate=48000, channels=2)

    async def main() -> None:
        configuration = attrs.evolve(CONFIGURATION, audio_codecs=(*AUDIO_CODECS, red))
        async with peer_pair(MemoryNetwork(), configuration) as (one, other):
            transceiver = one.add_transceiver("audio", track_id="t")
            await negotiate(one, other)
            opus = transceiver.sender.require_codec("opus").payload_type
            assert list(transceiver.sender.require_codec("red").fmtp) == [f"{opus}/{opus}"]

    run(main())


def test_more_than_fourteen_extensions_take_the_longer_form_and_media_flows() -> None:
    extra = tuple(ExtensionCapability(uri=f"urn:example:{number}") for number in range(20))

    async def main() -> None:
        configuration = attrs.evolve(CONFIGURATION, video_extensions=(*extra, *VIDEO_EXTENSIONS))
        async with peer_pair(MemoryNetwork(), configuration) as (one, other):
            sender = one.add_transceiver("video", track_id="t").sender
            second = one.add_transceiver("video", track_id="u")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            text = text_of(one.local_description)
            assert "a=extmap-allow-mixed" in text
            ids: dict[str, set[str]] = {}
            for number, uri in re.findall(r"a=extmap:(\d+)\S* (\S+)", text):
                ids.setdefault(number, set()).add(uri)
            assert "15" not in ids
            assert max(map(int, ids)) > 15
            assert all(len(uris) == 1 for uris in ids.values()), "an id means one thing in the whole bundle"
            for each in (sender, second.sender):
                number = each.require_codec("VP8").payload_type
                assert each.write(RtpPacket(payload_type=number, sequence_number=1, payload=b"flows"))
            for transceiver in other.transceivers:
                assert (await transceiver.receiver.read(timeout=5))[0].payload == b"flows"

    run(main())


def test_an_unknown_sctp_init_is_tolerated() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            channel = one.create_data_channel("x")
            await one.set_local_description()
            await one.wait_gathered(timeout=5)
            text = text_of(one.local_description).replace("a=sctp-port", "a=sctp-init:AAAA\r\na=sctp-port")
            await other.set_remote_description(SessionDescription("offer", text))
            await other.set_local_description()
            assert other.local_description is not None
            assert "sctp-init" not in other.local_description.sdp
            await one.set_remote_description(other.local_description)
            await channel.wait_open(timeout=10)

    run(main())


def test_bundle_policies() -> None:
    for policy in ("balanced", "max-bundle"):
        assert Configuration(bundle_policy=policy).bundle_policy == policy  # type: ignore[arg-type]
    wrong: Any = "max-compat"
    with pytest.raises(InvalidArgument, match="one transport"):
        Configuration(bundle_policy=wrong)
