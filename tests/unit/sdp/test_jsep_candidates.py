"""Candidates that come later are put where they belong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pystack.errors import InvalidArgument
from pystack.sdp import parse
from pystack.sdp.jsep import with_candidates

ONE, TWO = "candidate:1 1 udp 1 192.0.2.1 5000 typ host", "a=candidate:2 1 udp 1 192.0.2.2 5000 typ host"


def test_they_go_to_the_section_that_has_the_transport(kit: SimpleNamespace) -> None:
    side = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "audio"))
    text = side.offer()
    text = with_candidates(text, [ONE, "", ONE])
    text = with_candidates(text, [ONE, TWO], complete=True)
    assert with_candidates(text, [ONE], complete=True) == text
    first, second = parse(text).media
    assert [line.content for line in first.all("candidate")] == [
        "1 1 udp 1 192.0.2.1 5000 typ host",
        "2 1 udp 1 192.0.2.2 5000 typ host",
    ]
    assert len(first.all("end-of-candidates")) == 1
    assert not second.has("candidate")
    moved = parse(with_candidates(text.replace("BUNDLE 0 1", "BUNDLE 1 0"), [ONE]))
    assert moved.media[1].has("candidate")
    ungrouped = parse(with_candidates(text.replace("a=group:BUNDLE 0 1\r\n", ""), ["3 1 udp"]))
    assert len(ungrouped.media[0].all("candidate")) == 3
    other = parse(with_candidates(text.replace("group:BUNDLE 0 1", "group:BUNDLE gone"), ["3 1 udp"]))
    assert len(other.media[0].all("candidate")) == 3
    by_mid = parse(with_candidates(text, [ONE], mid="1"))
    assert by_mid.media[1].has("candidate")
    assert with_candidates(text, []) == text


def test_dead_sections_are_passed_over(kit: SimpleNamespace) -> None:
    text = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "audio")).offer()
    dead = text.replace("m=audio 9", "m=audio 0", 1)
    assert parse(with_candidates(dead, [ONE])).media[1].has("candidate")
    assert with_candidates(dead.replace("m=audio 9", "m=audio 0"), [ONE]) == dead.replace("m=audio 9", "m=audio 0")


def test_wrong_arguments(kit: SimpleNamespace) -> None:
    text = kit.Side(kit.make_transceiver(1, "audio")).offer()
    with pytest.raises(InvalidArgument, match="no section with a=mid:x"):
        with_candidates(text, [ONE], mid="x")
    with pytest.raises(InvalidArgument, match="line break"):
        with_candidates(text, [ONE + "\r\na=evil"])
