"""Our own offers to one client, one at a time (LiveKit's *subscriber* peer connection, on which the server offers).

An offer is in progress from the moment that it is asked for until the client's answer has been applied. What changes
meanwhile waits for the next one. A watchdog bounds each (design/liveness.md, rule L8).
"""

from __future__ import annotations

from math import inf

import attrs

__all__ = ["Proposals"]


@attrs.define(eq=False)
class Proposals:
    """At most one offer of ours in progress.

    Attributes:
        timeout: how long one may take, in seconds.
        current: the id of the offer in progress, 0 for none. Ids grow and are never used twice.
        made: it has been sent to the client.
        answered: the client's answer to it has come.
        deadline: when the watchdog fires, ``inf`` with none in progress.
        restart: the next offer has to restart ICE.
    """

    timeout: float
    current: int = 0
    made: bool = False
    answered: bool = False
    deadline: float = inf
    restart: bool = False
    _last: int = 0

    def begin(self, now: float) -> int:
        """Begin an offer and return its id; none may be in progress."""
        self._last += 1
        self.current = self._last
        self.made = self.answered = self.restart = False
        self.deadline = now + self.timeout
        return self.current

    def awaits(self, offer_id: int) -> bool:
        """Whether an answer to this id is waited for; 0 means the latest, as some SDKs number nothing."""
        return self.made and not self.answered and offer_id in {0, self.current}

    def finish(self) -> None:
        """Nothing is in progress any more."""
        self.current = 0
        self.made = self.answered = False
        self.deadline = inf
