"""A link does what its options say, and only that."""

from math import inf

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.testing import Link, LinkOptions


def fill(link: Link[int], count: int, size: int = 100, now: float = 0.0, gap: float = 0.0) -> list[str]:
    return [link.put(number, size, now + number * gap) for number in range(count)]


def empty(link: Link[int]) -> list[tuple[float, int]]:
    arrived = []
    while (at := link.deadline) < inf:
        arrived += [(at, item) for item in link.take(at)]
    return arrived


def test_the_default_is_perfect_and_instant() -> None:
    link: Link[int] = Link()
    assert link.deadline == inf
    assert fill(link, 3) == ["", "", ""]
    assert link.deadline == 0.0
    assert link.take(0.0) == [0, 1, 2]
    assert (link.sent, link.delivered, link.bytes_delivered) == (3, 3, 300)


def test_delay_and_rate_add_up() -> None:
    link: Link[int] = Link(LinkOptions(delay=0.5, rate_bps=8000))  # 100 bytes take 0.1 s
    fill(link, 3)
    assert [at for at, _ in empty(link)] == pytest.approx([0.6, 0.7, 0.8])


def test_the_queue_drops_its_tail_in_bytes() -> None:
    link: Link[int] = Link(LinkOptions(rate_bps=8000, queue=250))
    assert fill(link, 4) == ["", "", "queue full", "queue full"]
    assert link.backlog(0.0) == pytest.approx(200)
    assert link.backlog(0.1) == pytest.approx(100)
    assert link.overflowed == 2
    assert link.put(9, 150, 0.1) == ""


def test_a_queue_smaller_than_a_datagram_still_sends() -> None:
    link: Link[int] = Link(LinkOptions(rate_bps=8000, queue=10))
    assert link.put(0, 100, 0.0) == ""
    assert link.put(1, 100, 0.0) == "queue full"


def test_overhead_costs_rate() -> None:
    link: Link[int] = Link(LinkOptions(rate_bps=8000, overhead=100))
    link.put(0, 100, 0.0)
    assert link.deadline == pytest.approx(0.2)


def test_mtu() -> None:
    link: Link[int] = Link(LinkOptions(mtu=100))
    assert link.put(0, 100, 0.0) == ""
    assert link.put(1, 101, 0.0) == "above the mtu"
    assert link.too_large == 1


def test_loss_is_about_what_was_asked_for() -> None:
    link: Link[int] = Link(LinkOptions(loss=0.2), seed="loss")
    fill(link, 2000)
    assert 300 < link.lost < 500
    assert len(empty(link)) == 2000 - link.lost


def test_duplicates_arrive_twice() -> None:
    link: Link[int] = Link(LinkOptions(duplicate=1.0))
    fill(link, 2)
    assert [item for _, item in empty(link)] == [0, 0, 1, 1]
    assert link.duplicated == 2


def test_jitter_alone_keeps_the_order() -> None:
    link: Link[int] = Link(LinkOptions(delay=0.1, jitter=0.5))
    fill(link, 100, gap=0.01)
    assert [item for _, item in empty(link)] == list(range(100))


def test_reorder_holds_some_back() -> None:
    link: Link[int] = Link(LinkOptions(reorder=0.2, reorder_delay=0.05))
    fill(link, 100, gap=0.01)
    items = [item for _, item in empty(link)]
    assert sorted(items) == list(range(100))
    assert items != sorted(items)


def test_lose_decides_by_number_and_content() -> None:
    link: Link[int] = Link()
    link.lose = lambda number, item: number == 1 or item == 3
    assert fill(link, 5) == ["", "lost", "", "lost", ""]


def test_a_black_hole_swallows_what_is_in_flight_until_healed() -> None:
    link: Link[int] = Link(LinkOptions(delay=1.0))
    fill(link, 2)
    link.black_hole()
    assert link.deadline == inf
    assert link.put(2, 10, 0.0) == "black hole"
    link.heal()
    assert link.put(3, 10, 0.0) == ""
    assert [item for _, item in empty(link)] == [3]
    assert link.lost == 3


options = st.builds(
    LinkOptions,
    delay=st.sampled_from([0.0, 0.01, 0.3]),
    jitter=st.sampled_from([0.0, 0.02]),
    loss=st.sampled_from([0.0, 0.3, 1.0]),
    duplicate=st.sampled_from([0.0, 0.3]),
    reorder=st.sampled_from([0.0, 0.3]),
    rate_bps=st.sampled_from([inf, 1e5]),
    queue=st.sampled_from([inf, 3000]),
    mtu=st.sampled_from([inf, 500]),
)


@settings(max_examples=50, deadline=None)
@given(options, st.lists(st.integers(1, 1500), max_size=60), st.integers(0, 99))
def test_every_datagram_is_accounted_for_and_a_seed_repeats_itself(
    chosen: LinkOptions, sizes: list[int], seed: int
) -> None:
    def go() -> tuple[list[tuple[float, int]], Link[int]]:
        link: Link[int] = Link(chosen, seed)
        for number, size in enumerate(sizes):
            link.put(number, size, number * 0.001)
        return empty(link), link

    arrived, link = go()
    assert link.sent == len(sizes)
    assert link.delivered == len(arrived)
    assert link.sent + link.duplicated == link.delivered + link.lost + link.overflowed + link.too_large
    assert all(at >= number * 0.001 + chosen.delay for at, number in arrived)
    assert [at for at, _ in arrived] == sorted(at for at, _ in arrived)
    assert go()[0] == arrived


def test_one_option_does_not_shift_the_luck_of_another() -> None:
    def lost(chosen: LinkOptions) -> set[int]:
        link: Link[int] = Link(chosen, 5)
        return {number for number in range(200) if link.put(number, 10, 0.0) == "lost"}

    plain = LinkOptions(loss=0.3)
    assert lost(plain) == lost(attrs.evolve(plain, duplicate=0.5, reorder=0.5, jitter=0.1))
