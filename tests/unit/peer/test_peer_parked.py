"""Writers that wait: FIFO, deadlines, cancellation, and the end, on virtual time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import LOCAL, Closed, MessageTooLarge, PeerAborted
from pystack.peer.parked import ParkedWriters
from pystack.testing.loop import run


class Gate:
    """A core that takes ``room`` messages and refuses the rest."""

    def __init__(self) -> None:
        self.room = 0
        self.taken: list[bytes | str] = []
        self.refusals = 0

    def send(self, data: bytes | str) -> bool:
        if self.room == 0:
            self.refusals += 1
            return False
        self.room -= 1
        self.taken.append(data)
        return True


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_write_that_fits_never_waits() -> None:
    gate = Gate()
    gate.room = 1
    writers = ParkedWriters(gate.send)
    assert writers.offer(b"1")
    assert not writers.blocked


def test_waiters_are_served_in_the_order_of_arrival() -> None:
    async def main() -> None:
        gate = Gate()
        writers = ParkedWriters(gate.send)
        assert not writers.offer(b"x")
        tasks = [asyncio.create_task(writers.park(bytes([n]), inf)) for n in range(5)]
        await settle()
        gate.room = 3
        writers.serve()
        await settle()
        assert gate.taken == [b"\x00", b"\x01", b"\x02"]
        assert [task.done() for task in tasks] == [True, True, True, False, False]
        assert not writers.offer(b"overtakes"), "nobody passes those who wait"
        gate.room = 2
        writers.serve()
        assert not writers.offer(b"overtakes"), "not even in the turn in which room appeared"
        await asyncio.gather(*tasks)
        assert len(writers) == 0

    run(main())


def test_one_refusal_is_outstanding_at_a_time() -> None:
    async def main() -> None:
        gate = Gate()
        writers = ParkedWriters(gate.send)
        assert not writers.offer(b"a")
        assert not writers.offer(b"b")
        assert gate.refusals == 1

    run(main())


def test_a_cancelled_head_passes_the_baton() -> None:
    async def main() -> None:
        gate = Gate()
        writers = ParkedWriters(gate.send)
        first = asyncio.create_task(writers.park(b"first", inf))
        second = asyncio.create_task(writers.park(b"second", inf))
        await settle()
        gate.room = 1
        first.cancel()
        await asyncio.gather(second)
        assert gate.taken == [b"second"]
        assert first.cancelled()

    run(main())


def test_room_and_cancellation_in_one_turn_take_nothing() -> None:
    """Whoever hears that he was cancelled, or timed out, may write again: it must not arrive twice (rule L2)."""

    async def main() -> None:
        gate = Gate()
        writers = ParkedWriters(gate.send)
        writers.offer(b"x")
        first = asyncio.create_task(writers.park(b"first", inf))
        second = asyncio.create_task(writers.park(b"second", inf))
        await settle()
        gate.room = 1
        writers.serve()
        first.cancel()
        await second
        assert first.cancelled()
        assert gate.taken == [b"second"]

        async def hasty() -> None:
            async with asyncio.timeout(1):
                await writers.park(b"hasty", inf)

        writers.offer(b"x")
        task = asyncio.create_task(hasty())
        await settle()
        loop = asyncio.get_running_loop()
        loop.call_later(1, writers.serve)
        loop.call_later(1, setattr, gate, "room", 1)
        with pytest.raises(TimeoutError):
            await task
        assert gate.taken == [b"second"]

    run(main())


def test_a_deadline_bounds_the_wait_behind_others() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate()
        writers = ParkedWriters(gate.send)
        writers.offer(b"x")
        patient = asyncio.create_task(writers.park(b"patient", inf))
        start = loop.time()
        with pytest.raises(TimeoutError):
            await writers.park(b"hasty", start + 2)
        assert loop.time() - start == pytest.approx(2)
        gate.room = 5
        writers.serve()
        await patient
        assert gate.taken == [b"patient"], "what timed out was not taken"

    run(main())


def test_a_changed_deadline_counts_for_those_who_wait() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        writers = ParkedWriters(Gate().send)
        writers.offer(b"x")
        writers.set_deadline(loop.time() + 100)
        tasks = [asyncio.create_task(writers.park(b"w", inf)) for _ in range(3)]
        await settle()
        start = loop.time()
        writers.set_deadline(start + 1)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, TimeoutError) for result in results)
        assert loop.time() - start == pytest.approx(1)
        assert writers.expired
        writers.set_deadline(inf)
        assert not writers.expired

    run(main())


def test_the_end_releases_everybody_in_one_turn_with_errors_of_their_own() -> None:
    async def main() -> None:
        writers = ParkedWriters(Gate().send)
        writers.offer(b"x")
        tasks = [asyncio.create_task(writers.park(b"w", inf)) for _ in range(200)]
        await settle()
        reason = PeerAborted("gone")
        writers.terminate("channel", reason)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        errors = [task.exception() for task in tasks]
        assert all(isinstance(error, Closed) and error.reason is reason for error in errors)
        assert len({id(error) for error in errors}) == 200

    run(main())


def test_end_and_cancellation_in_one_turn_leave_nothing_behind() -> None:
    async def main() -> tuple[weakref.ref[ParkedWriters], list[dict[str, object]]]:
        loop = asyncio.get_running_loop()
        writers = ParkedWriters(Gate().send)
        writers.offer(b"x")
        task = asyncio.create_task(writers.park(b"w", inf))
        await settle()
        writers.terminate("channel", LOCAL)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return weakref.ref(writers), loop.unhandled  # type: ignore[attr-defined]

    gone, unhandled = run(main())
    gc.collect()
    assert gone() is None
    assert unhandled == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_wake_up_is_lost_under_random_cancellation(data: st.DataObject) -> None:
    """AC4.2: cancel and time out at random; the remaining writers always finish, in order."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate()
        writers = ParkedWriters(gate.send)
        writers.offer(b"")
        tasks: dict[int, asyncio.Task[None]] = {}
        count = data.draw(st.integers(1, 12))
        timed = set()
        for n in range(count):
            deadline = inf
            if data.draw(st.booleans()):
                deadline = loop.time() + data.draw(st.integers(1, 5))
                timed.add(n)
            tasks[n] = asyncio.create_task(writers.park(str(n), deadline))
        await asyncio.sleep(0)
        for _ in range(data.draw(st.integers(0, 20))):
            action = data.draw(st.sampled_from(["room", "cancel", "pass"]))
            if action == "room":
                gate.room += 1
                writers.serve()
            elif action == "cancel":
                tasks[data.draw(st.integers(0, count - 1))].cancel()
            else:
                await asyncio.sleep(data.draw(st.sampled_from([0, 0.5, 1])))
        gate.room = 1000
        writers.serve()
        await asyncio.wait(tasks.values())
        finished = [str(n) for n, task in tasks.items() if not task.cancelled() and task.exception() is None]
        assert gate.taken == finished, "whoever was not told so was not taken"
        assert len(writers) == 0
        for n, task in tasks.items():
            if not task.cancelled() and task.exception() is not None:
                assert n in timed
                assert isinstance(task.exception(), TimeoutError)

    run(main())


def test_a_message_that_can_never_be_sent_fails_alone_and_the_next_one_goes() -> None:
    """The peer's limit became known, and it is smaller than what waits."""

    async def main() -> None:
        gate = Gate()

        def send(data: bytes | str) -> bool:
            if gate.room and len(data) > 3:
                raise MessageTooLarge(3, len(data))
            return gate.send(data)

        writers = ParkedWriters(send)
        writers.offer(b"x")
        tasks = [asyncio.create_task(writers.park(data, inf)) for data in (b"1", b"large", b"2", b"larger")]
        await settle()
        gate.room = 10
        writers.serve()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), MessageTooLarge, type(None), MessageTooLarge]
        assert results[1] is not results[3]
        assert gate.taken == [b"1", b"2"]
        assert len(writers) == 0

    run(main())
