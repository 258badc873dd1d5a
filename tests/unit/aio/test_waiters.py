"""The queue of waiters: order, batons, deadlines and the end, on virtual time (L1, L3, L4, L5, L7, L10)."""

import asyncio
import gc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.aio import Waiters
from pystack.errors import LOCAL, Closed, PeerAborted
from pystack.testing import run


class Room:
    """So many units of room; an attempt takes one."""

    def __init__(self, units=0):
        self.units = units
        self.waiters = Waiters("room")
        self.taken = []
        self.tried = []

    async def take(self, who):
        def attempt():
            self.tried.append(who)
            if not self.units:
                return False
            self.units -= 1
            self.taken.append(who)
            return True

        return await self.waiters.until(attempt)

    def free(self, units=1):
        self.units += units
        self.waiters.wake()


def tasks(room, names):
    return {name: asyncio.create_task(room.take(name), name=name) for name in names}


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


def test_with_room_and_nobody_waiting_the_loop_is_not_touched():
    async def main():
        room = Room(1)
        coroutine = room.take("a")
        with pytest.raises(StopIteration) as stopped:
            coroutine.send(None)
        assert stopped.value.value is True

    run(main())


def test_who_came_first_goes_first_and_one_at_a_time():
    async def main():
        room = Room()
        waiting = tasks(room, "abcde")
        await settle()
        assert len(room.waiters) == 5
        room.free(2)
        await settle()
        assert room.taken == ["a", "b"]
        room.free(3)
        await settle()
        assert room.taken == list("abcde")
        assert all(task.result() for task in waiting.values())
        assert len(room.waiters) == 0

    run(main())


def test_a_newcomer_does_not_pass_those_who_wait():
    async def main():
        room = Room()
        tasks(room, "ab")
        await settle()
        room.free(1)  # the baton is a's, but a has not run yet
        late = asyncio.create_task(room.take("late"))
        await settle()
        assert room.taken == ["a"]
        room.free(2)
        await settle()
        assert room.taken == ["a", "b", "late"]
        await late

    run(main())


def test_a_cancelled_holder_of_the_baton_passes_it_on_and_has_taken_nothing():
    async def main():
        room = Room()
        waiting = tasks(room, "ab")
        await settle()
        room.free(1)
        waiting["a"].cancel()
        await settle()
        assert waiting["a"].cancelled()
        assert room.taken == ["b"]
        assert room.units == 0

    run(main())


def test_a_cancelled_one_in_the_middle_leaves_the_others_in_order():
    async def main():
        room = Room()
        waiting = tasks(room, "abc")
        await settle()
        waiting["b"].cancel()
        await settle()
        room.free(2)
        await settle()
        assert room.taken == ["a", "c"]

    run(main())


def test_the_callers_own_timeout_takes_nothing_and_passes_on():
    async def main():
        room = Room()

        async def impatient():
            async with asyncio.timeout(1):
                await room.take("impatient")

        first = asyncio.create_task(impatient())
        second = asyncio.create_task(room.take("patient"))
        await asyncio.sleep(2)
        with pytest.raises(TimeoutError):
            await first
        room.free(1)
        assert await second
        assert room.taken == ["patient"]

    run(main())


def test_a_wake_during_a_vain_try_is_not_lost():
    async def main():
        waiters = Waiters("thing")
        tries = []

        def attempt():
            tries.append(len(tries))
            if len(tries) == 3:
                return "third"
            waiters.wake()  # as a pump inside the attempt may do
            return None

        assert await waiters.until(attempt) == "third"

    run(main())


def test_the_deadline_reaches_those_who_already_wait_behind_others():
    async def main():
        loop = asyncio.get_running_loop()
        room = Room()
        waiting = tasks(room, "abc")
        await asyncio.sleep(1)
        room.waiters.set_deadline(loop.time() + 5)
        started = loop.time()
        results = await asyncio.gather(*waiting.values(), return_exceptions=True)
        assert [type(result) for result in results] == [TimeoutError] * 3
        assert len({id(result) for result in results}) == 3
        assert loop.time() - started == pytest.approx(5)
        with pytest.raises(TimeoutError):
            await room.take("late")  # still passed
        room.waiters.set_deadline(None)
        room.units = 1
        assert await room.take("later")
        assert room.taken == ["later"]

    run(main())


def test_a_deadline_may_be_moved_and_taken_back_while_waiting():
    async def main():
        loop = asyncio.get_running_loop()
        room = Room()
        room.waiters.set_deadline(loop.time() + 2)
        (waiting,) = tasks(room, "a").values()
        await asyncio.sleep(1)
        room.waiters.set_deadline(loop.time() + 10)
        await asyncio.sleep(5)
        assert not waiting.done()
        room.waiters.set_deadline(None)
        await asyncio.sleep(50)
        assert not waiting.done()
        room.waiters.set_deadline(loop.time() - 1)
        with pytest.raises(TimeoutError):
            await waiting
        assert room.waiters.deadline == pytest.approx(loop.time() - 1)

    run(main())


def test_one_who_was_rung_by_a_deadline_that_moved_keeps_his_place():
    async def main():
        loop = asyncio.get_running_loop()
        room = Room()
        tasks(room, "ab")
        await settle()
        room.waiters.set_deadline(loop.time())  # rings everybody
        room.waiters.set_deadline(None)  # before they could run
        room.units = 1
        await settle()
        assert room.taken == ["a"]
        assert set(room.tried) == {"a", "b"}
        room.free(1)
        await settle()
        assert room.taken == ["a", "b"]

    run(main())


def test_a_small_one_behind_a_large_one_does_not_slip_past():
    async def main():
        loop = asyncio.get_running_loop()
        room = Room()
        taken = []

        def take(size):
            if room.units < size:
                return False
            room.units -= size
            taken.append(size)
            return True

        waiting = [asyncio.create_task(room.waiters.until(lambda size=size: take(size))) for size in (2, 1)]
        await settle()
        room.waiters.set_deadline(loop.time())  # rings both
        room.waiters.set_deadline(None)
        room.units = 1
        await settle()
        assert taken == []
        room.free(2)
        await asyncio.gather(*waiting)
        assert taken == [2, 1]

    run(main())


def test_the_end_releases_everybody_at_once_each_with_an_error_of_his_own():
    async def main():
        room = Room()
        waiting = tasks(room, "abc")
        await settle()
        reason = PeerAborted("it said so")
        room.waiters.terminate(reason)
        room.waiters.terminate(LOCAL)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        errors = [task.exception() for task in waiting.values()]
        assert all(isinstance(error, Closed) and error.reason is reason for error in errors)
        assert len({id(error) for error in errors}) == 3
        assert reason.__traceback__ is None
        with pytest.raises(Closed):
            await room.take("late")
        assert room.tried == ["a"]  # nobody tries after the end
        assert room.waiters.reason is reason
        room.waiters.set_deadline(1)
        room.free()

    run(main())


def test_the_end_beats_the_baton_and_the_deadline():
    async def main():
        room = Room()
        waiting = tasks(room, "ab")
        await settle()
        room.free(1)
        room.waiters.set_deadline(0)
        room.waiters.terminate(LOCAL)
        await settle()
        assert all(isinstance(task.exception(), Closed) for task in waiting.values())
        assert room.units == 1

    run(main())


def test_an_end_from_inside_the_first_try_is_heard():
    async def main():
        waiters = Waiters("thing")
        with pytest.raises(Closed):
            await waiters.until(lambda: waiters.terminate(LOCAL))

    run(main())


def test_an_end_from_inside_a_later_try_is_heard():
    async def main():
        waiters = Waiters("thing")
        ends = iter([False, True])

        def attempt():
            if next(ends):
                waiters.terminate(LOCAL)

        task = asyncio.create_task(waiters.until(attempt))
        await settle()
        waiters.wake()
        await settle()
        assert isinstance(task.exception(), Closed)

    run(main())


def test_an_error_from_the_try_goes_to_its_caller_alone():
    async def main():
        room = Room()
        waiting = tasks(room, "a")

        def bad():
            raise ValueError("mine")

        failing = asyncio.create_task(room.waiters.until(bad))
        await settle()
        room.free(2)
        await settle()
        assert isinstance(failing.exception(), ValueError)
        assert waiting["a"].result()
        assert len(room.waiters) == 0

    run(main())


def test_cancelled_and_ended_in_the_same_turn_leaves_nothing_unseen():
    async def main():
        room = Room()
        waiting = tasks(room, "ab")
        await settle()
        room.waiters.terminate(LOCAL)
        for task in waiting.values():
            task.cancel()
        await asyncio.gather(*waiting.values(), return_exceptions=True)
        del waiting
        gc.collect()

    run(main())  # fails if the loop's exception handler was called


def test_nothing_is_kept_afterwards():
    async def main():
        loop = asyncio.get_running_loop()
        room = Room()
        room.waiters.set_deadline(loop.time() + 3600)
        waiting = tasks(room, "a")
        await settle()
        waiting["a"].cancel()
        await settle()
        waiting.clear()
        gone = weakref.ref(room.waiters)
        del room
        gc.collect()
        assert gone() is None

    run(main())


@given(
    st.lists(st.sampled_from(["wait", "free", "cancel", "turn", "deadline", "no deadline", "pass"]), max_size=60),
    st.randoms(),
)
@settings(deadline=None, max_examples=60)
def test_whatever_happens_order_holds_and_room_is_not_lost(steps, rng):
    async def main():
        loop = asyncio.get_running_loop()
        room = Room()
        waiting = {}
        for step in steps:
            match step:
                case "wait":
                    name = len(waiting)
                    waiting[name] = asyncio.create_task(room.take(name))
                case "free":
                    room.free(1)
                case "cancel" if waiting:
                    waiting[rng.choice(list(waiting))].cancel()
                case "turn":
                    await asyncio.sleep(0)
                case "deadline":
                    room.waiters.set_deadline(loop.time() + rng.choice((-1, 0, 1, 2)))
                case "no deadline":
                    room.waiters.set_deadline(None)
                case "pass":
                    await asyncio.sleep(1)
        await asyncio.sleep(10)
        assert room.taken == sorted(room.taken)
        succeeded = [
            name for name, task in waiting.items() if task.done() and not task.cancelled() and not task.exception()
        ]
        assert succeeded == room.taken
        if room.units:
            assert len(room.waiters) == 0  # nobody waits while there is room
        assert len(room.waiters) == sum(not task.done() for task in waiting.values())
        room.waiters.terminate(LOCAL)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(task.done() for task in waiting.values())
        for task in waiting.values():
            task.cancelled() or task.exception()

    run(main())
