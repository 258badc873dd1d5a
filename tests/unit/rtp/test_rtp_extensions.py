"""Header extensions over raw bytes: both forms, unknown ones, translation between maps, typed values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    NO_EXTENSION,
    ORIENTATION,
    RID,
    TRANSPORT_SEQUENCE,
    HeaderExtensionMap,
    RtpPacket,
    pack_abs_send_time,
    pack_audio_level,
    pack_orientation,
    parse_abs_send_time,
    parse_audio_level,
    parse_orientation,
)
from pystack.rtp.extensions import ONE_BYTE, TWO_BYTE, Translation, elements, encode, find, translation, write

one_byte = st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=10)
two_byte = st.lists(
    st.tuples(st.integers(1, 255).filter(lambda number: number != 15), st.binary(max_size=40)), max_size=10
)


def test_ids_and_uris_of_a_map() -> None:
    which = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 9: "urn:x"})
    assert (which.mid, which.transport_sequence, which.audio_level) == (4, 3, 0)
    assert which.id_of("urn:x") == 9
    assert which.uri_of(9) == "urn:x"
    assert which.uri_of(1) is None
    assert which == HeaderExtensionMap([(9, "urn:x"), (3, TRANSPORT_SEQUENCE), (4, MID), (4, "urn:later")])
    assert hash(which) == hash(HeaderExtensionMap(which.entries))
    assert which != HeaderExtensionMap()
    assert "urn:x" in repr(which)
    for wrong in (0, 15, 256):
        with pytest.raises(InvalidArgument):
            HeaderExtensionMap({wrong: MID})


@settings(deadline=None)
@given(one_byte | two_byte)
def test_what_is_written_is_read_in_the_shorter_form(values: list[tuple[int, bytes]]) -> None:
    profile, body = write(values)
    assert elements(profile, body) == values
    assert len(body) % 4 == 0
    fits = all(number < 15 and 1 <= len(value) <= 16 for number, value in values)
    assert profile == (NO_EXTENSION if not values else ONE_BYTE if fits else TWO_BYTE)


@settings(deadline=None)
@given(one_byte | two_byte, st.integers(1, 255), st.lists(st.integers(0, 3), max_size=10))
def test_find_is_the_first_of_elements(values: list[tuple[int, bytes]], wanted: int, gaps: list[int]) -> None:
    profile, _ = write(values)
    short = profile != TWO_BYTE
    body = b""
    for at, value in enumerate(values):
        body += bytes(gaps[at] if at < len(gaps) else 0) + encode([value], short)
    profile = ONE_BYTE if short else 0x1007
    expected = next((value for number, value in values if number == wanted), None)
    assert find(profile, body, wanted) == expected
    assert elements(profile, body) == values


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from((NO_EXTENSION, 0, ONE_BYTE, TWO_BYTE, 0x100F, 0xFFFF)), st.binary(max_size=40), st.integers(1, 255)
)
def test_damaged_bodies_are_read_or_refused(profile: int, body: bytes, wanted: int) -> None:
    found = find(profile, body, wanted)
    try:
        values = elements(profile, body)
    except DecodeError:
        return
    assert found == next((value for number, value in values if number == wanted), None)


def test_id_15_ends_the_one_byte_form() -> None:
    body = b"\x10A\xf0B\x20C\0\0"
    assert elements(ONE_BYTE, body) == [(1, b"A")]
    assert find(ONE_BYTE, body, 2) is None
    assert elements(ONE_BYTE, b"\x10A\x01BC\x20C") == [(1, b"A")]
    assert find(ONE_BYTE, b"\x10A\x01BC\x20C", 2) is None
    assert find(ONE_BYTE, b"\x13AB", 1) is None


def test_get_and_set_keep_everything_else() -> None:
    which = HeaderExtensionMap({1: AUDIO_LEVEL, 4: MID, 200: "urn:long"})
    packet = RtpPacket()
    which.set(packet, MID, b"0")
    which.set(packet, AUDIO_LEVEL, pack_audio_level(True, 30))
    assert packet.extension_profile == ONE_BYTE
    packet.extension_profile, packet.extension = write([(9, b"unknown"), *elements(ONE_BYTE, packet.extension)])
    which.set(packet, MID, b"12")
    assert elements(packet.extension_profile, packet.extension) == [(9, b"unknown"), (1, b"\x9e"), (4, b"12")]
    which.set(packet, "urn:long", bytes(40))
    assert packet.extension_profile == TWO_BYTE
    assert which.get(packet, MID) == b"12"
    assert which.get(packet, RID) is None
    assert which.get(packet, "urn:long") == bytes(40)
    with pytest.raises(InvalidArgument):
        which.set(packet, RID, b"q")
    with pytest.raises(InvalidArgument):
        which.set(packet, MID, bytes(256))
    packet.extension_profile = 0x4242
    with pytest.raises(InvalidArgument):
        which.set(packet, MID, b"0")


def test_translation_goes_by_uri_and_leaves_out_what_each_sender_writes_itself() -> None:
    source = HeaderExtensionMap(
        {1: AUDIO_LEVEL, 2: ABS_SEND_TIME, 3: TRANSPORT_SEQUENCE, 4: MID, 13: ORIENTATION, 9: "x"}
    )
    target = HeaderExtensionMap({7: AUDIO_LEVEL, 1: MID, 13: TRANSPORT_SEQUENCE, 200: "x"})
    _, body = write([(4, b"0"), (3, b"\0\1"), (2, b"abc"), (1, b"\x05"), (13, b"\1"), (8, b"?")])
    table = Translation(source, target)
    assert table.apply(ONE_BYTE, body) == (True, b"\x70\x05")
    assert table.apply(ONE_BYTE, body) == (True, b"\x70\x05")
    _, body = write([(1, b"\x05"), (9, b"y")])
    assert table.apply(ONE_BYTE, body) == (False, b"\x07\x01\x05\xc8\x01y")
    assert table.apply(ONE_BYTE, b"\x1fA") == (True, b"")
    assert table.apply(0x4242, body) == (True, b"")
    assert Translation(source, HeaderExtensionMap()).apply(ONE_BYTE, body) == (True, b"")


def test_translations_between_equal_maps_are_shared() -> None:
    one, two = HeaderExtensionMap({1: AUDIO_LEVEL}), HeaderExtensionMap({2: AUDIO_LEVEL})
    assert translation(one, two) is translation(
        HeaderExtensionMap({1: AUDIO_LEVEL}), HeaderExtensionMap({2: AUDIO_LEVEL})
    )
    assert translation(None, two).apply(ONE_BYTE, b"\x20\x07") == (True, b"\x20\x07")


def test_the_same_body_under_another_profile_is_another_body() -> None:
    which = HeaderExtensionMap({1: AUDIO_LEVEL, 16: "x"})
    table = Translation(which, which)
    body = b"\x10\x01\x00\x00"
    assert table.apply(ONE_BYTE, body) == (True, b"\x10\x01")
    assert table.apply(TWO_BYTE, body) == (False, b"\x10\x01\x00")


@given(st.booleans(), st.integers(0, 127))
def test_audio_level(voice: bool, level: int) -> None:
    assert parse_audio_level(pack_audio_level(voice, level)) == (voice, level)
    assert parse_audio_level(b"") is None


@given(st.floats(0, 1e9))
def test_abs_send_time(seconds: float) -> None:
    read = parse_abs_send_time(pack_abs_send_time(seconds))
    assert read is not None
    assert abs((seconds - read + 32) % 64 - 32) < 1e-5
    assert parse_abs_send_time(b"ab") is None


def test_orientation() -> None:
    for rotation in (0, 90, 180, 270):
        assert parse_orientation(pack_orientation(rotation, flipped=True)) == (rotation, True, False)
    assert parse_orientation(pack_orientation(90, back_camera=True)) == (90, False, True)
    assert parse_orientation(b"") is None
