"""Owned tasks."""

import asyncio

import pytest

from pystack.aio import Scope
from pystack.errors import LocalProtocolError
from pystack.testing import run


def test_a_task_that_dies_closes_its_scope_and_the_owner_is_told():
    async def main():
        told = []
        scope = Scope("owner", told.append)
        other = scope.start(asyncio.sleep(1000), "other")

        async def dies():
            raise ValueError("mine")

        scope.start(dies(), "dies")
        await asyncio.sleep(1)
        assert other.cancelled()
        assert [str(error) for error in told] == ["mine"]
        assert scope.failure is told[0]
        assert scope.closed
        assert len(scope) == 0
        with pytest.raises(LocalProtocolError):
            scope.start(asyncio.sleep(0), "late")

    run(main())


def test_without_an_owner_to_tell_the_loop_is_told():
    async def main():
        scope = Scope("owner")

        async def dies():
            raise ValueError("mine")

        scope.start(dies(), "dies")
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup):
        run(main())


def test_cancel_from_inside_spares_the_caller():
    async def main():
        scope = Scope("owner")
        other = scope.start(asyncio.sleep(1000), "other")
        finished = []

        async def closes():
            scope.cancel()
            scope.cancel()
            assert await scope.wait(5)
            finished.append(other.cancelled())

        scope.start(closes(), "closes")
        assert await scope.wait(5)
        assert finished == [True]
        assert await scope.wait(0)

    run(main())


def test_the_wait_is_bounded_and_cancelling_it_cancels_nobody():
    async def main():
        scope = Scope("owner")
        task = scope.start(asyncio.sleep(1000), "slow")
        assert not await scope.wait(1)
        waiter = asyncio.create_task(scope.wait(100))
        await asyncio.sleep(1)
        waiter.cancel()
        await asyncio.sleep(1)
        assert not task.done()
        scope.cancel()
        assert await scope.wait(1)

    run(main())
