"""The path to one subscriber: when it is full its tracks get fewer layers, and now and then it is asked for more.

While nothing is wrong, nothing is limited and nothing is done. When the path is congested, what it takes is shared out
(``media.allocation``). From then on, after a wait, padding is sent for a moment, as much as the next layer would be: if
that stays without harm the layer comes, else the wait becomes longer (requirements C-17). Once everybody has what it
wants again, nothing is limited any more.

Sans-IO: whoever owns it calls :meth:`tick` while it is :attr:`active`. Called by ``server.regulator``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import inf
from typing import Final, Protocol

from pystack.rtp import Congestion
from sfu.media.allocation import Need, allocate, cheapest_step
from sfu.media.layers import BEST

__all__ = ["Downlink", "Flow"]

SHARE: Final = 0.9
"""Of what a full path takes, so much is given out: what waits has to drain."""
FIRST_WAIT: Final = 3.0
LONGER: Final = 1.5
LONGEST_WAIT: Final = 120.0
PROBE: Final = 0.6
"""Seconds of padding."""
SETTLE: Final = 0.6
"""Seconds after it in which harm would show."""
REGRET: Final = 5.0
"""Seconds after more was given in which congestion is its fault."""
_MARGIN: Final = 1.2
_LEAST_PROBE: Final = 200_000.0


class Flow(Protocol):
    """One track on its way to the subscriber."""

    @property
    def key(self) -> Hashable:
        """What it is and what is wanted of it: if this changes, the path is shared out anew."""
        ...

    @property
    def priority(self) -> int:
        """The larger the more important."""
        ...

    def costs(self, now: float) -> tuple[float, ...]:
        """Bits a second with each of its layers as the best, up to the one that the subscriber wants."""
        ...

    def limit(self, layer: int, now: float) -> None:
        """Let it have no better layer than this index into its costs; ``BEST`` for all that is wanted."""

    def pad(self, octets: int) -> int:
        """Send padding on it; return how much went."""
        ...


class Downlink:
    """One subscriber's path.

    Attributes:
        capacity_bps: what it takes; ``None`` while that is not known to be too little.
        active: whether :meth:`tick` is to be called.
        probes, failures: how often more was tried, and how often that did harm.
    """

    def __init__(self) -> None:
        self.capacity_bps: float | None = None
        self.probes = 0
        self.failures = 0
        self._wait = FIRST_WAIT
        self._again_at = 0.0
        self._goal = 0.0
        self._padding: _Probe | None = None
        self._given: list[int] = []
        self._keys: list[Hashable] = []
        self._raised_at = -inf

    @property
    def active(self) -> bool:
        """Whether something is limited."""
        return self.capacity_bps is not None

    @property
    def probing(self) -> bool:
        """Whether padding is being sent, or was a moment ago."""
        return self._padding is not None

    def congested(self, congestion: Congestion, flows: Sequence[Flow], now: float) -> None:
        """The path is full, and takes less than it was thought to take."""
        if congestion.capacity_bps is None:
            return
        if self._padding is not None or now - self._raised_at < REGRET:
            self._fail(now)
        self.capacity_bps = congestion.capacity_bps * SHARE
        self._again_at = max(self._again_at, now + self._wait)
        self._share_out(flows, now)

    def tick(self, congestion: Congestion, flows: Sequence[Flow], now: float) -> None:
        """A little time has passed: share out anew, probe, or be done."""
        if self.capacity_bps is None:
            return
        if self._keys != [flow.key for flow in flows]:
            self._share_out(flows, now)
        if congestion.state != "none":
            if self._padding is not None:
                self._fail(now)
            return
        probe = self._padding
        if probe is not None:
            probe.pad(flows, now)
            if now >= probe.end + SETTLE:
                self._padding = None
                self.capacity_bps = max(self.capacity_bps, self._goal)
                self._again_at = now + self._wait
                self._raised_at = now
                self._share_out(flows, now)
        elif now >= self._again_at:
            self._probe(flows, now)

    def _share_out(self, flows: Sequence[Flow], now: float) -> None:
        assert self.capacity_bps is not None
        needs = [Need(flow.costs(now), flow.priority) for flow in flows]
        given = allocate(self.capacity_bps, needs)
        for flow, layer, need in zip(flows, given, needs, strict=True):
            flow.limit(layer if layer + 1 < len(need.costs) else BEST, now)
        self._given = given
        self._keys = [flow.key for flow in flows]

    def _probe(self, flows: Sequence[Flow], now: float) -> None:
        """Try whether there is room for one more layer."""
        needs = [Need(flow.costs(now), flow.priority) for flow in flows]
        # A publisher may have stopped a layer meanwhile.
        given = [min(layer, len(need.costs) - 1) for layer, need in zip(self._given, needs, strict=True)]
        step = cheapest_step(needs, given)
        if step is None:
            self._free(flows, now)
            return
        used = sum(need.costs[layer] for layer, need in zip(given, needs, strict=True))
        extra = max(step * _MARGIN, _LEAST_PROBE)
        self._goal = used + extra
        self.probes += 1
        self._padding = _Probe(extra, now)

    def _fail(self, now: float) -> None:
        self._padding = None
        self._raised_at = -inf
        self.failures += 1
        self._wait = min(self._wait * LONGER, LONGEST_WAIT)
        self._again_at = now + self._wait

    def _free(self, flows: Sequence[Flow], now: float) -> None:
        """Everybody has what it wants."""
        for flow in flows:
            flow.limit(BEST, now)
        self.capacity_bps = None
        self._wait = FIRST_WAIT
        self._given = []
        self._keys = []


class _Probe:
    """Padding at a rate, for a while."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._sent_until = now
        self.end = now + PROBE

    def pad(self, flows: Sequence[Flow], now: float) -> None:
        """Send what is due."""
        until = min(now, self.end)
        octets = int(self._rate * (until - self._sent_until) / 8)
        if octets > 0:
            self._sent_until = until
            any(flow.pad(octets) for flow in flows)  # on the first that has begun and has retransmissions
