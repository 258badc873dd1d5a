"""The small parts of a session: the demultiplexer, the computed state, the queue of media."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.session.demux import DTLS, RTCP, RTP, STUN, UNKNOWN, classify
from pystack.session.media import MediaQueue
from pystack.session.transport_state import connection_state


def plain_classify(data: bytes) -> int:
    """RFC 7983 section 7, as its text has it."""
    if not data:
        return UNKNOWN
    first = data[0]
    if first in range(4):
        return STUN
    if first in range(20, 64):
        return DTLS
    if first in range(128, 192):
        return RTCP if len(data) > 1 and data[1] in range(192, 224) else RTP
    return UNKNOWN


@given(st.binary(max_size=4))
def test_the_first_bytes_tell_the_layer(data: bytes) -> None:
    assert classify(data) == plain_classify(data)


def test_every_first_byte() -> None:
    for first in range(256):
        for second in (0, 96, 191, 192, 200, 223, 224):
            data = bytes([first, second])
            assert classify(data) == plain_classify(data)


@pytest.mark.parametrize(
    ("ice", "dtls", "state"),
    [
        ("new", "new", "new"),
        ("checking", "new", "connecting"),
        ("connected", "new", "connecting"),
        ("connected", "connecting", "connecting"),
        ("connected", "connected", "connected"),
        ("completed", "connected", "connected"),
        ("disconnected", "connected", "disconnected"),
        ("failed", "connected", "failed"),
        ("connected", "failed", "failed"),
        ("connected", "closed", "closed"),
        ("checking", "connected", "connecting"),
    ],
)
def test_the_connection_state_is_computed(ice: str, dtls: str, state: str) -> None:
    assert connection_state(False, ice, dtls) == state  # type: ignore[arg-type]
    assert connection_state(True, ice, dtls) == "closed"  # type: ignore[arg-type]


def test_late_media_is_dropped_and_counted() -> None:
    queue = MediaQueue(age=0.1, limit=10)
    queue.push(b"old", 0.0)
    queue.push(b"new", 0.15)
    out: list[bytes] = []
    queue.pop_into(out, 0.2, inf)
    assert out == [b"new"]
    assert queue.dropped_late == 1


def test_a_full_queue_drops_the_oldest() -> None:
    queue = MediaQueue(age=10, limit=2)
    for n in range(5):
        queue.push(bytes([n]), 0.0)
    out: list[bytes] = []
    queue.pop_into(out, 0.0, 1)
    assert out == [b"\x03"]
    assert len(queue) == 1
    assert queue.dropped_full == 3
    queue.clear()
    assert len(queue) == 0
