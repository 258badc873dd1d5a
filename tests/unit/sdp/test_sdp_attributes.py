"""Each family reads and writes its values, and refuses what is not one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.sdp import parse
from pystack.sdp.attributes import (
    PARSERS,
    ExtMap,
    Fingerprint,
    Fmtp,
    Group,
    Msid,
    Rid,
    RtcpFeedback,
    RtpMap,
    Simulcast,
    SimulcastRid,
    SsrcAttribute,
    SsrcGroup,
    candidate_text,
    direction_of,
    format_parameters,
    parse_parameters,
)
from pystack.sdp.attributes.direction import DIRECTIONS, intersect, receives, reverse, sends
from pystack.sdp.attributes.dtls import parse_setup
from pystack.sdp.attributes.ice import parse_options, parse_pwd, parse_ufrag
from pystack.sdp.attributes.sctp import max_message_size_of, port_of

HEAD = "v=0\r\no=- 1 2 IN IP4 0\r\n"
SHA = ":".join(["0A"] * 32)


@pytest.mark.parametrize(
    ("family", "text", "value"),
    [
        (RtpMap, "111 opus/48000/2", RtpMap(111, "opus", 48000, 2)),
        (RtpMap, "96 VP8/90000", RtpMap(96, "VP8", 90000)),
        (Fmtp, "111 minptime=10;useinbandfec=1", Fmtp("111", "minptime=10;useinbandfec=1")),
        (RtcpFeedback, "96 nack pli", RtcpFeedback(96, "nack pli")),
        (RtcpFeedback, "* ccm fir", RtcpFeedback(None, "ccm fir")),
        (ExtMap, "4 urn:x", ExtMap(4, "urn:x")),
        (ExtMap, "9/sendonly urn:x a b", ExtMap(9, "urn:x", "sendonly", "a b", explicit=True)),
        (ExtMap, "9/sendrecv urn:x", ExtMap(9, "urn:x", explicit=True)),
        (Fingerprint, f"sha-256 {SHA}", Fingerprint("sha-256", SHA)),
        (Fingerprint, "sha-1 AB:CD", Fingerprint("sha-1", "AB:CD")),
        (Group, "BUNDLE 0 1", Group("BUNDLE", ("0", "1"))),
        (Group, "BUNDLE", Group("BUNDLE", ())),
        (Msid, "{a} {b}", Msid("{a}", "{b}")),
        (Msid, "-", Msid("-")),
        (SsrcAttribute, "12 cname:{x y}:z", SsrcAttribute(12, "cname", "{x y}:z")),
        (SsrcAttribute, "12", SsrcAttribute(12)),
        (SsrcAttribute, "12 fast", SsrcAttribute(12, "fast")),
        (SsrcGroup, "FID 1 4294967295", SsrcGroup("FID", (1, 0xFFFFFFFF))),
        (Rid, "q send", Rid("q", "send")),
        (Rid, "1 recv pt=96,97;max-width=640", Rid("1", "recv", ("96", "97"), ("max-width=640",))),
        (
            Simulcast,
            "send q;~h,x recv f",
            Simulcast(
                ((SimulcastRid("q"),), (SimulcastRid("h", paused=True), SimulcastRid("x"))), ((SimulcastRid("f"),),)
            ),
        ),
    ],
)
def test_values_are_read_and_written(family: Any, text: str, value: Any) -> None:
    assert family.parse(text) == value
    assert value.text == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rtpmap", "128 opus/48000"),
        ("rtpmap", "96 opus"),
        ("rtpmap", "96 /8000"),
        ("rtpmap", "96 opus/0"),
        ("rtpmap", "96 opus/48000/2/3"),
        ("rtpmap", "٣ opus/48000"),
        ("rtpmap", "+9 opus/48000"),
        ("fmtp", ""),
        ("rtcp-fb", "96"),
        ("rtcp-fb", "x nack"),
        ("extmap", "4"),
        ("extmap", "0 urn:x"),
        ("extmap", "4/both urn:x"),
        ("extmap", "65536 urn:x"),
        ("fingerprint", "sha-256"),
        ("fingerprint", "sha-256 AB:CD"),
        ("fingerprint", "sha-256 ABCD"),
        ("fingerprint", "sha-1 XY"),
        ("group", " "),
        ("mid", ""),
        ("mid", "a b"),
        ("msid", "a b c"),
        ("msid", ""),
        ("ssrc", "4294967296 cname:x"),
        ("ssrc-group", ""),
        ("ssrc-group", "FID x"),
        ("rid", "q"),
        ("rid", "q both"),
        ("rid", "! send"),
        ("simulcast", "send"),
        ("simulcast", "send q send h"),
        ("simulcast", "send q;;h"),
        ("simulcast", "both q"),
        ("ice-ufrag", "abc"),
        ("ice-pwd", "short"),
        ("ice-pwd", "a" * 257),
        ("ice-ufrag", "ab cd"),
        ("ice-ufrag", "ab\x01cd"),
        ("setup", "x"),
        ("sctp-port", "65536"),
        ("max-message-size", "-1"),
        ("max-message-size", "9" * 21),
    ],
)
def test_what_is_no_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(DecodeError):
        PARSERS[name](text)


@given(st.sampled_from(sorted(PARSERS)), st.text())
def test_families_raise_nothing_but_decode_errors(name: str, text: str) -> None:
    try:
        value = PARSERS[name](text)
    except DecodeError:
        return
    written = getattr(value, "text", None)
    if written is not None:
        assert PARSERS[name](written) == value


def test_draft_simulcast_is_read() -> None:
    assert Simulcast.parse(" send rid=q;h") == Simulcast(((SimulcastRid("q"),), (SimulcastRid("h"),)))


def test_digests_and_hash_names_are_read_in_any_case() -> None:
    assert Fingerprint.parse(f"SHA-256 {SHA.lower()}") == Fingerprint("sha-256", SHA)


def test_parameters_of_a_format() -> None:
    assert parse_parameters("minptime=10; useinbandfec=1;;Stereo = 1;stereo=0") == {
        "minptime": "10",
        "useinbandfec": "1",
        "stereo": "1",
    }
    assert parse_parameters("0-15") == {"0-15": ""}
    assert format_parameters({"111/111": ""}) == "111/111"
    assert format_parameters({"a": "1", "b": "2"}) == "a=1;b=2"


def test_candidates_are_text_in_one_form() -> None:
    for text in ("a=candidate:1 1 udp", "candidate:1 1 udp", "1 1 udp", " 1 1 udp "):
        assert candidate_text(text) == "candidate:1 1 udp"
    assert candidate_text("") == ""


def test_ice_values() -> None:
    assert parse_ufrag("abcd") == "abcd"
    assert parse_pwd("p" * 22) == "p" * 22
    assert parse_options("trickle goog-sped-v1") == ("trickle", "goog-sped-v1")
    assert parse_setup("actpass ") == "actpass"


def test_directions() -> None:
    for one in DIRECTIONS:
        assert reverse(reverse(one)) == one
        assert sends(reverse(one)) == receives(one)
        assert intersect(one, "sendrecv") == one
        assert intersect(one, "inactive") == "inactive"
    assert intersect("sendonly", "recvonly") == "inactive"


def test_a_section_takes_the_sessions_direction_if_it_has_none() -> None:
    model = parse(HEAD + "a=recvonly\r\nm=audio 9 x 0\r\nm=audio 9 x 0\r\na=sendonly\r\n")
    assert [direction_of(section, model) for section in model.media] == ["recvonly", "sendonly"]
    assert direction_of(model.media[0]) == "sendrecv"


@pytest.mark.parametrize(
    ("section", "port", "size"),
    [
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:6000\r\na=max-message-size:0\r\n", 6000, 0),
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", 5000, 65536),
        ("m=application 9 DTLS/SCTP 5001\r\na=sctpmap:5001 webrtc-datachannel 256\r\n", 5001, 65536),
        ("m=application 9 DTLS/SCTP 99999\r\n", 5000, 65536),
    ],
)
def test_data_sections(section: str, port: int, size: int) -> None:
    media = parse(HEAD + section).media[0]
    assert (port_of(media), max_message_size_of(media)) == (port, size)
