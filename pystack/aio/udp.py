"""UDP sockets for speed: a reader loop that drains, sends in runs, and back-pressure.

The idea: asyncio's own datagram transport costs 20 us a packet on the way in, a drain loop 5. So the socket is ours:

* **In.** One readiness event drains up to ``_READ_LIMIT`` datagrams, grouped into *runs* of one source address, and
  hands them on in one call; a flooded socket takes turns with the rest of the loop. Once a sender is seen to send
  long runs, the kernel is asked to hand them over whole (UDP_GRO).
* **Out.** A batch for one address goes out in runs of equal size, a shorter one last, each by one system call
  (UDP_SEGMENT). Nothing is padded or reordered. An address for which the kernel refuses that is remembered and served
  one by one.
* **Errors.** No error of a peer or of the network is raised: it is counted, and the datagram is gone, as UDP is. Only
  "no room" (EAGAIN) is back-pressure.

Where the loop cannot watch a socket (Windows' Proactor), :class:`ProtocolSocket` does the same through a plain
``DatagramProtocol``. Used by :mod:`pystack.aio.mux` and :mod:`pystack.aio.ice`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, cast
from weakref import WeakKeyDictionary

import attrs

from pystack.aio.clock import clock_of

__all__ = ["Address", "ProtocolSocket", "Run", "UdpEndpoint", "UdpOptions", "UdpSocket", "bind_udp", "open_udp"]

Address: TypeAlias = tuple[Any, ...]
"""As the socket module has it: ``(host, port)`` for IPv4, ``(host, port, flow, scope)`` for IPv6."""

Run: TypeAlias = tuple[Address, list[bytes]]
"""Datagrams that came from one address in a row, oldest first, none of them empty."""

# Not in Python's socket module (linux/udp.h).
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
# asm-generic/socket.h
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_SEGMENT: Final = struct.Struct("=H")

_MAX_SEGMENTS: Final = 64  # newer kernels take 128, older ones 64
_MAX_BURST: Final = 65000  # the whole of a run is one IP packet until it is cut: 65507 at most
_READ_LIMIT: Final = 128  # datagrams a readiness event, so that a flood leaves time for others
_GRO_AFTER: Final = 8  # a run of as many equal sizes shows a sender that GRO helps with
_PLAIN_ADDRESSES: Final = 1024  # remembered at most as not to be sent to in runs


@attrs.frozen(kw_only=True)
class UdpOptions:
    """How a socket is set up.

    Attributes:
        receive_buffer: asked of the kernel, in bytes; it gives what it allows.
        send_buffer: likewise.
        segmentation: send in runs where the kernel can (UDP_SEGMENT).
        coalescing: receive in runs once a sender profits from it (UDP_GRO).
    """

    receive_buffer: int = 4 << 20
    send_buffer: int = 2 << 20
    segmentation: bool = True
    coalescing: bool = True


class UdpEndpoint(Protocol):
    """A bound UDP socket on an event loop.

    Attributes:
        on_runs: ``(runs, now)``: what was drained.
        on_writable: there is room again, after a ``send`` that took less than all.
        address: ``(host, port)`` that it is bound to.
        blocked: from such a ``send`` until ``on_writable``.
        counters: ``datagrams_in``, ``bytes_in``, ``datagrams_out``, ``bytes_out`` and errors by name.
    """

    on_runs: Callable[[list[Run], float], None]
    on_writable: Callable[[], None]
    address: tuple[str, int]
    blocked: bool

    @property
    def counters(self) -> Counter[str]:
        """A copy."""
        ...

    def send(self, batch: Sequence[bytes], address: Address) -> int:
        """Send in order to one address; return how many, from the front, were taken. Never raises."""
        ...

    def close(self) -> None:
        """Release the socket at once; no callback follows. Harmless when repeated."""


def bind_udp(host: str, port: int, options: UdpOptions = UdpOptions()) -> socket.socket:
    """Make a non-blocking socket bound to one address of this machine.

    Raises:
        OSError: the address is not ours, or the port is taken; the message names the next step.
    """
    bare, _, scope = host.partition("%")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        _set_buffer(sock, socket.SO_RCVBUF, _SO_RCVBUFFORCE, options.receive_buffer)
        _set_buffer(sock, socket.SO_SNDBUF, _SO_SNDBUFFORCE, options.send_buffer)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((bare, port, 0, socket.if_nametoindex(scope) if scope else 0))
        else:
            sock.bind((bare, port))
    except OSError as error:
        sock.close()
        raise _explained(error, host, port) from error
    return sock


def _set_buffer(sock: socket.socket, name: int, forced: int, size: int) -> None:
    """Ask for ``size`` bytes: past the system's limit where we may (CAP_NET_ADMIN), else up to it."""
    for option in (forced, name) if sys.platform == "linux" else (name,):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        except OSError:  # not allowed; and macOS refuses what Linux cuts down
            continue
        return


def _explained(error: OSError, host: str, port: int) -> OSError:
    where = f"UDP port {port} on {host}"
    if error.errno == errno.EADDRINUSE:
        text = (
            f"{where} is in use: stop its owner (ss -ulpn 'sport = :{port}' names it) or choose another port (0: any)"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        text = f"{where}: this machine does not have the address; list them with: ip address"
    elif error.errno in {errno.EACCES, errno.EPERM}:
        text = f"{where}: not allowed; choose a port above 1023 or give the process CAP_NET_BIND_SERVICE"
    else:
        text = f"{where} cannot be bound: {error.strerror}"
    return OSError(error.errno, text)


def open_udp(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, options: UdpOptions = UdpOptions()
) -> UdpSocket | ProtocolSocket:
    """Put a bound socket on the loop, in the fastest way that the loop allows. Owns ``sock`` from now on."""
    try:
        return UdpSocket(loop, sock, options)
    except NotImplementedError:
        return ProtocolSocket(loop, sock)


def _ignore_runs(_runs: list[Run], _now: float) -> None:
    return


def _ignore() -> None:
    return


_BUFFERS: WeakKeyDictionary[asyncio.AbstractEventLoop, bytearray] = WeakKeyDictionary()


def _buffer_of(loop: asyncio.AbstractEventLoop) -> bytearray:
    """What sockets of one loop read into. They read one after the other and keep copies, so one buffer serves all."""
    buffer = _BUFFERS.get(loop)
    if buffer is None:
        buffer = _BUFFERS[loop] = bytearray(65536)
    return buffer


class UdpSocket:
    """A socket with a reader loop of its own; see :class:`UdpEndpoint` for the members."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, options: UdpOptions) -> None:
        self._loop = loop
        self._sock = sock
        self._clock = clock_of(loop)
        self._buffer = _buffer_of(loop)
        self._view = memoryview(self._buffer)
        self._closed = False
        self._segments = options.segmentation and _kernel_segments(sock)
        self._may_coalesce = options.coalescing and sys.platform == "linux"
        self._coalesces = False
        self._plain: dict[Address, None] = {}
        self.on_runs: Callable[[list[Run], float], None] = _ignore_runs
        self.on_writable: Callable[[], None] = _ignore
        self.blocked = False
        self._datagrams_in = self._bytes_in = self._datagrams_out = self._bytes_out = self._runs_out = 0
        self._errors: Counter[str] = Counter()
        name = sock.getsockname()
        self.address: tuple[str, int] = (name[0], name[1])
        loop.add_reader(sock.fileno(), self._readable)

    @property
    def counters(self) -> Counter[str]:
        """What passed and what went wrong. A copy."""
        total = Counter(self._errors)
        total["datagrams_in"] = self._datagrams_in
        total["bytes_in"] = self._bytes_in
        total["datagrams_out"] = self._datagrams_out
        total["bytes_out"] = self._bytes_out
        total["runs_out"] = self._runs_out
        return total

    # -- in

    def _readable(self) -> None:
        runs = self._drain_coalesced() if self._coalesces else self._drain()
        if not runs:
            return
        for _, datagrams in runs:
            self._datagrams_in += len(datagrams)
            self._bytes_in += sum(map(len, datagrams))
        self.on_runs(runs, self._clock())

    def _drain(self) -> list[Run]:
        receive, buffer, view = self._sock.recvfrom_into, self._buffer, self._view
        runs: list[Run] = []
        last: Address | None = None
        datagrams: list[bytes] = []
        for _ in range(_READ_LIMIT):
            try:
                size, address = receive(buffer)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if not self._receive_failed(error):
                    break
                continue
            if not size:
                self._errors["empty_in"] += 1
            elif address == last:
                datagrams.append(bytes(view[:size]))
            else:
                last = address
                datagrams = [bytes(view[:size])]
                runs.append((address, datagrams))
        if self._may_coalesce:
            for _, datagrams in runs:
                if len(datagrams) >= _GRO_AFTER and len(set(map(len, datagrams[:_GRO_AFTER]))) == 1:
                    self._coalesce()
                    break
        return runs

    def _coalesce(self) -> None:
        self._may_coalesce = False
        try:
            self._sock.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        except OSError:
            return
        self._coalesces = True

    def _drain_coalesced(self) -> list[Run]:
        receive, buffers, view = self._sock.recvmsg_into, [self._buffer], self._view
        runs: list[Run] = []
        last: Address | None = None
        datagrams: list[bytes] = []
        left = _READ_LIMIT
        while left > 0:
            try:
                size, ancillary, _, address = receive(buffers, 64)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                left -= 1
                if not self._receive_failed(error):
                    break
                continue
            left -= 1
            if not size:
                self._errors["empty_in"] += 1
                continue
            if address != last:
                last = address
                datagrams = []
                runs.append((address, datagrams))
            data = bytes(view[:size])
            segment = size
            for level, kind, value in ancillary:
                if level == _SOL_UDP and kind == _UDP_GRO:
                    segment = int.from_bytes(value[:4], sys.byteorder)
            if segment >= size or segment <= 0:
                datagrams.append(data)
            else:
                datagrams += [data[at : at + segment] for at in range(0, size, segment)]
                left -= size // segment
        return runs

    def _receive_failed(self, error: OSError) -> bool:
        """Count it; tell whether to go on reading. Some systems report the ICMP error of an earlier send here."""
        self._errors[f"receive_{errno.errorcode.get(error.errno or 0, 'error')}"] += 1
        return not self._closed and error.errno in {errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH}

    # -- out

    def send(self, batch: Sequence[bytes], address: Address) -> int:
        """Send in order to one address; return how many, from the front, were taken. Never raises."""
        if self._closed or self.blocked:
            return 0
        count = len(batch)
        if count == 1:  # most of what a forwarder sends: the plain twin is _send_singly
            try:
                self._bytes_out += self._sock.sendto(batch[0], address)
            except (BlockingIOError, InterruptedError):
                self._block()
                return 0
            except OSError as error:
                return int(self._send_failed(error, batch[0], address))
            self._datagrams_out += 1
            return 1
        if not self._segments or address in self._plain:
            return self._send_singly(batch, address, 0, count)
        at = 0
        while at < count:
            size = len(batch[at])
            end = at + 1
            most = min(count, at + min(_MAX_SEGMENTS, _MAX_BURST // size if size else 1))
            while end < most and len(batch[end]) == size:
                end += 1
            if end < most and 0 < len(batch[end]) < size:
                end += 1
            taken = (
                self._send_run(batch, address, at, end, size)
                if end - at > 1
                else self._send_singly(batch, address, at, end)
            )
            at += taken
            if self.blocked or not taken:
                break
        return at

    def _send_run(self, batch: Sequence[bytes], address: Address, at: int, end: int, size: int) -> int:
        run = batch[at:end]
        try:
            sent = self._sock.sendmsg(run, ((_SOL_UDP, _UDP_SEGMENT, _SEGMENT.pack(size)),), 0, address)
        except (BlockingIOError, InterruptedError):
            self._block()
            return 0
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP}:
                # This route cannot cut a run: its MTU is smaller than we think, or its driver makes no checksums.
                self._errors["segmentation_refused"] += 1
                if len(self._plain) >= _PLAIN_ADDRESSES:
                    self._plain.pop(next(iter(self._plain)))
                self._plain[address] = None
            return self._send_singly(batch, address, at, end)
        self._datagrams_out += end - at
        self._bytes_out += sent
        self._runs_out += 1
        return end - at

    def _send_singly(self, batch: Sequence[bytes], address: Address, at: int, end: int) -> int:
        sendto = self._sock.sendto
        sent = size = 0
        taken = 0
        for index in range(at, end):
            datagram = batch[index]
            try:
                size += sendto(datagram, address)
                sent += 1
            except (BlockingIOError, InterruptedError):
                self._block()
                break
            except OSError as error:
                if not self._send_failed(error, datagram, address):
                    break
            taken += 1
        self._datagrams_out += sent
        self._bytes_out += size
        return taken

    def _send_failed(self, error: OSError, datagram: bytes, address: Address) -> bool:
        """Count a refusal and give the datagram up; one of an earlier datagram (ICMP) is reported here: send again.

        Returns:
            whether the datagram is done with.
        """
        self._errors[f"send_{errno.errorcode.get(error.errno or 0, 'error')}"] += 1
        if error.errno not in {errno.ECONNREFUSED, errno.ECONNRESET}:
            return True
        try:
            size = self._sock.sendto(datagram, address)
        except (BlockingIOError, InterruptedError):
            self._block()
            return False
        except OSError:
            return True
        self._datagrams_out += 1
        self._bytes_out += size
        return True

    def _block(self) -> None:
        if not self.blocked and not self._closed:
            self.blocked = True
            self._errors["blocked"] += 1
            self._loop.add_writer(self._sock.fileno(), self._unblock)

    def _unblock(self) -> None:
        self._loop.remove_writer(self._sock.fileno())
        self.blocked = False
        self.on_writable()

    def close(self) -> None:
        """Release the socket at once; no callback follows. Harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self.on_runs = _ignore_runs
        self.on_writable = _ignore
        self._loop.remove_reader(self._sock.fileno())
        if self.blocked:
            self._loop.remove_writer(self._sock.fileno())
            self.blocked = False
        self._sock.close()


def _kernel_segments(sock: socket.socket) -> bool:
    """Whether the kernel knows UDP_SEGMENT. One that does not would send a run as one huge datagram."""
    if sys.platform != "linux":
        return False
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True


class ProtocolSocket(asyncio.DatagramProtocol):
    """The same by way of the loop's own datagram transport, for loops that cannot watch a socket.

    Slower, one datagram a call, and equal to :class:`UdpSocket` to whoever uses it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._clock = clock_of(loop)
        self._loop = loop
        self._sock = sock
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = False
        self._full = False
        self.on_runs: Callable[[list[Run], float], None] = _ignore_runs
        self.on_writable: Callable[[], None] = _ignore
        self.blocked = False
        self._counters: Counter[str] = Counter()
        name = sock.getsockname()
        self.address: tuple[str, int] = (name[0], name[1])
        # The endpoint is made in a task; until then a send is refused, and answered when it is there.
        self._opening = loop.create_task(self._open(), name="udp-open")

    @property
    def counters(self) -> Counter[str]:
        """What passed and what went wrong. A copy."""
        return Counter(self._counters)

    async def _open(self) -> None:
        try:
            await self._loop.create_datagram_endpoint(lambda: self, sock=self._sock)
        except OSError as error:
            self.error_received(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has taken the socket."""
        # The loop's own transports do not inherit from asyncio.DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)
        if self._closed:
            self._transport.abort()
            return
        if self.blocked:
            self.blocked = False
            self.on_writable()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """One datagram came."""
        if not data:
            self._counters["empty_in"] += 1
            return
        self._counters["datagrams_in"] += 1
        self._counters["bytes_in"] += len(data)
        self.on_runs([(addr, [data])], self._clock())

    def error_received(self, exc: Exception) -> None:
        """An earlier send was refused by the network."""
        number = exc.errno if isinstance(exc, OSError) else None
        self._counters[f"send_{errno.errorcode.get(number or 0, 'error')}"] += 1

    def pause_writing(self) -> None:
        """The loop's buffer is full."""
        self._full = True

    def resume_writing(self) -> None:
        """The loop's buffer has room."""
        self._full = False
        if self.blocked and not self._closed:
            self.blocked = False
            self.on_writable()

    def send(self, batch: Sequence[bytes], address: Address) -> int:
        """Send in order to one address; return how many, from the front, were taken. Never raises."""
        if self._closed:
            return 0
        taken = 0
        if self._transport is not None:
            for datagram in batch:
                if self._full:
                    break
                self._transport.sendto(datagram, address)
                self._counters["datagrams_out"] += 1
                self._counters["bytes_out"] += len(datagram)
                taken += 1
        if taken < len(batch):
            self.blocked = True
        return taken

    def close(self) -> None:
        """Release the socket at once; no callback follows. Harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self.on_runs = _ignore_runs
        self.on_writable = _ignore
        self.blocked = False
        self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()
        else:
            self._sock.close()
