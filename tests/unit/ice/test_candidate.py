"""Candidates as browsers write them, and as nobody should."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.errors import DecodeError, InvalidArgument
from pystack.ice import Candidate, Credentials, candidate_foundation, candidate_priority, make_credentials

CHROMIUM = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.4 rport 46154 "
    "generation 0 ufrag X5rM network-id 1 network-cost 10"
)
FIREFOX = "candidate:0 1 UDP 2122252543 0b1c2d3e-1111-4222-8333-444455556666.local 53011 typ host"
ACTIVE_TCP = "candidate:3 1 tcp 1518280447 10.0.0.4 9 typ host tcptype active generation 0"


def test_a_line_of_chromium_is_understood_and_written_as_it_was():
    candidate = Candidate.parse("a=" + CHROMIUM)
    assert (candidate.host, candidate.port, candidate.type) == ("203.0.113.7", 46154, "srflx")
    assert (candidate.related_address, candidate.related_port) == ("10.0.0.4", 46154)
    assert candidate.extension("ufrag") == "X5rM"
    assert candidate.extension("tcptype") is None
    assert candidate.unusable_because is None
    assert candidate.write() == CHROMIUM


def test_a_line_of_firefox_is_understood():
    candidate = Candidate.parse(FIREFOX)
    assert candidate.transport == "udp"
    assert candidate.unusable_because == "mdns"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ACTIVE_TCP, "tcp"),
        ("candidate:1 2 udp 1 10.0.0.4 1 typ host", "component"),
        ("candidate:1 1 udp 1 10.0.0.4 0 typ host", "port"),
        ("candidate:1 1 udp 1 10.0.0.4 1 typ strange", "type"),
        ("candidate:1 1 sctp 1 10.0.0.4 1 typ host", "transport"),
        ("candidate:1 1 udp 1 not.an.address 1 typ host", "address"),
        ("candidate:1 1 udp 1 0.0.0.0 1 typ host", "address"),
        ("candidate:1 1 udp 1 ff02::1 1 typ host", "address"),
        ("1 1 udp 1 2001:db8::1 1 typ host", None),
        ("candidate:1 1 udp 1 10.0.0.4 1 typ host raddr 10.0.0.9", None),
        ("candidate:1 1 udp 1 10.0.0.4 1 typ host generation", None),
    ],
)
def test_what_cannot_be_used_says_why(text, why):
    candidate = Candidate.parse(text)
    assert candidate.unusable_because == why
    assert Candidate.parse(candidate.write()) == candidate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:1 1 udp 1 10.0.0.4 1 typ",
        "candidate:1 1 udp 1 10.0.0.4 1 type host",
        "candidate:1 0 udp 1 10.0.0.4 1 typ host",
        "candidate:1 1 udp 99999999999 10.0.0.4 1 typ host",
        "candidate:1 1 udp 1 10.0.0.4 65536 typ host",
        "candidate:1 1 udp 1 10.0.0.4 -1 typ host",
        "candidate:1 1 udp 1 10.0.0.4 1_0 typ host",
        "candidate:1 1 udp ١ 10.0.0.4 1 typ host",
        "candidate:1 1 udp 1 10.0.0.4 1 typ host raddr 1.2.3.4 rport x",
        "candidate:1 1 udp 1 10.0.0.4 1 typ host " + "x y " * 2000,
    ],
)
def test_what_is_no_candidate_is_refused(text):
    with pytest.raises(DecodeError):
        Candidate.parse(text)


@given(st.text(max_size=200) | st.text(alphabet="candidate: 0123456789.typhosudpr", max_size=120))
@settings(deadline=None, max_examples=200)
def test_arbitrary_text_is_read_or_refused(text):
    try:
        candidate = Candidate.parse(text)
    except DecodeError:
        return
    assert candidate.unusable_because is not None or candidate.host
    assert Candidate.parse(candidate.write()) == candidate


def test_priorities_follow_the_formula():
    assert candidate_priority("host") == 2130706431
    assert candidate_priority("relay", 0, 2) == 254
    assert candidate_priority("host") > candidate_priority("prflx") > candidate_priority("srflx")


def test_foundations_tell_bases_and_servers_apart():
    foundations = {
        candidate_foundation("host", "10.0.0.1"),
        candidate_foundation("host", "10.0.0.2"),
        candidate_foundation("srflx", "10.0.0.1", "a"),
        candidate_foundation("srflx", "10.0.0.1", "b"),
    }
    assert len(foundations) == 4
    assert candidate_foundation("host", "10.0.0.1") in foundations


def test_our_credentials_are_long_enough_and_legal():
    credentials = make_credentials(SeededRandomness(1))
    assert len(credentials.ufrag) == 8
    assert len(credentials.pwd) == 24
    assert Credentials.checked(credentials.ufrag, credentials.pwd) == credentials
    assert credentials.key == credentials.pwd.encode()
    assert credentials.pwd not in repr(credentials)
    assert make_credentials(SeededRandomness(2)) != credentials
    with pytest.raises(InvalidArgument):
        make_credentials(SeededRandomness(1), ufrag_size=4)


@pytest.mark.parametrize(
    ("ufrag", "pwd"),
    [("abc", "p" * 22), ("a" * 257, "p" * 22), ("abcd", "p" * 21), ("ab:d", "p" * 22), ("äbcd", "p" * 22)],
)
def test_a_peers_credentials_are_checked(ufrag, pwd):
    with pytest.raises(InvalidArgument):
        Credentials.checked(ufrag, pwd)
