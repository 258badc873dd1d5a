"""ICE over TCP for the shared port, as the passive side (RFC 6544, frames of RFC 4571).

The idea: a connection is one more way to an address, and everything above it stays as it is. Where UDP is blocked a
browser connects to us and sends, framed, what it would have sent as datagrams; the mux finds the session by the
authenticated request, as always.

What a stranger can take is bounded: so many connections that no session has claimed, each for so long; one unfinished
frame each; and who brings anything but a few checks is shown out. Nobody's bytes hold up the loop for long: one
readiness event takes ``_READ`` of them. A slow reader is pushed back like a full socket: what is not taken waits in the
session, where media grows old and is dropped. A peer that vanished is ended by the kernel (TCP_USER_TIMEOUT) or with
its session's consent, whichever is first; a session that leaves takes its connections with it.

Made by :meth:`pystack.aio.mux.UdpMux.open`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

import attrs

from pystack.aio.accepting import Listener, listening_socket
from pystack.aio.clock import clock_of
from pystack.ice import Deframer, Path, frame
from pystack.ice.stun import is_stun

if TYPE_CHECKING:
    from pystack.aio.lite import LiteTransport
    from pystack.aio.mux import UdpMux
    from pystack.aio.udp import Address

__all__ = ["TcpOptions", "TcpPort", "bind_tcp"]

_READ: Final = 8192
_HELLO: Final = 16  # frames, empty ones included, that a connection may bring at once while no session has claimed it
_ANSWERS: Final = 4096  # bytes of answers to checks that may wait behind data: a busy connection must not look dead
_FAREWELL: Final = 1.0  # seconds for what is written to leave before a connection is cut
_NOTSENT_LOWAT: Final = 25  # linux/tcp.h
_USER_TIMEOUT: Final = 18


@attrs.frozen(kw_only=True)
class TcpOptions:
    """What connections may take.

    Attributes:
        max_connections: at one time on one address; more are closed at once.
        max_unclaimed: of those, how many that no session has claimed yet; the oldest gives way to a newcomer.
        claim_timeout: seconds from connecting to an authenticated request.
        buffer: bytes that may wait for a slow reader, beside what the kernel holds.
        user_timeout: seconds that sent bytes may go unacknowledged (where the system has TCP_USER_TIMEOUT).
    """

    max_connections: int = 2048
    max_unclaimed: int = 256
    claim_timeout: float = 10.0
    buffer: int = 128 * 1024
    user_timeout: float = 15.0


def bind_tcp(host: str, port: int) -> socket.socket:
    """Make a non-blocking socket that is bound to one address of this machine and listens.

    Raises:
        OSError: the address is not ours, or the port is taken; the message names the next step.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return listening_socket(family, (host, port))
    except OSError as error:
        where = f"TCP port {port} on {host}"
        if error.errno == errno.EADDRINUSE:
            text = f"{where} is in use: stop its owner (ss -tlpn 'sport = :{port}' names it) or choose another (0: any)"
        else:
            text = f"{where} cannot be bound: {error.strerror}"
        raise OSError(error.errno, text) from error


class TcpPort:
    """One local address: its listener, its connections, and which session is behind which remote address.

    The twin of the mux's UDP port, with the same members. Internal to the mux and its sessions.
    """

    protocol: Final = "tcp"

    def __init__(self, mux: UdpMux, index: int, sock: socket.socket, options: TcpOptions) -> None:
        self._mux = mux
        self._index = index
        self._sock = sock
        self._listener: Listener | None = None
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.clock = clock_of(self.loop)
        self.counters: Counter[str] = Counter()
        self.routes: dict[Address, LiteTransport] = {}
        self._connections: dict[Address, _Connection] = {}
        self._unclaimed: dict[_Connection, None] = {}
        name = sock.getsockname()
        self.address: tuple[str, int] = (name[0], name[1])
        self._is_v6 = ":" in self.address[0]

    def listen(self) -> None:
        """Begin to accept."""
        self._listener = Listener(self._sock, lambda: _Connection(self), f"media over TCP, port {self.address[1]}")

    def path_to(self, address: Address) -> Path:
        """The path over the connection from ``address``."""
        return Path(self._index, address[0], address[1])

    def address_of(self, path: Path) -> Address:
        """The address as the connection has it."""
        return (path.host, path.port, 0, 0) if self._is_v6 else (path.host, path.port)

    def route(self, address: Address, session: LiteTransport) -> None:
        """What comes from ``address`` is for ``session``."""
        connection = self._connections.get(address)
        if connection is not None:  # it may have gone in the turn in which it was authenticated
            self.routes[address] = session
            connection.claimed()
            self._unclaimed.pop(connection, None)

    def unroute(self, address: Address) -> None:
        """The session has let go of it: the connection has no other use."""
        self.routes.pop(address, None)
        connection = self._connections.get(address)
        if connection is not None:
            connection.leave()

    def send(self, batch: Sequence[bytes], address: Address, session: LiteTransport) -> int:
        """Send; what is not taken is answered by one ``session.take_turn()``. HOT."""
        connection = self._connections.get(address)
        if connection is None:
            self.counters["send_not_connected"] += len(batch)
            return len(batch)  # gone, as into a network that lost it: the peer will come back over another path
        return connection.send(batch, session)

    def answer(self, data: bytes, address: Address) -> bool:
        """Send one datagram of ICE itself if there is room."""
        connection = self._connections.get(address)
        return connection is not None and connection.send((data,), None) == 1

    def forget(self, session: LiteTransport) -> None:
        """The session takes no more turns."""
        for connection in self._connections.values():
            connection.forget(session)

    def close(self) -> None:
        """Release everything at once."""
        if self._listener is not None:
            self._listener.close()
        else:
            self._sock.close()
        for connection in list(self._connections.values()):
            connection.cut()
        self._connections.clear()
        self._unclaimed.clear()
        self.routes.clear()

    # -- for the connections

    def admit(self, connection: _Connection) -> bool:
        """Take a new connection, or not."""
        if self._listener is None or not self._listener.is_serving or not connection.address:
            return False
        if len(self._connections) >= self.options.max_connections:
            self.counters["too_many_connections"] += 1
            return False
        if len(self._unclaimed) >= self.options.max_unclaimed:
            self.counters["unclaimed_displaced"] += 1
            oldest = next(iter(self._unclaimed))
            self.lost(oldest)
            oldest.cut()
        self.counters["connections"] += 1
        self._connections[connection.address] = connection
        self._unclaimed[connection] = None
        return True

    def received(self, connection: _Connection, datagrams: list[bytes]) -> None:
        """Whole datagrams came."""
        self.counters["datagrams_in"] += len(datagrams)
        self.counters["bytes_in"] += sum(map(len, datagrams))
        self._mux.received(self, [(connection.address, datagrams)], self.clock())

    def lost(self, connection: _Connection) -> None:
        """A connection is gone. Its session finds out by what no longer comes, and may be reached over another."""
        if self._connections.get(connection.address) is connection:
            del self._connections[connection.address]
            self.routes.pop(connection.address, None)
        self._unclaimed.pop(connection, None)


class _Connection(asyncio.BufferedProtocol):
    """One connection of a peer."""

    def __init__(self, port: TcpPort) -> None:
        self._port: TcpPort | None = port
        self._transport: asyncio.Transport | None = None
        self._deframer = Deframer()
        self._buffer = bytearray(_READ)
        self._view = memoryview(self._buffer)
        self._paused = False
        self._answers = 0  # bytes of answers that were written although it was paused
        self._waiting: LiteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.address: Address = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        port = self._port
        assert port is not None
        self._transport = cast(asyncio.Transport, transport)
        self.address = transport.get_extra_info("peername") or ()
        if not port.admit(self):
            self.cut()
            return
        _set_up(transport.get_extra_info("socket"), port.options)
        self._transport.set_write_buffer_limits(high=port.options.buffer, low=port.options.buffer // 4)
        self._timer = port.loop.call_later(port.options.claim_timeout, self._unclaimed)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        port, deframer = self._port, self._deframer
        if port is None:
            return
        empty = deframer.empty
        datagrams = deframer.feed(bytes(self._view[:nbytes]))
        frames = len(datagrams) + deframer.empty - empty
        if datagrams and (self._timer is None or frames <= _HELLO):
            port.received(self, datagrams)
        if self._timer is not None and (frames > _HELLO or not all(map(is_stun, datagrams))):
            port.counters["unclaimed_noise"] += 1
            port.lost(self)
            self.cut()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._answers = 0
        session, self._waiting = self._waiting, None
        if session is not None:
            session.take_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        port, self._port = self._port, None
        session, self._waiting = self._waiting, None
        if port is not None:
            port.lost(self)
        if session is not None:
            session.take_turn()  # into the void, but not for ever in the queue

    def send(self, batch: Sequence[bytes], session: LiteTransport | None) -> int:
        port, transport = self._port, self._transport
        if port is None or transport is None or transport.is_closing():
            return len(batch)
        if self._paused and session is None and self._answers < _ANSWERS:
            self._answers += sum(map(len, batch))
        elif self._paused:
            self._waiting = session or self._waiting
            return 0
        port.counters["datagrams_out"] += len(batch)
        port.counters["bytes_out"] += sum(map(len, batch))
        transport.write(frame(batch))
        return len(batch)

    def claimed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget(self, session: LiteTransport) -> None:
        if self._waiting is session:
            self._waiting = None

    def leave(self) -> None:
        """Close when what is written has left, or soon."""
        port, transport = self._port, self._transport
        if port is None or transport is None:
            return
        port.lost(self)
        self._port = self._waiting = None
        self.claimed()
        transport.close()
        self._timer = port.loop.call_later(_FAREWELL, transport.abort)

    def cut(self) -> None:
        """Close at once."""
        self._port = self._waiting = None
        self.claimed()
        if self._transport is not None:
            self._transport.abort()

    def _unclaimed(self) -> None:
        self._timer = None
        port = self._port
        if port is not None:
            port.counters["claim_timeout"] += 1
            port.lost(self)
            self.cut()


def _set_up(sock: socket.socket | None, options: TcpOptions) -> None:
    """Keep what the kernel holds unsent small, and let it end what is not acknowledged."""
    if sock is None or sys.platform != "linux":
        return
    sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, options.buffer)
    sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(options.user_timeout * 1000))
