"""Descriptions and candidates as applications exchange them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.errors import InvalidArgument
from pystack.peer import Configuration, IceCandidate, PeerConnection, SessionDescription
from pystack.testing import run
from pystack.testing.mempath import MemoryNetwork


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


@pytest.mark.parametrize("name", ["two words", "line\n", "\x7f", "tab\t"])
def test_a_name_that_cannot_stand_in_a_description_is_refused_at_the_call(name: str) -> None:
    async def main() -> None:
        connection = PeerConnection(Configuration(mux=MemoryNetwork()))
        for call in (
            lambda: connection.add_track("audio", track_id=name),
            lambda: connection.add_track("audio", track_id="t", stream_ids=[name]),
            lambda: connection.add_transceiver("video", stream_ids=[""]),
            lambda: connection.add_track("audio", track_id="ok").set_track(name),
        ):
            with pytest.raises(InvalidArgument, match="is empty or has a space or a control character"):
                call()
        assert len(connection.transceivers) == 1  # that of "ok": a refusal changed nothing
        connection.abort()

    run(main())
