"""The parts of the receiving half, each alone: tracker, window, reassembly; and the cookie."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.sctp.cookie import CookieJar, PeerParameters, StateCookie
from pystack.sctp.options import AssociationOptions
from pystack.sctp.rx.acker import Acker
from pystack.sctp.rx.interleaved import InterleavedReassembly
from pystack.sctp.rx.reassembly import Reassembly
from pystack.sctp.rx.tracker import TsnTracker
from pystack.sctp.rx.window import ITEM_COST, ReceiveWindow
from pystack.sctp.wire.data import BEGIN, END, UNORDERED
from pystack.sctp.wire.fast import unpack_gaps

OPTIONS = AssociationOptions()
U32 = st.integers(0, 0xFFFFFFFF)


def reference_gaps(arrived, cumulative):
    """What a SACK must say, worked out the slow way."""
    blocks = []
    for tsn in sorted(one for one in arrived if one > cumulative):
        if blocks and blocks[-1][1] == tsn - 1:
            blocks[-1][1] = tsn
        else:
            blocks.append([tsn, tsn])
    return [value - cumulative for block in blocks for value in block]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60), st.integers(0, 2**32 - 1))
def test_the_tracker_says_what_a_set_would_say(arrivals, initial):
    tracker = TsnTracker(OPTIONS)
    tracker.begin(initial)
    arrived = set()
    for offset, skip in arrivals:
        plain = tracker.plain((initial + offset) & 0xFFFFFFFF)
        assert plain == initial + offset
        if skip and offset % 7 == 0 and plain > tracker.cumulative:
            tracker.skip_to(plain)
            arrived |= set(range(initial, plain + 1))
        elif not tracker.has(plain):
            tracker.add(plain)
            arrived.add(plain)
        cumulative = initial - 1
        while cumulative + 1 in arrived:
            cumulative += 1
        assert tracker.cumulative == cumulative
        assert tracker.gapped == any(one > cumulative for one in arrived)
        if offset % 3:  # blocks are not asked for each time, so that what is kept meanwhile is seen to be right
            assert list(unpack_gaps(tracker.gaps())) == reference_gaps(arrived, cumulative)


def test_gap_blocks_never_outgrow_a_packet():
    tracker = TsnTracker(OPTIONS)
    tracker.begin(0)
    for tsn in range(1, 4000, 2):
        tracker.add(tsn)
    assert len(tracker.gaps()) <= 1191
    assert unpack_gaps(tracker.gaps())[:4] == (2, 2, 4, 4)
    window = ReceiveWindow(OPTIONS)
    acker = Acker(OPTIONS, tracker, window)
    for tsn in range(100):
        tracker.duplicate(tsn)
    acker.expire()
    sack = acker.take(bundled=False)
    assert sack is not None
    assert len(sack) <= OPTIONS.capacity
    assert tracker.duplicates == []


def test_what_a_sack_could_not_report_is_not_acceptable():
    tracker = TsnTracker(OPTIONS)
    tracker.begin(10)
    assert tracker.acceptable(9 + 65535)
    assert not tracker.acceptable(9 + 65536)


def test_the_window_counts_bytes_and_pieces():
    window = ReceiveWindow(OPTIONS)
    assert window.free == 1 << 20
    window.held, window.items = 1000, 10
    assert window.free == (1 << 20) - 1000 - 10 * ITEM_COST
    window.held = window.limit
    assert window.free == 0
    assert not window.takes(1, fills_gap=False)
    assert window.takes(1, fills_gap=True)
    window.held = window.hard_limit
    assert not window.takes(1, fills_gap=True)
    window.held, window.items = 0, window.max_items
    assert not window.takes(1, fills_gap=True)


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.randoms(use_true_random=False), st.booleans())
def test_fragments_in_any_order_become_the_messages(lengths, chance, unordered):
    """D03: every permutation."""
    window = ReceiveWindow(OPTIONS)
    reassembly = Reassembly(window, 1000)
    fragments, expected, tsn = [], [], 500
    for number, length in enumerate(lengths):
        length += 1
        content = [bytes([number, part]) for part in range(length)]
        expected.append((number, b"".join(content)))
        for part, payload in enumerate(content):
            flags = (BEGIN if part == 0 else 0) | (END if part == length - 1 else 0) | (UNORDERED if unordered else 0)
            fragments.append((tsn, flags, number % 3, number, 50 + number, payload))
            tsn += 1
    chance.shuffle(fragments)
    found = []
    for fragment in fragments:
        piece = reassembly.add(*fragment)
        assert not reassembly.violation
        if piece is not None:
            assert piece.ppid == 50 + piece.ssn
            found.append((piece.ssn, b"".join(piece.parts)))
    assert sorted(found) == expected
    assert len(reassembly) == 0
    assert window.held == sum(len(content) for _, content in expected)
    assert window.items == len(expected)


@settings(deadline=None)
@given(
    st.lists(st.integers(2, 12), min_size=1, max_size=8), st.randoms(use_true_random=False), st.integers(0, 2**32 - 1)
)
def test_interleaved_fragments_in_any_order_become_the_messages(lengths, chance, first_mid):
    """I06, I07, D03: every permutation, MIDs past their wrap, several streams and both kinds."""
    window = ReceiveWindow(OPTIONS)
    reassembly = InterleavedReassembly(window, 1000)
    fragments, expected = [], []
    for number, length in enumerate(lengths):
        kind, mid = number % 4, (first_mid + number) & 0xFFFFFFFF
        content = [bytes([number, part]) for part in range(length)]
        expected.append((50 + number, b"".join(content)))
        for part, payload in enumerate(content):
            flags = (BEGIN if part == 0 else 0) | (END if part == length - 1 else 0)
            fragments.append((kind, mid, flags, part or 50 + number, payload))
    chance.shuffle(fragments)
    found = []
    for fragment in fragments:
        whole = reassembly.add(*fragment)
        assert not reassembly.violation
        if whole is not None:
            found.append((whole.ppid, b"".join(whole.parts)))
    assert sorted(found) == expected
    assert len(reassembly) == reassembly.size == 0
    assert window.held == sum(len(content) for _, content in expected)
    assert window.items == len(expected)


def test_what_interleaved_messages_hold_is_given_back():
    """I10, P13: up to a MID and of one kind only; then all of it."""
    window = ReceiveWindow(OPTIONS)
    reassembly = InterleavedReassembly(window, 1000)
    for kind in (2, 3):
        for mid in (0xFFFFFFFF, 0, 1):
            reassembly.add(kind, mid, BEGIN, 53, b"aaaa")
            reassembly.add(kind, mid, 0, 7, b"bbbb")
    reassembly.drop_through(2, 0)
    reassembly.drop_through(9, 0)
    assert (window.held, window.items, len(reassembly), reassembly.size) == (32, 8, 4, 32)
    reassembly.clear()
    assert (window.held, window.items, len(reassembly), reassembly.size) == (0, 0, 0, 0)


def test_interleaved_messages_are_a_violation():
    """D18."""
    reassembly = Reassembly(ReceiveWindow(OPTIONS), 1000)
    reassembly.add(1, BEGIN, 1, 7, 0, b"a")
    reassembly.add(2, END, 2, 7, 0, b"b")
    assert reassembly.violation
    reassembly = Reassembly(ReceiveWindow(OPTIONS), 1000)
    reassembly.add(2, END, 1, 8, 0, b"b")
    reassembly.add(1, BEGIN, 1, 7, 0, b"a")
    assert reassembly.violation


def test_a_message_may_follow_one_that_was_given_up():
    reassembly = Reassembly(ReceiveWindow(OPTIONS), 1000)
    reassembly.add(1, BEGIN, 1, 7, 0, b"a")
    assert reassembly.add(2, BEGIN, 1, 8, 0, b"b") is None
    piece = reassembly.add(3, END, 1, 8, 0, b"c")
    assert piece is not None
    assert not reassembly.violation
    reassembly.drop_through(1)
    assert len(reassembly) == 0


def test_a_message_above_the_limit_is_a_violation():
    reassembly = Reassembly(ReceiveWindow(OPTIONS), 10)
    reassembly.add(1, BEGIN, 1, 7, 0, bytes(6))
    reassembly.add(2, 0, 1, 7, 0, bytes(6))
    assert "larger than 10" in reassembly.violation


def test_what_is_skipped_gives_its_window_back():
    window = ReceiveWindow(OPTIONS)
    reassembly = Reassembly(window, 1000)
    reassembly.add(1, BEGIN, 1, 7, 0, b"aaaa")
    reassembly.add(2, 0, 1, 7, 0, b"bbbb")
    reassembly.add(9, BEGIN, 1, 8, 0, b"cccc")
    reassembly.drop_through(5)
    assert (window.held, window.items, len(reassembly)) == (4, 1, 1)
    reassembly.clear()
    assert (window.held, window.items, len(reassembly)) == (0, 0, 0)


def test_the_rest_of_a_message_whose_beginning_was_skipped_goes_too():
    window = ReceiveWindow(OPTIONS)
    reassembly = Reassembly(window, 1000)
    reassembly.add(6, 0, 1, 7, 0, b"aaaa")
    reassembly.add(7, END, 1, 7, 0, b"bbbb")
    reassembly.drop_through(5)
    assert (window.held, window.items, len(reassembly)) == (0, 0, 0)
    # One that begins there is another message, and what comes later may be one that is not given up.
    reassembly.add(9, BEGIN, 1, 8, 0, b"cccc")
    reassembly.add(12, 0, 1, 9, 0, b"dddd")
    reassembly.drop_through(8)
    assert len(reassembly) == 2
    piece = reassembly.add(10, END, 1, 8, 0, b"cccc")
    assert piece is not None
    assert len(reassembly) == 1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0, BEGIN, END]), st.booleans()), max_size=60),
    st.integers(0, 3),
)
def test_pieces_are_kept_in_order_whatever_comes(fragments, stream):
    """The order that FORWARD-TSN goes by is that of the pieces there are."""
    window = ReceiveWindow(OPTIONS)
    reassembly = Reassembly(window, 1000)
    seen = set()
    for tsn, flags, skip in fragments:
        if skip:
            reassembly.drop_through(tsn)
        elif tsn not in seen:
            seen.add(tsn)
            piece = reassembly.add(tsn, flags, stream, 0, 0, b"x")
            if piece is not None:
                window.held -= piece.size
                window.items -= 1
        assert reassembly._firsts == sorted(reassembly._by_first)
        assert window.held == sum(piece.size for piece in reassembly._by_first.values())
        assert window.items == sum(len(piece.parts) for piece in reassembly._by_first.values())
    reassembly.drop_through(100)
    assert (window.held, window.items, len(reassembly)) == (0, 0, 0)


COOKIE = StateCookie(12.5, 1, 2, 3, 4, PeerParameters(5, 6, 7, 8, 9, True, False, True))


def test_a_cookie_comes_back_as_it_was():
    jar = CookieJar(b"k" * 32)
    assert jar.open(jar.seal(COOKIE)) == COOKIE
    assert jar.open(jar.seal(COOKIE) + b"\0\0\0") == COOKIE


@settings(deadline=None)
@given(st.integers(0, 2**16))
def test_a_changed_cookie_is_refused(seed):
    jar = CookieJar(b"k" * 32)
    sealed = bytearray(jar.seal(COOKIE))
    chance = random.Random(seed)
    sealed[chance.randrange(len(sealed))] ^= 1 << chance.randrange(8)
    with pytest.raises(DecodeError):
        jar.open(bytes(sealed))
    with pytest.raises(DecodeError):
        CookieJar(b"x" * 32).open(jar.seal(COOKIE))
    with pytest.raises(DecodeError):
        jar.open(jar.seal(COOKIE)[:-1])
