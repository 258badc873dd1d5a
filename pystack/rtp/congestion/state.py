"""What can be said of a path: free, perhaps full, full."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ["Congestion", "CongestionState"]

CongestionState: TypeAlias = Literal["none", "early-warning", "congested"]
"""``early-warning`` is no reason to send less yet, but to send no more."""


@attrs.frozen(kw_only=True)
class Congestion:
    """How the path of what we send is now.

    Attributes:
        state: see :data:`CongestionState`.
        capacity_bps: what it took while it was full, in bits per second, as measured last; ``None`` if it never was.
        delivered_bps: what arrives now.
        queuing_delay: seconds that packets wait on the way, beyond the shortest time that was seen.
        loss: the share of packets that did not arrive.
    """

    state: CongestionState = "none"
    capacity_bps: float | None = None
    delivered_bps: float = 0.0
    queuing_delay: float = 0.0
    loss: float = 0.0
