"""The bounded history of sent packets, against a plain dict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp.streams.history import HEADER, PAYLOAD, PacketHistory


def test_bounded_by_number() -> None:
    history = PacketHistory(5, 10_000, 10.0)
    for number in range(100, 120):
        history.add(number, 0.0, b"h", b"p")
    assert [number for number in range(90, 130) if history.get(number, 0.0)] == list(range(112, 120))
    assert history.size == 16


def test_bounded_by_bytes() -> None:
    history = PacketHistory(64, 100, 10.0)
    for number in range(20):
        history.add(number, 0.0, b"head", bytes(26))
    assert [number for number in range(20) if history.get(number, 0.0)] == [17, 18, 19]
    history.add(20, 0.0, b"", bytes(101))
    assert history.size == 0
    assert history.get(20, 0.0) is None


def test_bounded_by_age() -> None:
    history = PacketHistory(64, 10_000, 1.0)
    for number in range(10):
        history.add(number, number / 10, b"h", b"p")
    assert history.get(0, 1.0) is not None
    assert history.get(0, 1.01) is None
    history.expire(1.45)
    assert history.size == 10
    history.expire(100.0)
    assert history.size == 0
    history.add(10, 100.0, b"h", b"p")
    assert history.get(10, 100.0) is not None
    history.clear()
    assert history.get(10, 100.0) is None


def test_a_jump_forgets_everything_and_late_ones_fit_in() -> None:
    history = PacketHistory(8, 10_000, 10.0)
    history.add(0, 0.0, b"h", b"0")
    history.add(30_000, 0.0, b"h", b"1")
    history.add(29_998, 0.0, b"h", b"2")
    history.add(29_990, 0.0, b"h", b"3")
    assert history.get(29_998, 0.0)
    assert history.get(29_990, 0.0) is None
    history.add(29_998, 0.0, b"h", b"four")
    kept = history.get(29_998, 0.0)
    assert kept is not None
    assert (kept[HEADER], kept[PAYLOAD], history.size) == (b"h", b"four", 7)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-10, 40), st.integers(0, 40), st.floats(0, 0.3)), max_size=60))
def test_it_equals_a_dict(steps: list[tuple[int, int, float]]) -> None:
    history = PacketHistory(16, 300, 1.0)
    model: dict[int, tuple[float, bytes]] = {}
    now = 0.0
    number = 1000
    for step, size, wait in steps:
        now += wait
        number += step
        history.add(number, now, b"", bytes(size))
        newest = max([*model, number])
        if number > newest - 16:
            model[number] = (now, bytes(size))
        assert history.size == sum(len(kept[PAYLOAD]) for kept in history._ring if kept is not None)
        assert history.size <= 300
        for each in range(newest - 40, newest + 3):
            kept = history.get(each, now)
            if kept is not None:
                assert each in model
                assert kept[PAYLOAD] == model[each][1]
                assert now - model[each][0] <= 1.0
                assert each > newest - 16
