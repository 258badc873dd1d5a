"""What runs per packet - layouts, readers, translations, headers - equals its plain twins, whatever comes before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    NO_EXTENSION,
    ORIENTATION,
    RID,
    TRANSPORT_SEQUENCE,
    ExtensionReader,
    HeaderExtensionMap,
    RtpPacket,
)
from pystack.rtp.extensions import ONE_BYTE, TWO_BYTE, Translation, elements, find, write
from pystack.rtp.layout import MAX_MARKS, MAX_SHAPES, Layout
from pystack.rtp.streams.rewriter import HeaderRewriter
from pystack.rtp.streams.writer import ExtensionWriter, TransportSequence

SOURCE = HeaderExtensionMap({1: AUDIO_LEVEL, 2: ABS_SEND_TIME, 3: TRANSPORT_SEQUENCE, 4: MID, 5: ORIENTATION, 6: "x"})

small = st.lists(st.tuples(st.integers(1, 8), st.binary(min_size=1, max_size=3)), max_size=4)
large = st.lists(st.tuples(st.integers(1, 8), st.binary(max_size=20)), min_size=1, max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[int, bytes]:
    """Well-formed bodies with gaps, damaged ones, and noise, of few sizes, so that shapes meet again."""
    kind = draw(st.sampled_from(("written", "gaps", "noise")))
    if kind == "noise":
        profile = draw(st.sampled_from((ONE_BYTE, TWO_BYTE, 0x1007, 0x4242)))
        return profile, draw(st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8))
    profile, body = write(draw(small | large))
    if profile == NO_EXTENSION:
        return ONE_BYTE, bytes(4)
    if kind == "gaps" and profile == ONE_BYTE:
        body = bytes(draw(st.integers(0, 3))) + body
        body += bytes(-len(body) & 3)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + bytes((draw(st.integers(0, 255)),)) + body[at + 1 :]
    return profile, body


@settings(deadline=None, max_examples=200)
@given(bodies())
def test_a_layout_holds_the_elements(body: tuple[int, bytes]) -> None:
    try:
        layout = Layout(*body)
    except ValueError:
        return
    profile, data = body
    if profile == 0x4242:
        return  # nobody asks for the layout of a profile without elements
    assert [(number, data[start:stop]) for number, start, stop in layout.elements] == elements(profile, data)
    assert layout.marks(data) == layout.expected


@settings(deadline=None, max_examples=200)
@given(
    st.lists(bodies(), max_size=8),
    st.lists(st.sampled_from((MID, AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_SEQUENCE, "x", "not there")), max_size=4),
)
def test_a_reader_equals_finding_one_by_one(stream: list[tuple[int, bytes]], uris: list[str]) -> None:
    reader = ExtensionReader(SOURCE, *uris)
    for profile, body in [*stream, *stream, (NO_EXTENSION, b"")]:
        packet = RtpPacket(extension_profile=profile, extension=body)
        assert reader.read(packet) == tuple(SOURCE.get(packet, uri) for uri in uris)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(bodies(), max_size=8),
    st.dictionaries(st.sampled_from((1, 2, 5, 9, 14, 20)), st.sampled_from((AUDIO_LEVEL, ORIENTATION, "x", MID))),
)
def test_a_translation_equals_its_plain_twin(stream: list[tuple[int, bytes]], target: dict[int, str]) -> None:
    which = Translation(SOURCE, HeaderExtensionMap(target))
    for profile, body in [*stream, *stream]:
        if profile != 0x4242:
            assert which.apply(profile, body) == which.translate(profile, body)


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from((1, 3, 7, 14, 20)),
        st.sampled_from((MID, RID, ABS_SEND_TIME, TRANSPORT_SEQUENCE, AUDIO_LEVEL, ORIENTATION, "x")),
    ),
    st.lists(st.tuples(bodies() | st.just((NO_EXTENSION, b"")), st.integers(0, 65535), st.floats(0, 100)), max_size=6),
    st.sampled_from(("", "a", "long name")),
)
def test_a_rewritten_header_equals_its_plain_twin(
    target: dict[int, str], stream: list[tuple[tuple[int, bytes], int, float]], mid: str
) -> None:
    names = HeaderExtensionMap(target)
    hot, plain = (
        HeaderRewriter(77, names, ExtensionWriter(names, mid, TransportSequence(65534), 1000.0)) for _ in range(2)
    )
    plain.follow(SOURCE)
    for (profile, body), number, now in [*stream, *stream]:
        packet = RtpPacket(extension_profile=profile, extension=body, extension_map=SOURCE)
        args = (packet, 96 | 0x80, number, number * 3, b"payload", now)
        assert hot.rewrite(*args) == plain._rewrite_rare(*args)


def test_a_peer_that_varies_its_shapes_makes_nothing_grow() -> None:
    reader = ExtensionReader(SOURCE, "x")
    which = Translation(SOURCE, HeaderExtensionMap({3: "x"}))
    for size in range(500):
        profile, body = write([(6, bytes(size % 255)), *[(7, bytes(200))] * (size // 100)])
        packet = RtpPacket(extension_profile=profile, extension=body)
        assert reader.read(packet) == (find(profile, body, 6),)
        assert which.apply(profile, body) == which.translate(profile, body)
    padded = RtpPacket(extension_profile=ONE_BYTE, extension=b"\x60x" + bytes(60_002))
    assert reader.read(padded) == (b"x",)
    assert which.apply(ONE_BYTE, padded.extension) == (True, b"\x30x")
    assert max(len(plan.expected) for plan in (*reader._plans.values(), *which._plans.values())) <= MAX_MARKS + 1
    assert len(reader._plans) <= MAX_SHAPES
    assert len(which._plans) <= MAX_SHAPES
