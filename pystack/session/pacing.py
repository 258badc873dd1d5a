"""When protected media goes down: what a pacer is, and one that spreads bursts.

A session's media passes a :class:`Pacer`. The default, :class:`pystack.session.media.MediaQueue`, lets everything
through; :class:`LeakyBucket` sends at a rate and allows for bursts. A pacer is sans-IO: it holds packets, says when the
next one may go, and the session hands that deadline up.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Protocol

from pystack.errors import InvalidArgument

__all__ = ["LeakyBucket", "Pacer"]


class Pacer(Protocol):
    """What stands between the protected media of a session and its path.

    Attributes:
        dropped_late: packets dropped because they waited too long.
        dropped_full: packets dropped, the oldest first, because too many waited.
    """

    dropped_late: int
    dropped_full: int

    @property
    def deadline(self) -> float:
        """When :meth:`tick` lets more packets go, in absolute seconds; ``inf`` when none waits for its time."""
        ...

    def __len__(self) -> int:
        """How many packets are held."""
        ...

    def push(self, packet: bytes, now: float) -> None:
        """Take one packet of media."""
        ...

    def push_control(self, packet: bytes, now: float) -> None:
        """Take one packet of RTCP, which is never held back: losing time would falsify what it says."""
        ...

    def tick(self, now: float) -> None:
        """Time has come. Harmless when early or repeated."""
        ...

    def pop_into(self, out: list[bytes], now: float, room: float) -> None:
        """Move up to ``room`` packets that may go into ``out``, in order."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class LeakyBucket:
    """Sends media at a rate, with bursts up to a size.

    Usage::

        SessionOptions(pacer=lambda: LeakyBucket(bytes_per_second=400_000, burst=8_000))

    Args:
        bytes_per_second: the rate.
        burst: bytes that may go at once after a pause; a single packet may be larger.
        age: seconds after which a packet that still waits is dropped.
        limit: how many packets may wait.

    Raises:
        InvalidArgument: a bound is not positive.
    """

    __slots__ = ("_age", "_control", "_free_at", "_limit", "_rate", "_ready", "_slack", "_waiting", "dropped_full",
                 "dropped_late")  # fmt: skip

    def __init__(self, bytes_per_second: float, burst: int, age: float = 0.5, limit: int = 2048) -> None:
        if bytes_per_second <= 0 or burst <= 0 or age <= 0 or limit <= 0:
            raise InvalidArgument("a leaky bucket needs a rate, a size, a time and a number above 0")
        self._rate = bytes_per_second
        self._slack = burst / bytes_per_second
        self._age = age
        self._limit = limit
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._ready: deque[tuple[float, bytes]] = deque()
        self._control: deque[bytes] = deque()
        self._free_at = -inf  # when the bucket will have run empty
        self.dropped_late = 0
        self.dropped_full = 0

    def set_rate(self, bytes_per_second: float, now: float) -> None:
        """Send at another rate from now on; what is in the bucket stays in it.

        Raises:
            InvalidArgument: the rate is not positive.
        """
        if bytes_per_second <= 0:
            raise InvalidArgument(f"a rate of {bytes_per_second} bytes/s sends nothing")
        scale = self._rate / bytes_per_second
        self._slack *= scale
        if self._free_at > now:
            self._free_at = now + (self._free_at - now) * scale
        self._rate = bytes_per_second

    @property
    def deadline(self) -> float:
        """When the oldest packet may go; ``inf`` when none waits for its time."""
        return self._free_at - self._slack if self._waiting else inf

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ready) + len(self._control)

    def push(self, packet: bytes, now: float) -> None:
        """Take one packet of media; the oldest makes room when there are too many."""
        if len(self._waiting) + len(self._ready) >= self._limit:
            (self._ready or self._waiting).popleft()
            self.dropped_full += 1
        self._waiting.append((now, packet))
        self.tick(now)

    def push_control(self, packet: bytes, now: float) -> None:
        """Take one packet of RTCP; it goes first, and its bytes count. The oldest makes room for a flood."""
        if len(self._control) >= self._limit:
            self._control.popleft()
            self.dropped_full += 1
        self._control.append(packet)
        self._fill(len(packet), now)

    def tick(self, now: float) -> None:
        """Let go what may go by now; what waited too long is dropped and makes room for what follows."""
        waiting = self._waiting
        while waiting:
            since, packet = waiting[0]
            if since < now - self._age:
                self.dropped_late += 1
            elif now >= self._free_at - self._slack:
                self._ready.append((since, packet))
                self._fill(len(packet), now)
            else:
                return
            waiting.popleft()

    def pop_into(self, out: list[bytes], now: float, room: float) -> None:
        """Move up to ``room`` packets that may go into ``out``: RTCP, then media, oldest first."""
        self.tick(now)
        control, ready = self._control, self._ready
        while control and room > 0:
            out.append(control.popleft())
            room -= 1
        while ready and room > 0:
            since, packet = ready.popleft()
            if since < now - self._age:  # the path was blocked
                self.dropped_late += 1
                continue
            out.append(packet)
            room -= 1

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._ready.clear()
        self._control.clear()

    def _fill(self, size: int, now: float) -> None:
        self._free_at = max(self._free_at, now) + size / self._rate
