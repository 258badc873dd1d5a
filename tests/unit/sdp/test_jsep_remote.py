"""Remote descriptions that bend or break the rules: what is accepted, what is rejected, and what the error says."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import InvalidArgument
from pystack.sdp import parse
from pystack.sdp.jsep import SignalingState, apply_remote

HEAD = "v=0\r\no=- 1 2 IN IP4 0\r\ns=-\r\nt=0 0\r\n"
TRANSPORT = (
    f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 {':'.join(['AA'] * 32)}\r\na=setup:actpass\r\n"
)
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{TRANSPORT}a=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\n"
VIDEO = f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{TRANSPORT}a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"


def offered(kit: SimpleNamespace, text: str) -> Any:
    side = kit.Side()
    side.receive_offer(text)
    return side


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ((r"a=fingerprint.*\r\n", ""), "remote offer: section 0 (mid 0): a=fingerprint is missing"),
        (
            (r"a=fingerprint.*\r\n", "a=fingerprint:sha-999 AA:BB\r\n"),
            "section 0 (mid 0): a=fingerprint has only unknown hash functions: sha-999",
        ),
        ((r"a=fingerprint:sha-256 (..):", r"a=fingerprint:sha-256 "), "line 18: a=fingerprint: 31 octets are not"),
        ((r"a=ice-ufrag.*\r\n", ""), "section 0 (mid 0): a=ice-ufrag is missing"),
        ((r"a=ice-pwd.*\r\n", ""), "section 0 (mid 0): a=ice-pwd is missing"),
        ((r"a=setup:actpass", "a=setup:holdconn"), "section 0 (mid 0): a=setup:holdconn cannot be used in an offer"),
        ((r"a=mid:1", "a=mid:0"), "section 1: a=mid:0 is there twice"),
        ((r"v=0", "v=7"), "remote offer: line 1: v=7"),
    ],
)
def test_errors_name_section_or_line(
    change: tuple[str, str], complaint: str, kit: SimpleNamespace, vector: Any
) -> None:
    text = re.sub(*change, vector("chromium156-plain.offer"))
    side = kit.Side()
    before = side.negotiation
    with pytest.raises(InvalidArgument) as caught:
        side.receive_offer(text)
    assert complaint in str(caught.value)
    assert side.negotiation is before
    assert side.negotiation.state is SignalingState.STABLE


def test_known_fingerprints_are_kept_and_unknown_ones_dropped(kit: SimpleNamespace) -> None:
    extra = "a=fingerprint:sha-999 AA\r\na=fingerprint:sha-512 " + ":".join(["BB"] * 64) + "\r\n"
    side = offered(kit, HEAD + AUDIO + extra)
    assert [name for name, _ in side.negotiation.transport.fingerprints] == ["sha-256", "sha-512"]


def test_a_remote_without_bundle_gets_its_first_section(kit: SimpleNamespace) -> None:
    side = offered(kit, HEAD + AUDIO + VIDEO)
    answer = parse(side.answer())
    assert [section.port for section in answer.media] == [9, 0]
    assert not answer.has("group")
    assert not answer.media[0].has("mid"), "nothing is answered that was not offered"
    assert [section.rejected for section in side.negotiation.sections] == [False, True]
    assert side.negotiation.bundle == ("0",)


def test_a_first_section_that_is_rejected_gives_way(kit: SimpleNamespace) -> None:
    side = offered(kit, HEAD + AUDIO.replace("audio 9", "audio 0") + VIDEO)
    side.answer()
    assert [section.rejected for section in side.negotiation.sections] == [True, False]
    assert side.negotiation.transport.index == 1


def test_sections_outside_of_the_bundle_are_rejected(kit: SimpleNamespace) -> None:
    text = HEAD + "a=group:LS a c\r\na=group:BUNDLE b c gone\r\n" + AUDIO + "a=mid:a\r\n" + VIDEO + "a=mid:b\r\n"
    side = offered(kit, text + AUDIO + "a=mid:c\r\n")
    answer = parse(side.answer())
    assert [section.port for section in answer.media] == [0, 9, 9]
    assert answer.all("group")[0].content == "BUNDLE b c"
    assert side.negotiation.transport.mid == "b"
    assert side.negotiation.remote_bundle == ("b", "c")


def test_port_zero_rejects_unless_bundle_only(kit: SimpleNamespace) -> None:
    bundled = (
        HEAD + "a=group:BUNDLE a b\r\n" + AUDIO + "a=mid:a\r\n" + VIDEO.replace("video 9", "video 0") + "a=mid:b\r\n"
    )
    assert [one.rejected for one in offered(kit, bundled).negotiation.remote_sections] == [False, True]
    alive = offered(kit, bundled + "a=bundle-only\r\n")
    assert [one.rejected for one in alive.negotiation.remote_sections] == [False, False]
    outside = bundled.replace("BUNDLE a b", "BUNDLE a") + "a=bundle-only\r\n"
    assert [one.rejected for one in offered(kit, outside).negotiation.remote_sections] == [False, True]


@pytest.mark.parametrize(
    "section",
    [
        VIDEO.replace("a=rtcp-mux\r\n", ""),
        VIDEO.replace("UDP/TLS/RTP/SAVPF", "RTP/XYZ"),
        "m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=rtpmap:98 t140/1000\r\n",
        "m=application 9 TCP/BFCP *\r\n",
        "m=image 9 udptl t38\r\n",
    ],
)
def test_what_we_do_not_speak_is_rejected_in_its_place(section: str, kit: SimpleNamespace) -> None:
    text = HEAD + "a=group:BUNDLE x a\r\n" + section + "a=mid:x\r\n" + AUDIO + "a=mid:a\r\n"
    side = offered(kit, text)
    answer = parse(side.answer())
    assert [one.port for one in answer.media] == [0, 9]
    assert answer.media[0].media_line.split()[2] == section.split()[2]
    assert side.negotiation.transport.mid == "a"
    again = parse(side.offer())
    assert [one.port for one in again.media] == [0, 9]


@pytest.mark.parametrize("protocol", ["RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/AVP"])
def test_any_profile_of_rtp_is_taken(protocol: str, kit: SimpleNamespace) -> None:
    side = offered(kit, HEAD + AUDIO.replace("UDP/TLS/RTP/SAVPF", protocol))
    assert parse(side.answer()).media[0].protocol == protocol
    assert not side.negotiation.sections[0].rejected


def test_an_offer_of_nothing(kit: SimpleNamespace) -> None:
    side = offered(kit, HEAD)
    assert parse(side.answer()).media == ()
    assert side.negotiation.transport is None
    assert side.negotiation.dtls_role is None


def test_missing_setup_has_its_old_meaning(kit: SimpleNamespace) -> None:
    side = offered(kit, HEAD + AUDIO.replace("a=setup:actpass\r\n", ""))
    side.answer()
    assert side.negotiation.dtls_role == "server"
    asking = kit.Side(kit.make_transceiver(1, "audio"))
    asking.offer()
    asking.receive_answer(HEAD + AUDIO.replace("a=setup:actpass\r\n", ""))
    assert asking.negotiation.dtls_role == "client"


def test_static_payload_types_need_no_map(kit: SimpleNamespace) -> None:
    text = HEAD + AUDIO.replace("SAVPF 111", "SAVPF 0 8 111 55 x 999 8")
    codecs = offered(kit, text).negotiation.remote_sections[0].codecs
    assert [(one.payload_type, one.name) for one in codecs] == [(0, "PCMU"), (8, "PCMA"), (111, "opus")]


def test_feedback_for_all_and_rtx_of_nothing(kit: SimpleNamespace) -> None:
    text = (
        HEAD
        + VIDEO.replace("SAVPF 96", "SAVPF 96 97 98 99")
        + (
            "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 rtx/90000\r\na=rtpmap:99 rtx/90000\r\n"
            "a=fmtp:99 apt=x\r\na=rtcp-fb:* nack\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 ccm fir\r\n"
        )
    )
    (codec,) = offered(kit, text).negotiation.remote_sections[0].codecs
    assert codec.rtx_payload_type == 97
    assert codec.rtcp_fb == ("nack", "ccm fir")


def test_msids_in_ssrc_lines_are_read(kit: SimpleNamespace) -> None:
    text = HEAD + AUDIO + "a=ssrc:5 cname:c\r\na=ssrc:5 msid:s t\r\na=ssrc:5 msid:a b c\r\n"
    section = offered(kit, text).negotiation.remote_sections[0]
    assert (section.stream_ids, section.track_id, section.ssrcs, section.cname) == (("s",), "t", (5,), "c")
    receiving = offered(kit, text + "a=recvonly\r\n").negotiation.remote_sections[0]
    assert (receiving.stream_ids, receiving.ssrcs) == ((), ())


def test_alternatives_of_layers_that_have_no_rid_line(kit: SimpleNamespace) -> None:
    text = HEAD + VIDEO + "a=rid:h send\r\na=rid:r recv\r\na=simulcast:send x,h;r;y recv r\r\n"
    section = offered(kit, text).negotiation.remote_sections[0]
    assert [rid.id for rid in section.rids] == ["h"]
    assert [rid.id for rid in section.receive_rids] == ["r"]


def test_the_number_of_layers_is_bounded(kit: SimpleNamespace) -> None:
    many = "".join(f"a=rid:{number} send\r\n" for number in range(100))
    assert len(offered(kit, HEAD + VIDEO + many).negotiation.remote_sections[0].rids) == 16


def established(kit: SimpleNamespace) -> tuple[Any, Any, str, str]:
    one = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"))
    two = kit.Side()
    offer, answer = one.offer_to(two)
    return one, two, offer, answer


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ((r"m=video(.|\n|\r)*", ""), "it has 1 sections where the session has 2"),
        ((r"m=video", "m=audio"), "section 1 (mid 1): the kind changed from video to audio"),
        ((r"a=mid:1", "a=mid:x"), "section 1 (mid 1): a=mid changed to x"),
        ((r"a=mid:0", "a=mid:1"), "section 0 (mid 0): a=mid changed to 1"),
        ((r"fingerprint:sha-256 AB", "fingerprint:sha-256 CD"), "section 0 (mid 0): a=fingerprint changed"),
    ],
)
def test_a_session_keeps_its_order(change: tuple[str, str], complaint: str, kit: SimpleNamespace) -> None:
    one, two, _, _ = established(kit)
    offer = one.offer()
    with pytest.raises(InvalidArgument) as caught:
        two.receive_offer(re.sub(*change, offer))
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ((r"m=video(.|\n|\r)*", ""), "remote answer: it has 1 sections where the session has 2"),
        ((r"$", "m=audio 0 RTP/AVP 0\r\n"), "it has 3 sections where the session has 2"),
        ((r"a=rtcp-mux\r\n", ""), "section 0 (mid 0): a=rtcp-mux is missing"),
        ((r"setup:active", "setup:actpass"), "a=setup:actpass cannot be used in an answer"),
        ((r"opus", "opux"), "section 0 (mid 0): m= has no codec that was offered"),
        ((r"m=video", "m=audio"), "the kind changed"),
    ],
)
def test_an_answer_must_fit_the_offer(change: tuple[str, str], complaint: str, kit: SimpleNamespace) -> None:
    *_, answer = established(kit)
    asking = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"))
    asking.offer()
    with pytest.raises(InvalidArgument) as caught:
        asking.receive_answer(re.sub(*change, answer, count=1 if change[0] == "$" else 0))
    assert complaint in str(caught.value)
    asking.receive_answer(answer)


def test_an_answer_without_mids_and_group_uses_the_first_section(kit: SimpleNamespace) -> None:
    *_, answer = established(kit)
    asking = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"))
    asking.offer()
    asking.receive_answer(re.sub(r"a=(mid|group):.*\r\n", "", answer))
    assert [section.mid for section in asking.negotiation.sections] == ["0", "1"]
    assert [section.rejected for section in asking.negotiation.sections] == [False, True]
    assert asking.negotiation.bundle == ("0",)


def test_an_answer_cannot_revive_what_was_rejected(kit: SimpleNamespace) -> None:
    one, two, _, _ = established(kit)
    one.change(2, stopped=True)
    one.offer()
    two.receive_offer(one.negotiation.pending_local.text)
    answer = two.answer().replace("m=video 0", "m=video 9").replace("BUNDLE 0", "BUNDLE 0 1")
    one.receive_answer(answer.replace("a=mid:1", "a=mid:1\r\na=rtcp-mux"))
    assert one.negotiation.sections[1].rejected


def test_extensions_that_an_answer_renumbers_are_not_in_force(kit: SimpleNamespace) -> None:
    *_, answer = established(kit)
    asking = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"))
    asking.offer()
    asking.receive_answer(
        answer.replace("a=extmap:10 ", "a=extmap:12 ").replace("a=extmap:11 ", "a=extmap:11/sendonly ")
    )
    found = {one.uri: one.direction for one in asking.negotiation.sections[1].extensions}
    assert found == {kit.MID: "sendrecv", kit.REPAIRED_RID: "recvonly"}


@settings(max_examples=60)
@given(data=st.data())
def test_mutated_offers_are_refused_or_answered(data: st.DataObject) -> None:
    from pathlib import Path

    from pystack.sdp.jsep import LocalSession, TransportParameters, apply_local, create_answer, start

    paths = sorted((Path(__file__).resolve().parents[2] / "vectors" / "sdp").glob("*.offer.sdp"))
    lines = data.draw(st.sampled_from(paths)).read_bytes().decode().split("\r\n")
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(("drop", "swap", "copy", "cut")))
        if kind == "drop" and len(lines) > 1:
            del lines[index]
        elif kind == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[index], lines[other] = lines[other], lines[index]
        elif kind == "copy":
            lines.insert(data.draw(st.integers(0, len(lines))), lines[index])
        else:
            lines[index] = lines[index][: data.draw(st.integers(0, len(lines[index])))]
    local = LocalSession(
        transport=TransportParameters(ufrag="abcd", pwd="p" * 22, fingerprints=(("sha-256", ":".join(["AA"] * 32)),))
    )
    try:
        negotiation = apply_remote(start(1), "offer", "\r\n".join(lines), local)
    except InvalidArgument:
        return
    answer = create_answer(negotiation, local)
    assert len(parse(answer.text).media) == len(negotiation.remote_sections)
    assert apply_local(negotiation, answer).state is SignalingState.STABLE
