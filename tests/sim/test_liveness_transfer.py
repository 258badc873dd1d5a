"""Much data through a small budget over a bad path: all of it arrives, and memory stays flat."""

from __future__ import annotations

import pytest

from benchmarks.goodput import MESSAGE, Transfer, transfer

BUDGET = 64 * 1024
MEGABYTE = 1_000_000


def _check(megabytes: int) -> None:
    result: Transfer = transfer(megabytes * MEGABYTE, rtt=0.05, loss=0.01, budget=BUDGET)
    assert result.buffered <= BUDGET + MESSAGE  # a message is taken whole while there is any room
    assert result.flight <= 2 * MEGABYTE
    assert result.growth <= 8 * MEGABYTE, f"the process grew by {result.growth} bytes"
    print(
        f"\n{megabytes} MB through 64 KiB at 50 ms and 1 % loss: {result.simulated:.0f} s simulated, "
        f"{result.wall:.1f} s here, {result.mbit:.2f} Mbit/s, process grew by {result.growth // 1024} KiB"
    )


def test_five_megabytes_through_64_kib_on_a_bad_path() -> None:
    _check(5)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_a_hundred_megabytes_through_64_kib_on_a_bad_path() -> None:
    _check(100)
