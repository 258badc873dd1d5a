"""The offers of one client, one at a time.

Applying an offer and making its answer takes several steps outside the room, so a second offer may come while the
first is in progress. It waits; a third replaces it, because the newest offer describes everything. A watchdog bounds
each (design/liveness.md, rule L8): an offer that is not answered in time ends the participant, never the room.
"""

from __future__ import annotations

from math import inf

import attrs

__all__ = ["Offer", "Offers"]


@attrs.frozen
class Offer:
    """One SDP offer and the id that its answer echoes."""

    id: int
    sdp: str


@attrs.define(eq=False)
class Offers:
    """At most one offer in progress and one waiting.

    Attributes:
        current: the offer in progress.
        waiting: the newest offer after it.
        deadline: when the watchdog fires, ``inf`` with none in progress.
        timeout: how long one offer may take, in seconds.
    """

    timeout: float
    current: Offer | None = None
    waiting: Offer | None = None
    deadline: float = inf

    def add(self, offer: Offer, now: float) -> Offer | None:
        """Take an offer; return it if it should be applied now."""
        if self.current is not None:
            self.waiting = offer
            return None
        return self._start(offer, now)

    def finish(self, offer_id: int, now: float) -> tuple[bool, Offer | None]:
        """The offer in progress was answered, or failed.

        Returns:
            whether ``offer_id`` is the one in progress (a late answer to another is ignored), and the offer to
            apply next.
        """
        if self.current is None or self.current.id != offer_id:
            return False, None
        self.current = None
        self.deadline = inf
        following, self.waiting = self.waiting, None
        return True, self._start(following, now) if following is not None else None

    def clear(self) -> None:
        """The participant leaves: nothing is in progress any more."""
        self.current = self.waiting = None
        self.deadline = inf

    def _start(self, offer: Offer, now: float) -> Offer:
        self.current = offer
        self.deadline = now + self.timeout
        return offer
