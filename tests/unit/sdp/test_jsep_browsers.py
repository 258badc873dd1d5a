"""Answers to the offers of real browsers and SDKs (``tests/vectors/sdp``), read back by a foreign parser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pystack.errors import InvalidArgument
from pystack.sdp import parse
from pystack.sdp.attributes import ExtMap, Group, Rid, Simulcast
from pystack.sdp.jsep import needs_negotiation

OFFERS = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "vectors" / "sdp").glob("*.offer.sdp"))


@pytest.mark.parametrize("name", OFFERS)
def test_every_offer_gets_an_answer_that_mirrors_it(name: str, kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    offer = vector(name)
    side.receive_offer(offer)
    answer = side.answer()
    offered, answered = parse(offer), parse(answer)
    assert [section.kind for section in answered.media] == [section.kind for section in offered.media]
    assert [section.all("mid") for section in answered.media] == [section.all("mid") for section in offered.media]
    assert [section.protocol for section in answered.media] == [section.protocol for section in offered.media]
    assert answered.read("group", Group.parse) == offered.read("group", Group.parse)
    for theirs, ours in zip(offered.media, answered.media, strict=True):
        assert ours.port == 9
        assert set(ours.formats) <= set(theirs.formats)
        ids = {one.uri: one.id for one in theirs.read("extmap", ExtMap.parse)}
        assert all(ids[one.uri] == one.id for one in ours.read("extmap", ExtMap.parse))
    assert side.negotiation.dtls_role == "client"
    assert side.negotiation.sctp is not None
    assert not needs_negotiation(side.negotiation, side.local)
    again = kit.Side()
    again.receive_offer(offer)
    assert again.answer() == answer, "the same arguments give the same text"


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.component("aiortc")
def test_aiortc_reads_our_answers_as_we_meant_them(name: str, kit: SimpleNamespace, vector: Any) -> None:
    from aiortc.sdp import SessionDescription

    side = kit.Side()
    side.receive_offer(vector(name))
    read = SessionDescription.parse(side.answer())
    for section, media in zip(side.negotiation.sections, read.media, strict=True):
        assert media.kind == section.kind
        assert media.rtp.muxId == section.mid
        assert media.ice.usernameFragment == kit.TRANSPORT.ufrag
        assert media.dtls.fingerprints[0].value == kit.FINGERPRINT[1]
        if section.kind == "application":
            assert media.sctp_port == 5000
            continue
        assert media.direction == section.direction
        primary = [codec.payloadType for codec in media.rtp.codecs if codec.name.lower() != "rtx"]
        assert primary == [codec.payload_type for codec in section.receive_codecs]
        assert {(one.id, one.uri) for one in media.rtp.headerExtensions} >= {
            (one.id, one.uri) for one in section.extensions if one.direction == "sendrecv"
        }


def test_chromium_plain(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("chromium156-plain.offer"))
    audio, video, data = side.negotiation.remote_sections
    assert audio.codecs[0].name == "opus"
    assert audio.codecs[1].fmtp == {"111/111": ""}
    assert (audio.cname, len(audio.ssrcs), audio.stream_ids) == (video.cname, 1, video.stream_ids)
    assert video.ssrc_groups[0].semantics == "FID"
    assert (data.sctp_port, data.max_message_size) == (5000, 262144)
    side.answer()
    audio, video, data = side.negotiation.sections
    assert [codec.name for codec in audio.send_codecs] == ["opus"], "no RED, no G722 unless asked for"
    assert audio.receive_codecs[0].rtcp_fb == ("transport-cc",)
    assert [codec.name for codec in video.send_codecs] == ["VP8", "H264", "AV1", "VP9"]
    assert video.send_codecs[1].payload_type == 108, "of six H264, the constrained baseline one with mode 1"
    assert all(codec.rtx_payload_type for codec in video.send_codecs)
    assert data.transceiver is None


def test_chromium_simulcast_without_ssrc_lines(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("chromium156-simulcast.offer"))
    assert [rid.id for rid in side.negotiation.remote_sections[1].rids] == ["q", "h", "f"]
    assert side.negotiation.remote_sections[1].ssrcs == ()
    section = parse(side.answer()).media[1]
    assert [rid.text for rid in section.read("rid", Rid.parse)] == ["q recv", "h recv", "f recv"]
    assert section.read_first("simulcast", Simulcast.parse).text == "recv q;h;f"
    assert side.negotiation.sections[1].receive_rids == ("q", "h", "f")
    uris = [one.uri for one in side.negotiation.sections[1].extensions]
    assert uris == [kit.MID, kit.RID, kit.REPAIRED_RID]


def test_simulcast_can_be_declined(kit: SimpleNamespace, vector: Any) -> None:
    for more in ({"receive_simulcast": False}, {"extensions": ()}):
        side = kit.Side()
        side.receive_offer(vector("chromium156-simulcast.offer"), **more)
        assert "simulcast" not in side.answer()
        assert side.negotiation.sections[1].receive_rids == ()


def test_firefox_session_level_and_directed_extensions(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("firefox153-simulcast.offer"))
    transport = side.negotiation.transport
    assert transport.fingerprints[0][1].startswith("F6:D4:41")
    assert (transport.ufrag, transport.ice_options, transport.end_of_candidates) == ("935a8f68", ("trickle",), True)
    assert len(transport.candidates) == 8
    assert all(candidate.startswith("candidate:") for candidate in transport.candidates)
    video = side.negotiation.remote_sections[1]
    assert len(video.ssrcs) == 6
    assert len(video.ssrc_groups) == 3
    assert video.track_id == "{7b9b0a66-e01d-480c-aea4-5585615aca18}"
    answer = side.answer()
    assert "a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n" in answer
    assert {one.uri: one.direction for one in side.negotiation.sections[1].extensions}[kit.RID] == "recvonly"
    assert answer.count("a=extmap-allow-mixed") == 2, "said where it was offered"
    assert side.negotiation.sctp.max_message_size == 1073741823


def test_firefox_bundle_only_sections_with_port_zero_live(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("livekit-js-2.23-firefox-simulcast.offer"))
    assert not any(section.rejected for section in side.negotiation.remote_sections)
    assert [rid.id for rid in side.negotiation.remote_sections[8].rids] == ["q", "h"]
    assert side.negotiation.transport.mid == "0"
    side.answer()
    assert all(not section.rejected for section in side.negotiation.sections)


def test_the_livekit_sdk_may_publish_simulcast_later(kit: SimpleNamespace, vector: Any) -> None:
    """Its first offer has spare ``recvonly`` sections; the RID extensions must be agreed there already."""
    side = kit.Side()
    side.receive_offer(vector("livekit-python-1.2.1-join.offer"), direction="inactive")
    first = parse(side.answer())
    assert all(section.has("inactive") for section in first.media if section.kind != "application")
    for section in side.negotiation.sections[3:6]:
        assert [one.uri for one in section.extensions] == [kit.MID, kit.RID, kit.REPAIRED_RID]
    assert "sctp-init" not in str(first)


def test_the_livekit_sdk_publishes_low_and_high_in_its_order(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("livekit-python-1.2.1-simulcast.offer"))
    side.answer()
    assert side.negotiation.sections[9].receive_rids == ("h", "q")
    assert side.negotiation.remote_sections[9].track_id == "e102cae3-d4f2-4b44-a4ef-e385d5ddc567"
    assert side.negotiation.remote_sections[9].stream_ids == ()


def test_an_sfu_answers_a_recvonly_section_with_the_track_it_chose(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("livekit-js-2.23-chromium-join.offer"), direction="inactive")
    side.change(2, direction="sendonly", stream_ids=("PA_x|camera",), track_id="TR_x")
    section = parse(side.answer()).media[1]
    lines = [line.value for line in section.lines]
    assert "sendonly" in lines
    assert "msid:PA_x|camera TR_x" in lines
    assert "ssrc:1002 cname:cname" in lines
    assert [one.direction for one in side.negotiation.sections].count("inactive") == 5


def test_the_dual_pc_answer_of_the_sdk(kit: SimpleNamespace, vector: Any) -> None:
    """We offered data first and then audio, as a server does on the subscriber's connection."""
    side = kit.Side(data=True)
    side.offer()
    side.receive_answer(vector("livekit-python-1.2.1-dualpc-subscriber.answer").split("m=audio")[0])
    assert side.negotiation.dtls_role == "server"
    side.add(kit.make_transceiver(1, "audio", "sendonly"))
    assert needs_negotiation(side.negotiation, side.local)
    offer = side.offer()
    assert "a=group:BUNDLE 0 1\r\n" in offer
    with pytest.raises(InvalidArgument, match="no codec that was offered"):
        side.receive_answer(vector("livekit-python-1.2.1-dualpc-subscriber.answer").replace("opus", "other"))
    side.receive_answer(vector("livekit-python-1.2.1-dualpc-subscriber.answer"))
    audio = side.negotiation.sections[1]
    assert audio.sending
    assert not audio.receiving
    assert audio.send_codecs[0].payload_type == 96
    assert audio.receive_codecs[0].payload_type == 111


def test_cross_browser_answers_fit_the_offers_that_made_them(kit: SimpleNamespace, vector: Any) -> None:
    """The offers are not at hand, but the answers must be readable as remote descriptions of their shape."""
    side = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"), data=True)
    for name in ("chromium156-to-firefox153-offer.answer", "firefox153-to-chromium156-offer.answer"):
        side.negotiation = kit.start(1)
        side.offer()
        side.receive_answer(vector(name))
        audio, video, data = side.negotiation.sections
        assert audio.direction == video.direction == "sendrecv"
        assert data.kind == "application"
        assert len(video.remote.ssrcs) == 2
        assert side.negotiation.dtls_role == "server"
