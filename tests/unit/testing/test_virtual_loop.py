"""Asyncio on virtual time: long waits cost nothing, deadlocks say who waits where."""

import asyncio
import time
from math import inf

import pytest

from pystack.testing import Clock, Deadlock, LinkOptions, VirtualLoop, World, run


class Echo:
    """Hears and, if told to, says it again."""

    deadline = inf

    def __init__(self, *, answers: bool = False) -> None:
        self.answers = answers
        self.out: list[bytes] = []
        self.heard: list[bytes] = []

    def say(self, data: bytes) -> None:
        self.out.append(data)

    def receive(self, data: bytes, now: float) -> None:
        self.heard.append(data)
        if self.answers:
            self.out.append(data)

    def tick(self, now: float) -> None:
        pass

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def take_events(self) -> list[bytes]:
        heard, self.heard = self.heard, []
        return heard


def test_a_day_of_sleep_takes_no_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(86400)
        return loop.time() - began

    before = time.perf_counter()
    assert run(main(), limit=1e6) == pytest.approx(86400)
    assert time.perf_counter() - before < 5


def test_timers_fire_in_order_and_on_time() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, float]] = []
        done = loop.create_future()
        for name, delay in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
            loop.call_later(delay, lambda name=name: seen.append((name, loop.time())))  # type: ignore[misc]
        loop.call_later(4.0, done.set_result, None)
        await done
        return seen

    assert run(main()) == [("a", 1001.0), ("b", 1002.0), ("c", 1003.0)]


def test_timeouts_are_exact() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(1030.0)


def test_a_deadlock_names_the_tasks_and_where_they_wait() -> None:
    async def wait_for_nobody() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.create_task(wait_for_nobody(), name="lonely")

    with pytest.raises(
        Deadlock, match=r"nothing can happen any more(.|\n)*lonely: .*wait_for_nobody \(.*\.py:\d+\), in Event.wait"
    ):
        run(main())


def test_a_keep_alive_does_not_hide_a_deadlock_for_ever() -> None:
    async def tick() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(1.0)

    async def main() -> None:
        keep = asyncio.create_task(tick())
        await asyncio.Event().wait()
        keep.cancel()

    with pytest.raises(Deadlock, match="not done after 60 simulated seconds"):
        run(main(), limit=60.0)


def test_an_exception_that_nobody_saw_is_told() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


def test_a_message_that_nobody_saw_is_told() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "leaked"})

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert str(caught.value.exceptions[0]) == "leaked"


def test_executors_run_in_place() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        return await loop.run_in_executor(None, lambda: 42)

    assert run(main()) == 42


def test_call_soon_threadsafe_works_without_threads() -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        loop.call_soon_threadsafe(done.set)
        return await done.wait()

    assert run(main())


def test_a_world_moves_with_the_loop() -> None:
    world = World()
    a, b = world.add("a", Echo()), world.add("b", Echo(answers=True))
    world.connect(a, b, LinkOptions(delay=0.1))

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        a.on_event = lambda _: heard.set()
        a.core.say(b"hello")
        world.pump()
        await heard.wait()
        first = loop.time()
        a.core.say(b"again")
        world.pump()
        await asyncio.sleep(0.15)
        assert len(a.events) == 1
        await asyncio.sleep(0.1)
        return first, loop.time()

    assert run(main(), world=world) == pytest.approx((1000.2, 1000.45))
    assert a.events == [b"hello", b"again"]


def test_a_clock_can_be_shared() -> None:
    clock = Clock(5.0)
    loop = VirtualLoop(clock)
    loop.run_until_complete(asyncio.sleep(2.0))
    loop.close()
    assert clock.now == pytest.approx(7.0)
    assert clock.elapsed == pytest.approx(2.0)
    clock.advance(1.0)
    assert clock.now == pytest.approx(7.0)


def test_a_task_that_spins_is_found_out_and_named():
    async def spin():
        while True:  # noqa: ASYNC110 - it is what is to be found
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match=r"(?s)time stands still: .*LinkOptions.*spin"):
        run(spin())
