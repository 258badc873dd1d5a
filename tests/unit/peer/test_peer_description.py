"""Descriptions and candidates as applications exchange them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.errors import InvalidArgument
from pystack.peer import IceCandidate, SessionDescription


@given(st.sampled_from(["offer", "answer", "pranswer", "rollback"]), st.text())
def test_a_description_survives_json(kind: str, sdp: str) -> None:
    description = SessionDescription(kind, sdp)  # type: ignore[arg-type]
    assert SessionDescription.from_json(description.to_json()) == description


@given(st.text(), st.none() | st.text(), st.none() | st.integers(0, 100), st.none() | st.text())
def test_a_candidate_survives_json(text: str, mid: str | None, index: int | None, fragment: str | None) -> None:
    candidate = IceCandidate(text, mid, index, fragment)
    assert IceCandidate.from_json(candidate.to_json()) == candidate


def test_a_browsers_candidate_is_read() -> None:
    text = json.dumps({"candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0})
    assert IceCandidate.from_json(text) == IceCandidate("candidate:1 1 udp 1 10.0.0.1 9 typ host", "0", 0, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSON object"),
        ("[]", "not list"),
        ("{}", "type"),
        ('{"type": "rtc"}', "'rtc'"),
        ('{"type": "offer", "sdp": 1}', "sdp"),
        ("[" * 100_000, "JSON object"),
    ],
)
def test_a_bad_description_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        SessionDescription.from_json(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "JSON object"),
        ('{"candidate": 1}', "candidate"),
        ('{"sdpMid": 1}', "sdpMid"),
        ('{"sdpMLineIndex": "0"}', "sdpMLineIndex"),
        ('{"sdpMLineIndex": true}', "sdpMLineIndex"),
        ('{"usernameFragment": 1}', "usernameFragment"),
    ],
)
def test_a_bad_candidate_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        IceCandidate.from_json(text)


def test_an_unknown_type_is_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match="type"):
        SessionDescription("maybe", "")  # type: ignore[arg-type]
