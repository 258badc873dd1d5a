"""What carries datagrams for one session, as five members.

The idea: whoever pumps a session knows nothing about sockets, ICE or relays; it knows a :class:`DatagramPath`. Bytes
move by plain calls in both directions, a whole drained batch at a time, and never through a queue or a task.

Implemented by the two transports of :mod:`pystack.aio.transport`; used by :mod:`pystack.peer`.

The rules, which every implementation keeps:

* ``send`` takes datagrams from the front of the batch and says how many it took. What it did not take is untouched;
  ``writable`` is then false, and exactly one ``on_writable()`` follows, or the end. There is no third outcome.
* A datagram that was taken is gone: the network, or a refusal by it (ECONNREFUSED, ENETUNREACH), which is counted and
  never raised.
* ``on_datagrams`` gets what arrived together, oldest first, with STUN already taken out. The list belongs to the
  callee. It is called from the event loop's reader, never from inside ``send`` or another command of the path.
* ``on_writable`` is called from the event loop, never from inside ``send``.
* After ``close()`` no callback is called any more, and the path holds no reference to its user.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

__all__ = ["DatagramPath"]


class DatagramPath(Protocol):
    """A way for datagrams to and from one peer.

    Attributes:
        on_datagrams: set by the user; ``(batch, now)`` with ``now`` in monotonic seconds of the path's clock.
        on_writable: set by the user; there is room again after a ``send`` that took less than all.
        writable: false from such a ``send`` until ``on_writable``, and while there is no way to the peer yet.
    """

    on_datagrams: Callable[[list[bytes], float], None]
    on_writable: Callable[[], None]

    @property
    def writable(self) -> bool:
        """Tell whether ``send`` would take at least one datagram now."""
        ...

    def send(self, batch: Sequence[bytes]) -> int:
        """Send the datagrams in order; return how many of them, from the front, were taken. Never raises."""
        ...

    def close(self) -> None:
        """Let go of everything at once; harmless when repeated, and from inside any callback."""
