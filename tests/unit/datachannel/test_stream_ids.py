from hypothesis import given
from hypothesis import strategies as st

from pystack.datachannel.early import EarlyMessages
from pystack.datachannel.ids import MAX_STREAM_ID, StreamIds


def client() -> StreamIds:
    ids = StreamIds()
    ids.set_role(is_dtls_client=True)
    return ids


def test_the_dtls_client_has_the_even_ones_and_the_server_the_odd_ones():
    ids = client()
    assert [ids.allocate() for _ in range(3)] == [0, 2, 4]
    assert ids.is_ours(6)
    assert not ids.is_ours(7)
    server = StreamIds()
    assert not server.known
    server.set_role(is_dtls_client=False)
    assert [server.allocate() for _ in range(3)] == [1, 3, 5]


def test_one_is_free_again_only_when_both_directions_are_reset():
    for first, second in (("outgoing_reset", "incoming_reset"), ("incoming_reset", "outgoing_reset")):
        ids = client()
        assert ids.allocate() == 0
        assert not getattr(ids, first)(0)
        assert ids.allocate() == 2
        assert ids.incoming_is_reset(0) == (first == "incoming_reset")
        assert getattr(ids, second)(0)
        assert ids.allocate() == 0


def test_negotiated_ones_are_stepped_over():
    ids = StreamIds()
    assert ids.take(0)
    assert ids.take(4)
    assert not ids.take(4)
    ids.set_role(is_dtls_client=True)
    assert [ids.allocate() for _ in range(3)] == [2, 6, 8]
    ids.free(4)
    ids.free(4)
    assert [ids.allocate() for _ in range(2)] == [4, 10]


def test_a_peers_identifier_never_becomes_ours():
    ids = client()
    assert ids.take(1)
    ids.outgoing_reset(1)
    assert ids.incoming_reset(1)
    assert 1 not in ids
    assert ids.allocate() == 0


def test_resets_of_what_nobody_uses_mean_nothing():
    ids = client()
    assert not ids.outgoing_reset(8)
    assert not ids.incoming_reset(8)
    assert len(ids) == 0


def test_all_are_used_before_none_is_left():
    ids = client()
    ids.limit = 6
    assert [ids.allocate() for _ in range(4)] == [0, 2, 4, None]
    ids.limit = 2
    ids.free(4)
    assert ids.allocate() is None
    ids = client()
    assert sum(1 for _ in iter(ids.allocate, None)) == MAX_STREAM_ID // 2 + 1


@given(st.lists(st.tuples(st.sampled_from(["allocate", "take", "out", "in", "free"]), st.integers(0, 12)), max_size=60))
def test_no_identifier_is_ever_given_twice(steps):
    ids = client()
    ids.limit = 12
    held: dict[int, set[str]] = {}
    for what, identifier in steps:
        if what == "allocate":
            got = ids.allocate()
            assert (got is None) == all(even in held for even in range(0, 12, 2))
            if got is not None:
                assert got not in held
                held[got] = {"out", "in"}
        elif what == "take":
            assert ids.take(identifier) == (identifier not in held)
            held.setdefault(identifier, {"out", "in"})
        elif what == "free":
            ids.free(identifier)
            held.pop(identifier, None)
        else:
            freed = (ids.outgoing_reset if what == "out" else ids.incoming_reset)(identifier)
            left = held.get(identifier)
            if left is not None:
                left.discard(what)
                assert freed == (not left)
                if freed:
                    del held[identifier]
            else:
                assert not freed
        assert sorted(ids.taken()) == sorted(held)


def test_early_messages_are_kept_in_order_and_bounded():
    early = EarlyMessages(max_bytes=10, max_messages=3)
    assert early.keep(1, 53, b"12345")
    assert early.keep(2, 51, b"1234")
    assert not early.keep(1, 53, b"12")
    assert early.keep(1, 53, b"1")
    assert not early.keep(1, 57, b"")
    assert early.streams() == [1, 2]
    assert early.take(1) == [(53, b"12345"), (53, b"1")]
    assert early.take(1) == []
    assert early.keep(3, 53, b"123456")
    early.clear()
    assert len(early) == 0
    assert early.keep(3, 53, b"1234567890")
