"""Delta debugging: the shortest and plainest input that still does the same.

First whole pieces are left out, large ones before small ones, until no single byte can go; then bytes become zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["minimise"]


def minimise(data: bytes, same: Callable[[bytes], bool], seconds: float = 60.0) -> bytes:
    """A smaller input for which ``same`` is still true; what there is when the time is over."""
    until = time.monotonic() + seconds
    before = None
    while before != data and time.monotonic() < until:
        before = data
        data = _leave_out(data, same, until)
        data = _plain(data, same, until)
    return data


def _leave_out(data: bytes, same: Callable[[bytes], bool], until: float) -> bytes:
    size = max(1, len(data) // 2)
    while time.monotonic() < until:
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            if same(shorter):
                data = shorter
            else:
                at += size
        if size == 1:
            break
        size //= 2
    return data


def _plain(data: bytes, same: Callable[[bytes], bool], until: float) -> bytes:
    for at in range(len(data)):
        if time.monotonic() > until:
            break
        if data[at] and same(plainer := data[:at] + b"\0" + data[at + 1 :]):
            data = plainer
    return data
