"""Which codecs are the same, and what is written about them."""

from __future__ import annotations

import pytest

from pystack.sdp.jsep import AgreedCodec, CodecCapability
from pystack.sdp.jsep.matching import (
    answered_parameters,
    common_feedback,
    identity,
    match_answer,
    match_offer,
)


def ours(name: str, rate: int = 90000, **fmtp: str) -> CodecCapability:
    return CodecCapability(name=name, clock_rate=rate, fmtp={k.replace("_", "-"): v for k, v in fmtp.items()}, rtx=True)


def theirs(name: str, number: int = 100, rtx: int | None = None, rate: int = 90000, **fmtp: str) -> AgreedCodec:
    parameters = {k.replace("_", "-"): v for k, v in fmtp.items()}
    return AgreedCodec(
        payload_type=number, name=name, clock_rate=rate, fmtp=parameters, rtx_payload_type=rtx, rtcp_fb=("nack", "x")
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ours("VP8"), theirs("vp8", max_fr="30"), True),
        (ours("opus", 48000), theirs("opus", rate=8000), False),
        (ours("VP9"), theirs("VP9", profile_id="0"), True),
        (ours("VP9", profile_id="0"), theirs("VP9", profile_id="2"), False),
        (ours("AV1"), theirs("AV1", profile="0", level_idx="5", tier="0"), True),
        (ours("AV1"), theirs("AV1", profile="1"), False),
        (ours("H265"), theirs("H265", profile_id="1", level_id="93"), True),
        (ours("H265"), theirs("H265", profile_id="2"), False),
        (ours("H265"), theirs("H265", tx_mode="MRST"), False),
        (ours("H264", profile_level_id="42e01f"), theirs("H264", profile_level_id="42E034"), True),
        (ours("H264", profile_level_id="42e01f"), theirs("H264", profile_level_id="42001f"), False),
        (ours("H264", profile_level_id="42e01f"), theirs("H264", profile_level_id="4d801f"), True),
        (ours("H264", profile_level_id="42e01f"), theirs("H264", profile_level_id="58c01f"), True),
        (ours("H264", profile_level_id="42001f"), theirs("H264"), True),
        (ours("H264", profile_level_id="42001f"), theirs("H264", profile_level_id="nonsense"), True),
        (ours("H264", profile_level_id="42001f"), theirs("H264", profile_level_id="58801f"), True),
        (ours("H264", profile_level_id="4d001f"), theirs("H264", profile_level_id="4d4028"), True),
        (ours("H264", profile_level_id="64001f"), theirs("H264", profile_level_id="640c1f"), False),
        (ours("H264", profile_level_id="f4001f"), theirs("H264", profile_level_id="f40028"), True),
        (ours("H264", profile_level_id="58001f"), theirs("H264", profile_level_id="42001f"), False),
        (ours("H264", packetization_mode="1"), theirs("H264"), False),
        (ours("H264", packetization_mode="0"), theirs("H264"), True),
    ],
)
def test_profiles_decide(one: CodecCapability, other: AgreedCodec, same: bool) -> None:
    assert (identity(one) == identity(other)) is same
    assert bool(match_offer((one,), (other,), prefer_local_order=False)[0]) is same


@pytest.mark.parametrize(
    ("own", "asymmetric", "offered", "answered"),
    [
        ("42e01f", True, "42e00a", "42e01f"),
        ("42e01f", False, "42e00a", "42e00a"),
        ("42e01f", False, "42e034", "42e01f"),
        ("42e00b", False, "42f00b", "42f00b"),  # level 1b, between 1.0 and 1.1
        ("", True, "42e034", "42e034"),
    ],
)
def test_h264_levels_are_lowered_without_asymmetry(own: str, asymmetric: bool, offered: str, answered: str) -> None:
    fmtp = {"level-asymmetry-allowed": "1"} if asymmetric else {}
    capability = CodecCapability(
        name="H264", clock_rate=90000, fmtp={**fmtp, **({"profile-level-id": own} if own else {})}
    )
    codec = AgreedCodec(payload_type=1, name="H264", clock_rate=90000, fmtp={**fmtp, "profile-level-id": offered})
    assert answered_parameters(capability, codec)["profile-level-id"] == answered


def test_red_repeats_the_offers_numbers() -> None:
    red = AgreedCodec(payload_type=63, name="red", clock_rate=48000, channels=2, fmtp={"109/109": ""})
    capability = CodecCapability(name="red", clock_rate=48000, channels=2)
    assert answered_parameters(capability, red) == {"109/109": ""}


def test_feedback_is_what_both_list() -> None:
    assert common_feedback(("nack", "nack pli", "nack"), ("ccm fir", "NACK PLI", "nack")) == ("nack", "nack pli")


def test_an_answer_keeps_the_offers_order_unless_preferences_were_set() -> None:
    capabilities = (ours("VP9"), ours("VP8"))
    offered = (theirs("VP8", 96, 97), theirs("H264", 98), theirs("VP9", 99), theirs("VP8", 100))
    send, receive = match_offer(capabilities, offered, prefer_local_order=False)
    assert [codec.payload_type for codec in send] == [96, 99]
    assert [codec.rtx_payload_type for codec in receive] == [97, None]
    send, _ = match_offer(capabilities, offered, prefer_local_order=True)
    assert [codec.payload_type for codec in send] == [99, 96]


def test_the_numbers_of_an_answer_are_those_of_the_receiver() -> None:
    offered = (theirs("VP8", 96, 97, max_fr="30"), theirs("VP9", 98, 99))
    answered = (theirs("VP9", 120, 121), theirs("VP8", 96, max_fr="60"), theirs("VP8", 96), theirs("AV1", 45))
    send, receive = match_answer(offered, answered)
    assert [(codec.name, codec.payload_type, codec.rtx_payload_type) for codec in send] == [
        ("VP9", 120, 121),
        ("VP8", 96, None),
    ]
    assert [(codec.name, codec.payload_type, codec.rtx_payload_type) for codec in receive] == [
        ("VP9", 98, 99),
        ("VP8", 96, None),
    ]
    assert send[1].fmtp == {"max-fr": "60"}
    assert receive[1].fmtp == {"max-fr": "30"}


def test_the_same_codec_under_two_numbers_is_told_apart_by_number() -> None:
    offered = (theirs("VP8", 96), theirs("VP8", 97))
    send, receive = match_answer(offered, (theirs("VP8", 97),))
    assert [codec.payload_type for codec in (*send, *receive)] == [97, 97]
