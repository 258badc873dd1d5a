"""Payload descriptors: every field by hand-made bytes, and whatever else a peer may send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.payload import (
    PayloadDescription,
    RedBlock,
    build_red,
    describe_av1,
    describe_h264,
    describe_h265,
    describe_vp8,
    describe_vp9,
    describer,
    parse_red,
    rewrite_vp8,
)

D = PayloadDescription
REST = "9d012a"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10 10" + REST, D(key_frame=True)),
        ("10 11" + REST, D()),
        ("00 10" + REST, D(starts=False)),
        ("11 10" + REST, D(starts=False)),  # another partition of the frame
        ("30 11" + REST, D(discardable=True)),
        ("90 80 05 10", D(key_frame=True, picture_id=5, picture_id_bits=7)),
        ("90 80 8123 11", D(picture_id=0x123, picture_id_bits=15)),
        (
            "90 f0 8001 07 a3 11",
            D(picture_id=1, picture_id_bits=15, tl0_picture_index=7, temporal=2, switch_up=True),
        ),
        ("90 20 40 10", D(key_frame=True, temporal=1)),
        ("90 10 1f 10", D(key_frame=True)),  # KEYIDX alone: the temporal bits mean nothing
    ],
)
def test_vp8(text: str, wanted: D) -> None:
    assert describe_vp8(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0c 00", D(key_frame=True)),
        ("08 00", D(key_frame=True, ends=False)),
        ("04 00", D(starts=False)),
        ("4c 00", D()),
        ("8c 8123 00", D(key_frame=True, picture_id=0x123, picture_id_bits=15)),
        ("8c 05 00", D(key_frame=True, picture_id=5, picture_id_bits=7)),
        ("2c 30 09 00", D(key_frame=True, spatial=0, temporal=1, switch_up=True, tl0_picture_index=9)),
        ("2c 03 09 00", D(spatial=1, temporal=0, tl0_picture_index=9)),  # the upper layer of a key picture
        ("7d 42 03 02 00", D(spatial=1, temporal=2, discardable=True)),
        # A structure of two layers with sizes and a group of two pictures, one with a reference.
        ("0e 38 0140 00f0 0280 01e0 02 00 04 01 00", D(key_frame=True)),
    ],
)
def test_vp9(text: str, wanted: D) -> None:
    assert describe_vp9(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("65 88", D(key_frame=True)),
        ("67 42", D(key_frame=True)),
        ("61 88", D()),
        ("01 88", D(discardable=True)),
        ("78 0002 6742 0002 6588", D(key_frame=True)),
        ("78 0002 0942 0002 4188", D()),
        ("7c 85 00", D(key_frame=True, ends=False)),
        ("7c 05 00", D(starts=False, ends=False)),
        ("7c 45 00", D(starts=False)),
        ("7c 81 00", D(ends=False)),
        ("1c 81 00", D(ends=False, discardable=True)),
    ],
)
def test_h264(text: str, wanted: D) -> None:
    assert describe_h264(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("26 01 af", D(key_frame=True, spatial=0, temporal=0, switch_up=True)),  # IDR_W_RADL
        ("40 01 0c", D(key_frame=True, spatial=0, temporal=0)),  # VPS
        ("02 01 d0", D(spatial=0, temporal=0)),  # TRAIL_R
        ("00 03 d0", D(spatial=0, temporal=2, discardable=True)),  # TRAIL_N
        ("06 0a d0", D(spatial=1, temporal=1, switch_up=True)),  # TSA_R of an upper layer
        ("60 01 0003 400100 0003 260100", D(key_frame=True, spatial=0, temporal=0, switch_up=True)),
        ("62 01 93 00", D(key_frame=True, ends=False, spatial=0, temporal=0, switch_up=True)),
        ("62 01 13 00", D(starts=False, ends=False, spatial=0, temporal=0)),
        ("62 01 53 00", D(starts=False, spatial=0, temporal=0)),
        ("48 01", D(spatial=0, temporal=0)),  # EOS and EOB: their header is all they have
        ("4a 01", D(spatial=0, temporal=0)),
    ],
)
def test_h265(text: str, wanted: D) -> None:
    assert describe_h265(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("18 0a 0b", D(key_frame=True)),
        ("10 32 00", D()),
        ("50 32 00", D(ends=False)),
        ("90 32 00", D(starts=False)),
        ("10 36 68 00", D(temporal=3, spatial=1)),
        ("08 02 0a0b 02 3200", D(key_frame=True)),  # two elements, each with its length
        ("20 01 12 3200", D()),  # a temporal delimiter in front
    ],
)
def test_av1(text: str, wanted: D) -> None:
    assert describe_av1(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("codec", "texts"),
    [
        ("VP8", ["", "10", "90", "90 80", "90 80 81", "90 f0 8001 07", "90 20"]),
        ("VP9", ["", "8c", "8c 81", "2c", "2c 00", "5c", "5c 01 01 01 00", "0e", "0e 10 00", "0e 08 02 04", "0c"]),
        ("H264", ["", "78 0002 65", "78 0000", "78 00", "7c", "79 00", "1f 00", "00 00"]),
        ("H265", ["", "26 01", "26 00 00", "60 01 0003 40", "64 01 00"]),
        ("AV1", ["", "10", "98 00", "08 05 0a", "08 80", "08 ffffffffff", "10 b2", "10 36", "08 00 00"]),
    ],
)
def test_what_is_cut_short_or_forbidden_is_refused(codec: str, texts: list[str]) -> None:
    describe = describer(codec)
    assert describe is not None
    for text in texts:
        with pytest.raises(DecodeError):
            describe(bytes.fromhex(text))


@given(st.sampled_from(("vp8", "vp9", "h264", "h265", "av1")), st.binary(max_size=40))
def test_any_bytes_are_described_or_refused(codec: str, data: bytes) -> None:
    describe = describer(codec)
    assert describe is not None
    try:
        found = describe(data)
    except DecodeError:
        return
    assert found.starts or not found.key_frame
    assert (found.picture_id is None) == (found.picture_id_bits == 0)
    assert found.picture_id is None or found.picture_id < 1 << found.picture_id_bits


@given(st.binary(min_size=1, max_size=30), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_rewriting_vp8_changes_the_numbers_and_nothing_else(data: bytes, picture: int, tl0: int, key: int) -> None:
    try:
        before = describe_vp8(data)
    except DecodeError:
        return
    written = rewrite_vp8(data, picture, tl0, key)
    assert len(written) == len(data)
    after = describe_vp8(written)
    assert (after.key_frame, after.starts, after.temporal, after.switch_up, after.discardable) == (
        before.key_frame,
        before.starts,
        before.temporal,
        before.switch_up,
        before.discardable,
    )
    assert after.picture_id_bits == before.picture_id_bits
    if before.picture_id is not None:
        assert after.picture_id == picture & ((1 << before.picture_id_bits) - 1)
    if before.tl0_picture_index is not None:
        assert after.tl0_picture_index == tl0 & 0xFF
    assert rewrite_vp8(written, before.picture_id, before.tl0_picture_index) == rewrite_vp8(data, None, None, key)
    assert rewrite_vp8(data) == data


blocks = st.builds(RedBlock, st.integers(0, 127), st.integers(0, 16383), st.binary(max_size=1023))


@given(st.lists(blocks, max_size=4), st.integers(0, 127), st.binary(max_size=50))
def test_red_is_read_as_it_was_built(copies: list[RedBlock], payload_type: int, payload: bytes) -> None:
    everything = [*copies, RedBlock(payload_type, 0, payload)]
    assert parse_red(build_red(everything)) == everything


@given(st.binary(max_size=60))
def test_any_bytes_are_red_or_refused(data: bytes) -> None:
    try:
        found = parse_red(data)
    except DecodeError:
        return
    assert build_red(found) == data


def test_red_of_rfc_2198_and_what_cannot_be_built() -> None:
    # Opus (111) with one copy of 960 units before.
    data = bytes.fromhex("ef 0f0002 6f") + b"old"[:2] + b"new"
    assert parse_red(data) == [RedBlock(111, 960, b"ol"), RedBlock(111, 0, b"new")]
    assert build_red(parse_red(data)) == data
    for wrong in (
        [],
        [RedBlock(0, 0, b"")] * 17,
        [RedBlock(128, 0, b"")],
        [RedBlock(0, 0, bytes(1024)), RedBlock(0, 0, b"")],
        [RedBlock(0, 16384, b""), RedBlock(0, 0, b"")],
    ):
        with pytest.raises(InvalidArgument):
            build_red(wrong)
    with pytest.raises(DecodeError):
        parse_red(b"\x80\0\0\0" * 17 + b"\0")


def test_codecs_without_a_descriptor() -> None:
    assert describer("opus") is None
