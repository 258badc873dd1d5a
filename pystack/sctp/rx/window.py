"""The receive window (RFC 9260 section 6.2, a_rwnd): how much we hold and how much more we take.

Everything held counts: fragments, messages that wait for their turn, and messages that were handed up and not yet
consumed. Each also costs a fixed amount, so that a peer of one-byte messages cannot make us keep a hundred times what
the window says.
"""

from __future__ import annotations

from typing import Final

from pystack.sctp.options import AssociationOptions

__all__ = ["ITEM_COST", "ReceiveWindow"]

ITEM_COST: Final = 64


class ReceiveWindow:
    """Counts what is held.

    Attributes:
        limit: bytes of user data that may be held.
        hard_limit: above ``limit`` only the next TSN below a gap is taken, because it may set others free, up to here.
        max_items: how many pieces may be held.
        held: bytes of user data held.
        items: pieces held.
    """

    __slots__ = ("hard_limit", "held", "items", "limit", "max_items")

    def __init__(self, options: AssociationOptions) -> None:
        self.limit = options.receive_window
        self.hard_limit = options.receive_window + 8 * options.mtu
        self.max_items = max(1024, options.receive_window // 8)
        self.held = 0
        self.items = 0

    @property
    def free(self) -> int:
        """What to advertise: bytes, never below 0."""
        return max(0, self.limit - self.held - ITEM_COST * self.items)

    def takes(self, size: int, *, fills_gap: bool) -> bool:
        """Whether a chunk with ``size`` bytes of data may come in."""
        if self.items >= self.max_items:
            return False
        return self.held + size <= (self.hard_limit if fills_gap else self.limit)
