"""The bounded history of sent packets, against a plain dict."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import InvalidArgument
from pystack.rtp.streams.history import HEADER, OVERHEAD, PAYLOAD, SENT_AT, HistoryBudget, PacketHistory


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


def test_a_shared_budget_drops_the_oldest_of_all_and_counts_them() -> None:
    budget = HistoryBudget(5 * (OVERHEAD + 100))
    histories = [PacketHistory(64, 10_000, 10.0, budget) for _ in range(3)]
    for number in range(9):
        histories[number % 3].add(number // 3, number / 10, b"head", bytes(95) + bytes((number,)))
    assert (budget.dropped, budget.size) == (4, 5 * (OVERHEAD + 100))
    left = [number for number in range(9) if histories[number % 3].get(number // 3, 0.8)]
    assert left == [4, 5, 6, 7, 8]
    assert [history.size for history in histories] == [100, 200, 200]
    # What one gives back, the others may use.
    histories[1].clear()
    histories[0].add(9, 1.0, b"head", bytes(96))
    histories[0].add(10, 1.0, b"head", bytes(96))
    assert budget.dropped == 4
    assert histories[2].get(1, 1.0) is not None


def test_a_budget_forgets_by_age_whoever_sent_it() -> None:
    budget = HistoryBudget(max_age=1.0)
    quiet, busy = PacketHistory(64, 10_000, 10.0, budget), PacketHistory(64, 10_000, 10.0, budget)
    quiet.add(1, 0.0, b"h", b"old")
    busy.add(1, 1.0, b"h", b"x")
    assert quiet.size == 4
    busy.add(2, 1.1, b"h", b"y")
    assert quiet.size == 0
    assert quiet.get(1, 1.1) is None
    assert (budget.dropped, len(budget)) == (0, 2)


def test_a_payload_that_goes_to_many_counts_once_and_until_the_last_forgets_it() -> None:
    budget = HistoryBudget()
    histories = [PacketHistory(64, 10_000, 10.0, budget) for _ in range(10)]
    payload = bytes(1000)
    for history in histories:
        history.add(1, 0.0, b"head", payload)
    assert budget.size == 1000 + 10 * (4 + OVERHEAD)
    for history in histories[:-1]:
        history.clear()
    assert budget.size == 1000 + 4 + OVERHEAD
    histories[-1].clear()
    assert (budget.size, len(budget)) == (0, 0)


def test_a_budget_needs_room() -> None:
    for bounds in ((0, 1.0), (1, 0.0)):
        with pytest.raises(InvalidArgument):
            HistoryBudget(*bounds)


def test_a_packet_that_is_larger_than_the_budget_is_not_kept() -> None:
    budget = HistoryBudget(OVERHEAD)
    history = PacketHistory(64, 10_000, 10.0, budget)
    history.add(1, 0.0, b"head", b"payload")
    assert (history.size, budget.size, budget.dropped, len(budget)) == (0, 0, 1, 0)
    assert history.get(1, 0.0) is None
    assert history.newest(0.0, 5) == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(-3, 30), st.integers(0, 60), st.floats(0, 0.3), st.sampled_from("aaaaasec")
        ),
        max_size=60,
    )
)
def test_a_budget_is_exact_and_never_exceeded(steps: list[tuple[int, int, int, float, str]]) -> None:
    budget = HistoryBudget(3000, 1.0)
    histories = [PacketHistory(8, 500, 2.0, budget) for _ in range(3)]
    now, number, payload = 0.0, 1000, b"first"
    for which, step, size, wait, what in steps:
        now += wait
        history = histories[which]
        if what == "e":
            history.expire(now)
        elif what == "c":
            history.clear()
        else:
            number += step
            payload = payload if what == "s" else bytes(size)  # the same again, as in a fan-out
            history.add(number, now, b"head", payload)
            held = [kept for each in histories for kept in each._ring if kept is not None]
            assert all(now - kept[SENT_AT] <= 1.0 for kept in held)
        held = [kept for each in histories for kept in each._ring if kept is not None]
        shares = {id(kept[6]): kept[6] for kept in held}
        assert all(share[1] == sum(kept[6] is share for kept in held) for share in shares.values())
        expected = sum(len(kept[HEADER]) + OVERHEAD for kept in held) + sum(share[0] for share in shares.values())
        assert budget.size == expected <= 3000
        assert all(
            each.size == sum(len(kept[HEADER]) + len(kept[PAYLOAD]) for kept in held if kept[7] is each) <= 500
            for each in histories
        )
    for each in histories:
        each.clear()
    assert (budget.size, len(budget)) == (0, 0)
