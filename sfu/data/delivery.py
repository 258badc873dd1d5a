"""What waits for one receiver's channel: bounded, with a deadline, so that a slow reader costs only itself.

Reliable messages that do not fit are refused (the newest: order and what was accepted stay intact), lossy ones push
out the oldest. What waited too long is dropped when it comes to the front. All of it is counted by why.
"""

from __future__ import annotations

from collections import deque
from math import inf

import attrs

from sfu.data.packets import LOSSY, RELIABLE

__all__ = ["DeliveryPolicy", "DeliveryQueue", "policy_for"]


@attrs.frozen(kw_only=True)
class DeliveryPolicy:
    """How much may wait for one receiver, and how long.

    Attributes:
        max_bytes, max_messages: whichever is reached first.
        patience: seconds from arrival to departure.
        newest_wins: what does not fit pushes out the oldest, instead of being refused.
    """

    max_bytes: int
    max_messages: int
    patience: float
    newest_wins: bool


_POLICIES = {
    RELIABLE: DeliveryPolicy(max_bytes=4 << 20, max_messages=4096, patience=10.0, newest_wins=False),
    LOSSY: DeliveryPolicy(max_bytes=256 << 10, max_messages=256, patience=0.5, newest_wins=True),
}


def policy_for(label: str) -> DeliveryPolicy:
    """The policy of a channel by its label."""
    return _POLICIES[label]


class DeliveryQueue:
    """The messages that wait for one channel of one receiver.

    Attributes:
        size: bytes waiting.
        delivered: messages handed over.
        drops: messages dropped, by why: ``overflow``, ``too late``, ``too large``, ``closed``.
    """

    def __init__(self, policy: DeliveryPolicy) -> None:
        self._policy = policy
        self._waiting: deque[tuple[float, bytes]] = deque()  # (deadline, message), oldest first
        self.size = 0
        self.delivered = 0
        self.drops: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def deadline(self) -> float:
        """When the message in front will have waited too long, ``inf`` if nothing waits."""
        return self._waiting[0][0] if self._waiting else inf

    def offer(self, message: bytes, now: float) -> bool:
        """Let a message wait; false if it was refused."""
        policy = self._policy
        while self._waiting and not self._fits(message):
            if not policy.newest_wins:
                break
            self._pop()
            self.drop("overflow")
        if not self._fits(message):
            self.drop("overflow")
            return False
        self._waiting.append((now + policy.patience, message))
        self.size += len(message)
        return True

    def front(self, now: float) -> bytes | None:
        """The message to send next; those that waited too long are dropped first."""
        while self._waiting and self._waiting[0][0] <= now:
            self._pop()
            self.drop("too late")
        return self._waiting[0][1] if self._waiting else None

    def delivered_front(self) -> None:
        """The message in front was taken by the channel."""
        self._pop()
        self.delivered += 1

    def drop_front(self, why: str) -> None:
        """The message in front can never be sent."""
        self._pop()
        self.drop(why)

    def drop(self, why: str) -> None:
        """Count a dropped message."""
        self.drops[why] = self.drops.get(why, 0) + 1

    def clear(self) -> None:
        """The channel is gone; what waits for it is dropped."""
        while self._waiting:
            self.drop_front("closed")

    def _fits(self, message: bytes) -> bool:
        policy = self._policy
        return len(self._waiting) < policy.max_messages and self.size + len(message) <= policy.max_bytes

    def _pop(self) -> None:
        _, message = self._waiting.popleft()
        self.size -= len(message)
