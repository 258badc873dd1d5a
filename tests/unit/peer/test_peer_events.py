"""The hub of events: kept for the first listener, told in one order, stopped at once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

from pystack.peer.outward import EventHub
from pystack.testing.loop import run


def test_events_before_anybody_listens_are_kept_within_a_bound() -> None:
    hub: EventHub[int] = EventHub(limit=3)
    for n in range(5):
        hub.emit(n)
    heard: list[int] = []
    hub.listen(heard.append)
    assert heard == [2, 3, 4]
    assert hub.dropped == 2
    hub.emit(5)
    assert heard == [2, 3, 4, 5]


def test_what_a_listener_causes_is_told_after_what_came_before() -> None:
    hub: EventHub[int] = EventHub()
    first: list[int] = []
    second: list[int] = []

    def cause(event: int) -> None:
        first.append(event)
        if event == 1:
            hub.emit(10)
            hub.end()

    hub.emit(1)
    hub.emit(2)
    hub.listen(lambda event: None)()  # a listener that stopped: what was kept is gone with it
    hub.listen(cause)
    hub.listen(second.append)
    hub.emit(1)
    assert first == second == [1, 10]
    hub.emit(3)
    assert first == [1, 10]


def test_kept_events_come_before_those_that_they_cause() -> None:
    hub: EventHub[int] = EventHub()
    heard: list[int] = []

    def cause(event: int) -> None:
        heard.append(event)
        if event < 3:
            hub.emit(event + 10)

    hub.emit(1)
    hub.emit(2)
    hub.listen(cause)
    assert heard == [1, 2, 11, 12]


def test_a_listener_stopped_by_another_hears_nothing_more() -> None:
    hub: EventHub[int] = EventHub()
    stops: list[Callable[[], None]] = []
    heard: list[int] = []
    hub.listen(lambda event: stops[0]())
    stops.append(hub.listen(heard.append))
    hub.emit(1)
    assert heard == []
    stops[0]()


def test_a_listener_added_while_telling_hears_what_comes_next() -> None:
    hub: EventHub[int] = EventHub()
    heard: list[int] = []

    def invite(event: int) -> None:
        if event == 1:
            hub.listen(heard.append)

    hub.listen(invite)
    hub.emit(1)
    hub.emit(2)
    assert heard == [2]


def test_an_iterator_that_falls_behind_loses_the_oldest_and_ends_with_the_last() -> None:
    async def main() -> None:
        hub: EventHub[int] = EventHub(limit=3)
        seen: list[int] = []

        async def iterate() -> None:
            async for event in hub.iterate(lambda event: event == 99):
                seen.append(event)
                await asyncio.sleep(1)

        task = asyncio.create_task(iterate())
        await asyncio.sleep(0)
        for n in range(10):
            hub.emit(n)
        hub.emit(99)
        hub.end()
        await task
        assert seen[-1] == 99
        assert len(seen) <= 4
        assert [event async for event in hub.iterate(lambda event: True)] == []

    run(main())


def test_an_iterator_that_is_left_does_not_stay_a_listener() -> None:
    async def main() -> None:
        hub: EventHub[int] = EventHub()
        hub.emit(1)
        async for _ in hub.iterate(lambda event: False):
            break
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not hub._listeners

    run(main())


def test_the_end_lets_go_of_the_listeners() -> None:
    hub: EventHub[int] = EventHub()

    class Listener:
        def hear(self, event: int) -> None: ...

    listener = Listener()
    hub.listen(listener.hear)
    gone = weakref.ref(listener)
    hub.end()
    del listener
    assert gone() is None
