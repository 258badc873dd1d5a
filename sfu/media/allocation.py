"""Who gets how much of a path that does not take everything: a pure function of what each track could have.

Everybody gets the lowest layer first, even if that is too much already: a bad picture is better than none. Then layer
by layer, the more important tracks first (requirements C-17).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

__all__ = ["Need", "allocate", "cheapest_step"]


@attrs.frozen
class Need:
    """What one track could have.

    Attributes:
        costs: bits a second with each of its layers as the best, lowest first; at least one.
        priority: the larger the earlier.
    """

    costs: tuple[float, ...]
    priority: int = 0


def allocate(budget: float, needs: Sequence[Need]) -> list[int]:
    """Return the best layer for each, as an index into its costs."""
    given = [0] * len(needs)
    left = budget - sum(need.costs[0] for need in needs)
    order = sorted(range(len(needs)), key=lambda index: -needs[index].priority)
    for layer in range(1, max((len(need.costs) for need in needs), default=0)):
        for index in order:
            costs = needs[index].costs
            if given[index] == layer - 1 and layer < len(costs) and costs[layer] - costs[layer - 1] <= left:
                left -= costs[layer] - costs[layer - 1]
                given[index] = layer
    return given


def cheapest_step(needs: Sequence[Need], given: Sequence[int]) -> float | None:
    """Bits a second that one more layer costs, where it costs least; ``None`` if everybody has everything."""
    steps = [
        need.costs[layer + 1] - need.costs[layer]
        for need, layer in zip(needs, given, strict=True)
        if layer + 1 < len(need.costs)
    ]
    return min(steps, default=None)
