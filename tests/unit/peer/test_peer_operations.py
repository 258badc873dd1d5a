"""The operations chain: turns, the watchdog, cancellation, and the end."""

from __future__ import annotations

import asyncio

import pytest

from pystack.errors import LOCAL, Closed
from pystack.peer.negotiation import Operations
from pystack.testing.loop import run


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_operations_run_one_at_a_time_in_order() -> None:
    async def main() -> None:
        order: list[str] = []
        operations = Operations("pc", 10, lambda name: None)

        async def work(name: str) -> str:
            order.append(name + " begins")
            await asyncio.sleep(1)
            order.append(name + " ends")
            return name

        async def one(name: str) -> str:
            return await operations.run(name, lambda: work(name))

        assert list(await asyncio.gather(one("a"), one("b"), one("c"))) == ["a", "b", "c"]
        assert order == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]
        assert operations.idle

    run(main())


def test_an_error_of_an_operation_reaches_its_caller_and_the_next_one_runs() -> None:
    async def main() -> None:
        operations = Operations("pc", 10, lambda name: None)

        async def bad() -> None:
            raise ValueError("mine")

        async def good() -> int:
            return 1

        with pytest.raises(ValueError, match="mine"):
            await operations.run("bad", bad)
        assert await operations.run("good", good) == 1

    run(main())


def test_the_watchdog_bites_once_and_names_the_operation() -> None:
    """AC8.1."""

    async def main() -> None:
        bitten: list[str] = []

        def bite(name: str) -> None:
            bitten.append(name)
            operations.terminate(LOCAL)

        operations = Operations("pc", 15, bite)
        loop = asyncio.get_running_loop()
        start = loop.time()
        hanging = asyncio.create_task(operations.run("set remote description", asyncio.Event().wait))
        waiting = asyncio.create_task(operations.run("create offer", asyncio.Event().wait))
        with pytest.raises(TimeoutError):
            await hanging
        assert loop.time() - start == pytest.approx(15)
        with pytest.raises((Closed, TimeoutError)):
            await waiting
        assert bitten == ["set remote description"]

    run(main())


def test_the_watchdog_does_not_bite_after_the_end() -> None:
    """AC8.2."""

    async def main() -> None:
        bitten: list[str] = []
        operations = Operations("pc", 15, bitten.append)
        task = asyncio.create_task(operations.run("x", asyncio.Event().wait))
        await settle()
        start = asyncio.get_running_loop().time()
        operations.terminate(LOCAL)
        with pytest.raises(Closed):
            await task
        assert asyncio.get_running_loop().time() == start, "the end interrupts what runs (AC1.1)"
        assert bitten == []

    run(main())


def test_the_callers_own_timeout_is_not_the_watchdog() -> None:
    async def main() -> None:
        bitten: list[str] = []
        operations = Operations("pc", 15, bitten.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await operations.run("x", asyncio.Event().wait)
        assert bitten == []
        assert operations.idle

    run(main())


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_cancelled_operation_passes_the_turn_on(victim: int) -> None:
    async def main() -> None:
        operations = Operations("pc", 100, lambda name: None)
        gates = [asyncio.Event() for _ in range(3)]
        tasks = [asyncio.create_task(operations.run(str(n), gate.wait)) for n, gate in enumerate(gates)]
        await settle()
        tasks[victim].cancel()
        await settle()
        for gate in gates:
            gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [n == victim for n in range(3)]
        assert operations.idle

    run(main())


def test_a_turn_given_to_a_cancelled_waiter_is_not_lost() -> None:
    async def main() -> None:
        operations = Operations("pc", 100, lambda name: None)
        gate = asyncio.Event()
        first = asyncio.create_task(operations.run("1", gate.wait))
        second = asyncio.create_task(operations.run("2", gate.wait))
        third = asyncio.create_task(operations.run("3", gate.wait))
        await settle()
        gate.set()
        asyncio.get_running_loop().call_soon(second.cancel)  # runs between the first's end and the second's wake-up
        assert await third
        assert first.done()
        assert second.cancelled()
        assert operations.idle

    run(main())


def test_everybody_who_waits_for_a_turn_hears_the_end() -> None:
    async def main() -> None:
        operations = Operations("pc", 100, lambda name: None)
        running = asyncio.create_task(operations.run("1", asyncio.Event().wait))
        waiting = [asyncio.create_task(operations.run("n", asyncio.Event().wait)) for _ in range(3)]
        await settle()
        operations.terminate(LOCAL)
        operations.terminate(LOCAL)
        await settle()
        assert all(isinstance(task.exception(), Closed) for task in waiting)
        with pytest.raises(Closed):
            await operations.run("late", asyncio.Event().wait)
        with pytest.raises(Closed):
            await running

    run(main())
