"""What arrived and was not taken: readers in their order, taps in order, cancellation, and the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import LOCAL, Closed
from pystack.peer.inbox import Inbox
from pystack.peer.waiting import Awaited
from pystack.testing.loop import run


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_readers_are_served_in_the_order_of_arrival_and_newcomers_do_not_overtake() -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        tasks = [asyncio.create_task(inbox.take(None)) for _ in range(3)]
        await settle()
        inbox.put(0)
        late = asyncio.create_task(inbox.take(None))  # runs before the first reader has woken up, or after it
        for n in range(1, 4):
            inbox.put(n)
        assert await asyncio.gather(*tasks, late) == [0, 1, 2, 3]

    run(main())


def test_who_reads_in_the_turn_of_the_arrival_waits_behind_the_one_who_was_there() -> None:
    async def main() -> None:
        inbox: Inbox[str] = Inbox("box")
        first = asyncio.create_task(inbox.take(None))
        await settle()
        inbox.put("for the first")
        with pytest.raises(TimeoutError):
            await inbox.take(1)
        assert await first == "for the first"

    run(main())


def test_a_reader_cancelled_in_the_turn_of_the_arrival_has_taken_nothing() -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        first, second = (asyncio.create_task(inbox.take(None)) for _ in range(2))
        await settle()
        inbox.put(1)
        first.cancel()
        assert await second == 1
        assert first.cancelled()

    run(main())


def test_the_end_releases_all_readers_in_one_turn_and_leaves_what_came_before() -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        tasks = [asyncio.create_task(inbox.take(None)) for _ in range(50)]
        await settle()
        inbox.put(1)
        inbox.terminate(LOCAL)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        assert tasks[0].result() == 1
        assert all(isinstance(task.exception(), Closed) for task in tasks[1:])
        inbox.put(2)
        assert await inbox.take(0) == 2
        with pytest.raises(Closed):
            await inbox.take(None)

    run(main())


def test_a_tap_that_causes_the_next_item_gets_it_after_its_own() -> None:
    inbox: Inbox[int] = Inbox("box")
    order: list[str] = []

    def tap(item: int) -> None:
        order.append(f"begin {item}")
        if item < 3:
            inbox.put(item + 10)
            inbox.set_tap(tap)  # a tap that is set again from inside
        order.append(f"end {item}")

    inbox.put(1)
    inbox.put(2)
    inbox.set_tap(tap)
    assert order == [f"{edge} {n}" for n in (1, 2, 11, 12) for edge in ("begin", "end")]


def test_a_tap_that_removes_itself_leaves_the_rest_to_readers() -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        seen: list[int] = []
        reader = asyncio.create_task(inbox.take(None))
        await settle()

        def tap(item: int) -> None:
            seen.append(item)
            inbox.set_tap(None)

        inbox.set_tap(tap)
        inbox.put(1)
        inbox.put(2)
        assert await reader == 2
        assert seen == [1]

    run(main())


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_item_is_lost_or_reordered_under_random_cancellation(data: st.DataObject) -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        tasks: list[asyncio.Task[int]] = []
        put = 0
        for _ in range(data.draw(st.integers(1, 30))):
            match data.draw(st.sampled_from(["put", "read", "cancel", "pass", "timed"])):
                case "put":
                    inbox.put(put)
                    put += 1
                case "read":
                    tasks.append(asyncio.create_task(inbox.take(None)))
                case "timed":
                    tasks.append(asyncio.create_task(inbox.take(data.draw(st.sampled_from([0, 1])))))
                case "cancel" if tasks:
                    data.draw(st.sampled_from(tasks)).cancel()
                case _:
                    await asyncio.sleep(data.draw(st.sampled_from([0, 1])))
        await asyncio.sleep(2)
        inbox.terminate(LOCAL)
        if tasks:
            await asyncio.wait(tasks)
        taken = [task.result() for task in tasks if not task.cancelled() and task.exception() is None]
        assert taken + inbox.clear() == list(range(put))

    run(main())


def test_a_reader_that_reads_on_behind_another_hears_of_an_end_that_came_with_the_last_items() -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        read: list[int] = []

        async def read_on() -> None:
            with suppress(Closed):
                while True:
                    read.append(await inbox.take(None))

        iterator = asyncio.create_task(read_on())
        await settle()
        other = asyncio.create_task(inbox.take(None))
        await settle()
        inbox.put(1)
        inbox.put(2)
        inbox.terminate(LOCAL)
        assert await other == 2
        async with asyncio.timeout(1):
            await iterator
        assert read == [1]

    run(main())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whoever_reads_when_it_ends_comes_to_an_end(data: st.DataObject) -> None:
    async def main() -> None:
        inbox: Inbox[int] = Inbox("box")
        tasks: list[asyncio.Task[None]] = []
        taken: list[int] = []

        async def read(times: int) -> None:
            with suppress(Closed):
                for _ in range(times):
                    taken.append(await inbox.take(None))

        for number in range(data.draw(st.integers(1, 20))):
            match data.draw(st.sampled_from(["put", "put", "read", "read on", "pass"])):
                case "put":
                    inbox.put(number)
                case "read":
                    tasks.append(asyncio.create_task(read(1)))
                case "read on":
                    tasks.append(asyncio.create_task(read(99)))
                case _:
                    await asyncio.sleep(0)
        inbox.terminate(LOCAL)
        for _ in range(data.draw(st.integers(0, 3))):
            await asyncio.sleep(0)
        match data.draw(st.sampled_from(["nothing", "clear", "tap"])):
            case "clear":
                inbox.clear()
            case "tap":
                inbox.set_tap(taken.append)
        if tasks:
            async with asyncio.timeout(1):
                await asyncio.gather(*tasks)
        assert taken == sorted(taken)

    run(main())


def test_an_end_and_a_cancellation_in_one_turn_leave_no_error_that_nobody_saw() -> None:
    async def main() -> None:
        awaited = Awaited()
        ended = False

        def happened() -> bool:
            if ended:
                raise Closed.because("thing", LOCAL)
            return False

        tasks = [asyncio.create_task(awaited.until(happened, 5)) for _ in range(3)]
        await settle()
        ended = True
        awaited.ring()
        tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, Closed, Closed]
        assert len(awaited) == 0

    run(main())
