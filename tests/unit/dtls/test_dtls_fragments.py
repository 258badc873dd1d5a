"""Reassembly: any order, overlap and repetition gives the message; memory stays bounded."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.dtls.fragments import Arrival, FragmentAssembler
from pystack.dtls.wire.handshake import Fragment
from pystack.errors import DecodeError


@settings(deadline=None)
@given(st.binary(max_size=400), st.randoms(use_true_random=False), st.integers(1, 90))
def test_any_order_overlap_and_repetition(body: bytes, chance: random.Random, piece: int) -> None:
    pieces = [
        Fragment(11, 0, len(body), at, body[at : at + piece + chance.randrange(20)])
        for at in range(0, max(1, len(body)), piece)
    ]
    pieces += chance.choices(pieces, k=3)
    chance.shuffle(pieces)
    assembler = FragmentAssembler()
    for fragment in pieces:
        assembler.add(fragment)
    message = assembler.peek()
    assert message is not None
    assert (message.kind, message.sequence, message.body) == (11, 0, body)
    assembler.advance()
    assert assembler.peek() is None
    assert assembler.add(pieces[0]) is Arrival.REPEATED


def test_messages_come_in_order() -> None:
    assembler = FragmentAssembler()
    assert assembler.add(Fragment(14, 1, 0, 0, b"")) is Arrival.KEPT
    assert assembler.peek() is None
    assembler.add(Fragment(2, 0, 3, 1, b"bc"))
    assert assembler.peek() is None
    assembler.add(Fragment(2, 0, 3, 0, b"a"))
    kinds = []
    while (message := assembler.peek()) is not None:
        kinds.append((message.kind, message.body))
        assembler.advance()
    assert kinds == [(2, b"abc"), (14, b"")]
    assert assembler.next == 2


def test_another_header_begins_the_message_again() -> None:
    """A forged fragment spoils a message until the peer sends it again."""
    assembler = FragmentAssembler()
    assembler.add(Fragment(2, 0, 4, 0, b"ab"))
    assembler.add(Fragment(2, 0, 9, 0, b"forged"))
    assembler.add(Fragment(2, 0, 4, 2, b"cd"))
    assert assembler.peek() is None
    assembler.add(Fragment(2, 0, 4, 0, b"ab"))
    message = assembler.peek()
    assert message is not None
    assert message.body == b"abcd"


def test_rejected_messages_may_come_again() -> None:
    assembler = FragmentAssembler()
    assembler.add(Fragment(2, 0, 3, 0, b"bad"))
    assembler.reject()
    assert assembler.peek() is None
    assembler.add(Fragment(2, 0, 4, 0, b"good"))
    message = assembler.peek()
    assert message is not None
    assert message.body == b"good"


def test_bounds() -> None:
    assembler = FragmentAssembler()
    with pytest.raises(DecodeError, match="ahead"):
        assembler.add(Fragment(2, 9, 3, 0, b"abc"))
    with pytest.raises(DecodeError, match="too large"):
        assembler.add(Fragment(2, 0, 16385, 0, b"abc"))
    for sequence in range(4):
        assembler.add(Fragment(2, sequence, 16384, 0, b"abc"))
    with pytest.raises(DecodeError, match="messages too large"):
        assembler.add(Fragment(2, 4, 1, 0, b"a"))
    assembler.clear()
    assembler.add(Fragment(2, 4, 1, 0, b"a"))


def test_a_scattered_message_is_begun_again() -> None:
    assembler = FragmentAssembler()
    for at in range(0, 16384, 2):
        assembler.add(Fragment(2, 0, 16384, at, b"x"))
    message = assembler._messages[0]
    assert len(message._got) <= 66
    for at in range(0, 16384, 1024):
        assembler.add(Fragment(2, 0, 16384, at, b"y" * 1024))
    whole = assembler.peek()
    assert whole is not None
    assert whole.body == b"y" * 16384
