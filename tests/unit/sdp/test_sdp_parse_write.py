"""Text to model and back: nothing is lost, and nothing but DecodeError comes out of nonsense."""

from __future__ import annotations

import contextlib
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.sdp import Limits, Line, MediaSection, attribute, parse, write

VECTORS = sorted((Path(__file__).resolve().parents[2] / "vectors" / "sdp").glob("*.sdp"))
SMALL = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_real_descriptions_come_back_as_they_were(path: Path) -> None:
    text = path.read_bytes().decode().replace("\r\n", "\n").replace("\n", "\r\n")
    model = parse(text)
    assert write(model) == text
    assert parse(write(model)) == model
    assert model.media


def test_lines_may_end_in_lf_and_be_empty() -> None:
    assert write(parse(SMALL.replace("\r\n", "\n\n"))) == SMALL


def test_unknown_lines_and_attributes_are_kept() -> None:
    text = SMALL + "a=x-thing:1\r\nm=video 5000/2 RTP/AVP 96 97\r\ni=title\r\nb=AS:300\r\na=sctp-init:AQ==\r\nk=x\r\n"
    model = parse(text)
    assert write(model) == text
    assert model.media[0].port_count == 2
    assert model.media[0].formats == ("96", "97")
    assert model.media[0].all("sctp-init")[0].content == "AQ=="


def test_the_origin_is_read() -> None:
    origin = parse(SMALL).origin
    assert (origin.session_id, origin.version, origin.address) == ("1", "2", "127.0.0.1")
    with pytest.raises(DecodeError):
        _ = attrs.evolve(parse(SMALL), lines=()).origin


def test_lines_compare_without_their_numbers() -> None:
    assert Line("a", "mid:0", 7) == attribute("mid", "0")
    assert attribute("rtcp-mux").content is None
    assert Line("s", "x:y").name == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: a description begins with v=0"),
        ("o=- 1 2 IN IP4 0\r\n", "line 1: a description begins"),
        ("v=1\r\no=- 1 2 IN IP4 0\r\n", "line 1: v=1 is not a version"),
        ("v=0\r\n", "line 1: the session has 0 o= lines"),
        (SMALL + SMALL[5:], "the session has 2 o= lines"),
        ("v=0\r\no=- 1 2 IN\r\n", "line 2: o= has 4 fields"),
        (SMALL + "what is this\r\n", "line 5: not of the form x=value"),
        (SMALL + "A=upper\r\n", "line 5: not of the form"),
        (SMALL + "a=x\0y\r\n", "line 5: a NUL character"),
        (SMALL + "m=audio 9\r\n", "line 5: m= has 2 fields"),
        (SMALL + "m=audio 70000 RTP/AVP 0\r\n", "line 5: m= has the port '70000'"),
        (SMALL + "m=audio -1 RTP/AVP 0\r\n", "line 5: m= has the port"),
        (SMALL + "m=audio 9/x RTP/AVP 0\r\n", "line 5: m= has the port"),
        (SMALL + "m=audio 9 RTP/AVP 0\r\na=rtpmap:0\r\n", "line 6: a=rtpmap: "),
        (SMALL + "a=ice-ufrag:ab\r\n", "line 5: a=ice-ufrag: 2 characters, not 4 to 256"),
        (SMALL + "a=setup:maybe\r\n", "line 5: a=setup: 'maybe' is not"),
        (SMALL + "a=group\r\n", "line 5: a=group: no semantics"),
    ],
)
def test_errors_name_the_line(text: str, complaint: str) -> None:
    with pytest.raises(DecodeError, match=r"line|characters") as caught:
        parse(text)
    assert str(caught.value).startswith(complaint) or complaint in str(caught.value)


def test_what_is_too_large_is_refused() -> None:
    limits = Limits(text=400, line=60, lines=8, sections=2)
    section = "m=audio 9 RTP/AVP 0\r\n"
    assert len(parse(SMALL + 2 * section, limits).media) == 2
    with pytest.raises(DecodeError, match="line 7: more than 2 media sections"):
        parse(SMALL + 3 * section, limits)
    with pytest.raises(DecodeError, match="line 9: more than 8 lines"):
        parse(SMALL + 5 * "a=x\r\n", limits)
    with pytest.raises(DecodeError, match="line 5: 63 characters, more than 60"):
        parse(SMALL + "a=" + 61 * "x", limits)
    with pytest.raises(DecodeError, match="more than 400"):
        parse(SMALL + 400 * "x", limits)


_ALPHABET = st.characters(codec="utf-8", exclude_characters="\r\n\0")
_LINES = st.lists(
    st.builds(Line, st.sampled_from("abciktz"), st.text(_ALPHABET, max_size=30).map(lambda text: f"x-{text}")),
    max_size=5,
).map(tuple)
_TOKEN = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(
    _LINES,
    st.lists(
        st.builds(
            MediaSection,
            kind=_TOKEN,
            port=st.integers(0, 65535),
            protocol=_TOKEN,
            formats=st.lists(_TOKEN, max_size=3).map(tuple),
            port_count=st.none() | st.integers(1, 9),
            lines=_LINES,
        ),
        max_size=4,
    ).map(tuple),
)
def test_any_model_survives_the_trip(lines: tuple[Line, ...], media: tuple[MediaSection, ...]) -> None:
    model = attrs.evolve(parse(SMALL), media=media)
    model = attrs.evolve(model, lines=(*model.lines, *lines))
    assert parse(write(model)) == model


@settings(max_examples=50)
@given(st.sampled_from(VECTORS), st.data())
def test_mutated_descriptions_raise_nothing_but_decode_errors(path: Path, data: st.DataObject) -> None:
    text = path.read_bytes().decode()
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    with contextlib.suppress(DecodeError):
        assert parse(write(parse(text))) == parse(text)


@given(st.text())
def test_any_text_raises_nothing_but_decode_errors(text: str) -> None:
    for candidate in (text, SMALL + text, SMALL + "m=video 9 x 1\r\na=" + text):
        with contextlib.suppress(DecodeError):
            parse(candidate)
