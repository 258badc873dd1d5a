"""End-to-end tests: real browsers against the real server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for e2e_harness

from tests.e2e.e2e_harness.browsers import missing_parts


@pytest.fixture(scope="session", autouse=True)
def driver_parts() -> None:
    """Install the driver's own packages once."""
    missing = missing_parts("chromium")
    if missing is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, None], float], None]:
    """Run a coroutine on a loop of its own, with a bound on the whole."""

    def run(body: Coroutine[Any, Any, None], timeout: float = 110) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(timeout):
                await body

        asyncio.run(bounded())

    return run


@pytest.fixture
def run_again(run: Callable[[Coroutine[Any, Any, None], float], None]) -> Callable[..., None]:
    """Run what measures seconds or rates of real browsers: a busy machine may spoil a call, a fresh one may mend it.

    The criterion is the same for each call, each starts from nothing, and each miss is printed.
    """

    def run_again(body: Callable[[], Coroutine[Any, Any, None]], timeout: float = 110, calls: int = 3) -> None:
        for call in range(1, calls + 1):
            try:
                run(body(), timeout)
            except (AssertionError, TimeoutError) as miss:
                if call == calls:
                    raise
                print(f"call {call} of {calls} missed its mark, again: {str(miss).splitlines()[:1]}")
            else:
                return

    return run_again
