"""A simulated network, clock and event loop, and the laws of a core: public, like ``trio.testing``.

Nothing here opens a socket, sleeps, or reads a clock. :mod:`pystack.testing.laws` and
:mod:`pystack.testing.strategies` need hypothesis (``pip install pystack-rtc[testing]``) and are imported by their own
names; the rest does not.
"""

from pystack.testing.capture import CapturedDatagram, Recording, read_capture
from pystack.testing.clock import Clock
from pystack.testing.link import Link, LinkOptions
from pystack.testing.loop import Deadlock, VirtualLoop, run
from pystack.testing.pair import Pair
from pystack.testing.world import Node, Stuck, World

__all__ = [
    "CapturedDatagram",
    "Clock",
    "Deadlock",
    "Link",
    "LinkOptions",
    "Node",
    "Pair",
    "Recording",
    "Stuck",
    "VirtualLoop",
    "World",
    "read_capture",
    "run",
]
