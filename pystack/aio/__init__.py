"""The asyncio runtime: sockets, the shared port, full ICE, the driver of a core, and what can be awaited.

The only place in ``pystack`` that opens a socket. :mod:`pystack.peer` is built on it; applications use
:class:`UdpMux` directly.
"""

from pystack.aio.accepting import USED_UP, Listener, listening_socket, used_up
from pystack.aio.clock import clock_of, wall_offset
from pystack.aio.debug import Debug, DebugOptions, TappedPath, debug_options
from pystack.aio.driver import Driver
from pystack.aio.full import FullTransport
from pystack.aio.ice_options import FullIceOptions, IceServer
from pystack.aio.lite import LiteTransport
from pystack.aio.mux import UdpMux
from pystack.aio.path import DatagramPath
from pystack.aio.scope import Scope
from pystack.aio.tcp import TcpOptions
from pystack.aio.timer import LazyTimer
from pystack.aio.transport import GatheringState, IceParameters, IceState, IceTransport, SelectedPair
from pystack.aio.udp import UdpOptions
from pystack.aio.waiters import Waiters

__all__ = [
    "USED_UP",
    "DatagramPath",
    "Debug",
    "DebugOptions",
    "Driver",
    "FullIceOptions",
    "FullTransport",
    "GatheringState",
    "IceParameters",
    "IceServer",
    "IceState",
    "IceTransport",
    "LazyTimer",
    "Listener",
    "LiteTransport",
    "Scope",
    "SelectedPair",
    "TappedPath",
    "TcpOptions",
    "UdpMux",
    "UdpOptions",
    "Waiters",
    "clock_of",
    "debug_options",
    "listening_socket",
    "used_up",
    "wall_offset",
]
