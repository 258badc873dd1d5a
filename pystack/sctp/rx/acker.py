"""When to acknowledge (RFC 9260 section 6.2), and the acknowledgements that wait to go.

At least every second packet with data is acknowledged, also when many packets come in before one flush: a SACK is
written down as it stands when it falls due, and each goes into a packet of its own, because peers open their congestion
window by one packet per SACK. A gap, a duplicate, the I bit, a drop and the first data of all are acknowledged at once.
"""

from __future__ import annotations

from math import inf
from typing import Final

from pystack.sctp.options import AssociationOptions
from pystack.sctp.rx.tracker import TsnTracker
from pystack.sctp.rx.window import ReceiveWindow
from pystack.sctp.wire.fast import MASK32, encode_sack

__all__ = ["Acker"]

_MAX_WAITING: Final = 64


class Acker:
    """Decides about SACKs and builds them.

    Attributes:
        due: SACK chunks that go with the next packets, oldest first, bounded.
        at: when the delayed SACK is due, ``inf`` for none.
        pending: packets with data since the last SACK.
        urgent: the packet being read wants an answer at once.
    """

    __slots__ = (
        "_advertised",
        "_delay",
        "_every",
        "_first",
        "_mtu",
        "_tracker",
        "_window",
        "at",
        "due",
        "pending",
        "urgent",
    )

    def __init__(self, options: AssociationOptions, tracker: TsnTracker, window: ReceiveWindow) -> None:
        self._tracker = tracker
        self._window = window
        self._delay = options.sack_delay
        self._every = options.sack_every
        self._mtu = options.mtu
        self.due: list[bytes] = []
        self.begin()

    def begin(self) -> None:
        """Start with nothing to acknowledge."""
        self.due.clear()
        self.at = inf
        self.urgent = False
        self.pending = 0
        self._first = True
        self._advertised = self._window.limit

    def packet_done(self, now: float) -> None:
        """A packet with data has been read to its end."""
        self.pending += 1
        if self.urgent or self.pending >= self._every or self._first or self._tracker.gapped:
            self._first = False
            self._write()
        elif self.at == inf:
            self.at = now + self._delay

    def expire(self) -> None:
        """The delay is over."""
        self._write()

    def window_moved(self) -> None:
        """The application took data: tell the peer if it may be waiting for that, but not for every byte.

        A window that was nearly closed is announced once four packets (or half of it) are free, and any window once it
        grew by half of the whole: RFC 9260 section 6.2 and the silly-window rule of RFC 1122 section 4.2.3.3.
        """
        window = self._window
        if self._advertised > window.limit // 2:
            return  # neither rule can hold; asked for every message that is read
        grown = window.free - self._advertised
        if grown >= window.limit // 2 or (
            self._advertised < 2 * self._mtu and grown >= min(4 * self._mtu, window.limit // 2)
        ):
            self._write()

    @property
    def size(self) -> int:
        """The most bytes that :meth:`take` will give now."""
        return len(self.due[0]) if self.due else self._tracker.sack_size

    def take(self, *, bundled: bool) -> bytes | None:
        """The SACK for the packet being built; with ``bundled`` also one that could still wait."""
        if self.due:
            return self.due.pop(0)
        if bundled and self.pending:
            self._write()
            return self.due.pop()
        return None

    def _write(self) -> None:
        tracker = self._tracker
        self.pending = 0
        self.at = inf
        self.urgent = False
        self._advertised = free = self._window.free
        gaps = tracker.gaps() if tracker.gapped else b""
        duplicates = tracker.take_duplicates() if tracker.duplicates else b""
        if len(self.due) >= _MAX_WAITING:
            self.due.pop(0)
        self.due.append(encode_sack(tracker.cumulative & MASK32, free, gaps, duplicates))
