"""The events that wait for one address: in order, each until it was taken, within bounds. Sans-IO.

One event is on its way at a time, so their order is that of the room's. What is not taken is tried again, ever less
often; what is too old is given up, and the next that gets through says how many that were.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from livekit.protocol import webhook

from pystack.base import Backoff

__all__ = ["HookQueue"]

LIMIT: Final = 1000
"""Events that wait; the oldest go first."""
MAX_AGE: Final = 300.0
"""Seconds for which one is tried."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0


class HookQueue:
    """What waits for one address.

    Attributes:
        delivered: events that were taken.
        failures: attempts that failed.
        dropped: events that were given up.
    """

    def __init__(self) -> None:
        self.delivered = 0
        self.failures = 0
        self.dropped = 0
        self._untold = 0  # of those dropped, how many nobody has been told of
        self._waiting: deque[tuple[float, webhook.WebhookEvent]] = deque()
        self._pause = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._again_at = -inf
        self._under_way = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: webhook.WebhookEvent, now: float) -> None:
        """One more event."""
        if len(self._waiting) >= LIMIT:
            self._drop(1 if self._under_way else 0)
        self._waiting.append((now, event))

    @property
    def deadline(self) -> float:
        """When :meth:`take` has something; ``inf`` while nothing waits, or one is on its way."""
        return inf if self._under_way or not self._waiting else self._again_at

    def take(self, now: float) -> webhook.WebhookEvent | None:
        """The event to send now; then say what became of it by :meth:`settle`."""
        if now < self.deadline:
            return None
        while self._waiting and now - self._waiting[0][0] > MAX_AGE:
            self._drop(0)
        if not self._waiting:
            return None
        self._under_way = True
        event = self._waiting[0][1]
        event.num_dropped = self._untold
        return event

    def settle(self, taken: bool, now: float) -> None:
        """What was sent was taken, or has to be sent again."""
        self._under_way = False
        if taken:
            _, event = self._waiting.popleft()
            self._untold -= event.num_dropped
            self.delivered += 1
            self._pause.reset()
            self._again_at = -inf
        else:
            self.failures += 1
            self._again_at = now + self._pause.next()

    def _drop(self, index: int) -> None:
        del self._waiting[index]
        self.dropped += 1
        self._untold += 1
