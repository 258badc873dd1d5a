"""What one participant wants to receive, and what it does receive: desired state and a pure reconcile.

``reconcile`` compares three facts and names one action (the decision table in ``docs/explanation/sfu.md``). Every
binding of a track to a media section has a *generation*: whoever ends a binding says which one, so a late end of an
old binding never takes down its replacement.
"""

from __future__ import annotations

from enum import Enum

import attrs

from sfu.tracks.track_info import Kind
from sfu.tracks.wish import Wish

__all__ = ["Action", "Subscription", "reconcile"]


class Action(Enum):
    """The one thing to do next for a subscription."""

    NOTHING = "nothing"
    BIND = "bind"
    UNBIND = "unbind"
    FORGET = "forget"


def reconcile(*, desired: bool, available: bool, bound: bool) -> Action:
    """Name the step that brings a subscription nearer to what is desired.

    Args:
        desired: the subscriber wants the track and may have it.
        available: the track is live.
        bound: a media section of the subscriber carries it.
    """
    if bound:
        return Action.NOTHING if desired and available else Action.UNBIND
    if not available:
        return Action.FORGET
    return Action.BIND if desired else Action.NOTHING


@attrs.define(eq=False)
class Subscription:
    """One track as seen by one subscriber; exists as long as the track is live or bound.

    Attributes:
        track: the sid of the track.
        publisher: the sid of who publishes it.
        wanted: what the subscriber asked for (or what auto-subscribe asked for it).
        wish: what it wants to see of it.
        told_allowed: whether it was told that it may have it or that it may not; ``None``: it was told nothing.
        mid: the section that carries it, ``""`` when unbound.
        generation: of the latest binding; 0 before the first.
        routed: packets flow: bound, answered, and the subscriber's transport is up.
        since: when it was bound, for the trace of subscription to key frame.
    """

    track: str
    publisher: str
    kind: Kind
    wanted: bool
    wish: Wish = attrs.field(factory=Wish)
    told_allowed: bool | None = None
    mid: str = ""
    generation: int = 0
    answered: bool = False
    routed: bool = False
    since: float = 0.0

    @property
    def bound(self) -> bool:
        """Whether a section of the subscriber carries it."""
        return bool(self.mid)

    def bind(self, mid: str, now: float) -> None:
        """Begin a new binding."""
        self.mid = mid
        self.generation += 1
        self.answered = False
        self.since = now

    def unbind(self) -> str:
        """End the binding; return its section."""
        mid, self.mid = self.mid, ""
        self.answered = self.routed = False
        return mid
