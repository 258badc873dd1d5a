"""Payload types and extension ids of our own offers."""

from __future__ import annotations

import pytest

from pystack.errors import InvalidArgument
from pystack.sdp.jsep import AgreedCodec, AgreedExtension, CodecCapability, ExtensionCapability, RemoteSection
from pystack.sdp.jsep.numbers import ExtensionIds, PayloadTypes, note_extensions, note_payload_types

OPUS = CodecCapability(name="opus", clock_rate=48000, channels=2, payload_type=111)
VP8 = CodecCapability(name="VP8", clock_rate=90000, rtx=True, payload_type=96, rtx_payload_type=97)


def numbers(codecs: tuple[AgreedCodec, ...]) -> list[tuple[int, int | None]]:
    return [(codec.payload_type, codec.rtx_payload_type) for codec in codecs]


def test_wishes_are_granted_while_free() -> None:
    table = PayloadTypes({})
    assert numbers(table.assign((VP8, VP8), ())) == [(96, 97)]
    assert numbers(table.assign((VP8,), ())) == [(96, 97)], "the same codec has one number in the session"
    taken = PayloadTypes({96: ("h264", "90000", "1", "x")})
    assert numbers(taken.assign((VP8,), ())) == [(97, 98)]


def test_what_a_section_had_it_keeps() -> None:
    table = PayloadTypes({120: ("vp8", "90000", "1"), 121: ("vp8", "90000", "1"), 125: ("rtx", "121")})
    had = AgreedCodec(payload_type=121, name="VP8", clock_rate=90000, rtx_payload_type=125)
    assert numbers(table.assign((VP8,), (had,))) == [(121, 125)]
    assert numbers(table.assign((VP8,), ())) == [(120, 97)]


def test_numbers_run_out() -> None:
    full = dict.fromkeys(range(128), ("x",))
    with pytest.raises(InvalidArgument, match="no payload type is left for opus"):
        PayloadTypes(full).assign((OPUS,), ())
    nearly = dict.fromkeys((*range(96, 128), *range(36, 64)), ("x",))
    assert numbers(PayloadTypes(nearly).assign((OPUS,), ())) == [(35, None)]


def test_red_names_what_it_repeats() -> None:
    red = CodecCapability(name="red", clock_rate=48000, channels=2)
    codecs = PayloadTypes({}).assign((OPUS, red), ())
    assert codecs[1].fmtp == {"111/111": ""}
    assert PayloadTypes({}).assign((red,), ()) == ()
    video_red = CodecCapability(name="red", clock_rate=90000)
    assert PayloadTypes({}).assign((video_red,), ())[0].fmtp == {}


def test_extension_ids() -> None:
    ids = ExtensionIds({4: "urn:mid"})
    wanted = (
        ExtensionCapability(uri="urn:mid", preferred_id=1),
        ExtensionCapability(uri="urn:rid", preferred_id=4, direction="recvonly"),
        ExtensionCapability(uri="urn:none", direction="inactive"),
        ExtensionCapability(uri="urn:rid"),
    )
    assert ids.assign(wanted) == (AgreedExtension(4, "urn:mid"), AgreedExtension(1, "urn:rid", "recvonly"))
    many = tuple(ExtensionCapability(uri=f"urn:{number}") for number in range(300))
    assigned = ExtensionIds({}).assign(many)
    assert [one.id for one in assigned] == [*range(1, 15), *range(16, 256)]


def test_a_remote_offer_may_give_numbers_another_meaning_and_an_answer_may_not() -> None:
    section = RemoteSection(
        index=0,
        mid="0",
        kind="video",
        codecs=(AgreedCodec(payload_type=96, name="VP9", clock_rate=90000, rtx_payload_type=97),),
        extensions=(AgreedExtension(4, "urn:new"), AgreedExtension(4096, "urn:choose")),
    )
    table = {96: ("vp8", "90000", "1"), 97: ("rtx", "96")}
    assert note_payload_types(table, (section,), offered=True)[96] == ("vp9", "90000", "1", "0")
    assert note_payload_types(table, (section,), offered=False)[96] == ("vp8", "90000", "1")
    assert note_extensions({4: "urn:old"}, (section,), offered=True) == {4: "urn:new"}
    assert note_extensions({4: "urn:old"}, (section,), offered=False) == {4: "urn:old"}
