"""One port for many sessions, UDP and if wanted TCP: the side of ICE-lite (``docs/explanation/aio.md``).

The idea: a datagram finds its session by the address that it came from, and an address is only ever entered into that
table by a request that proved to know the session's password. So a stranger costs one look at his datagram and gets
no answer. There is one socket per local address and not one on the wildcard, so that what we send has the source
address that the peer sent to.

Fairness: a session that was refused for want of room in the socket's buffer queues; when there is room they take
turns of ``_TURN`` datagrams, so the backlog of one does not hold up the others.

Made by applications (``await UdpMux.open(...)``); sessions are :class:`pystack.aio.lite.LiteTransport`, from
:meth:`UdpMux.transport`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final, Self

from pystack.aio.addresses import is_wildcard, local_addresses
from pystack.aio.clock import clock_of
from pystack.aio.lite import LiteTransport
from pystack.aio.tcp import TcpOptions, TcpPort, bind_tcp
from pystack.aio.udp import Address, Run, UdpOptions, bind_udp, open_udp
from pystack.base import Randomness, SecretRandomness
from pystack.errors import Closed, InvalidArgument, TransportLost
from pystack.ice import (
    Candidate,
    Credentials,
    LiteOptions,
    Path,
    candidate_foundation,
    candidate_priority,
    make_credentials,
    tcp_candidate_priority,
)
from pystack.ice.stun import is_stun, peek_username

__all__ = ["UdpMux"]

_TURN: Final = 64
_TURNS_AT_ONCE: Final = 8
_PORT_TRIES: Final = 20
_LITE: Final = LiteOptions()
_UDP: Final = UdpOptions()
_TCP: Final = TcpOptions()


class UdpMux:
    """One UDP port on some addresses of this machine, shared by many ICE-lite sessions.

    Make it with :meth:`open`. It belongs to whoever opened it: sessions come and go, :meth:`close` ends them all.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        *,
        advertise: Sequence[str] = (),
        options: LiteOptions = _LITE,
        udp: UdpOptions = _UDP,
        randomness: Randomness | None = None,
    ) -> None:
        """Take bound, non-blocking sockets over. Inside a running loop."""
        self._loop = asyncio.get_running_loop()
        self.clock: Final = clock_of(self._loop)
        self._options = options
        self._randomness = randomness or SecretRandomness()
        self._sessions: dict[bytes, LiteTransport] = {}
        self._counters: Counter[str] = Counter()
        self._ports = [Port(self, self._loop, index, sock, udp) for index, sock in enumerate(sockets)]
        self._ways: list[Port | TcpPort] = list(self._ports)
        self._advertise = tuple(advertise)
        self._closed = False
        self.candidates = tuple(c.write() for c in _candidates([p.address for p in self._ports], advertise))

    @classmethod
    async def open(
        cls,
        host: str | Iterable[str] = "0.0.0.0",
        port: int = 0,
        *,
        advertise: Sequence[str] = (),
        loopback: bool = False,
        ipv6: bool = True,
        options: LiteOptions = _LITE,
        udp: UdpOptions = _UDP,
        tcp_port: int | None = None,
        tcp: TcpOptions = _TCP,
        randomness: Randomness | None = None,
    ) -> Self:
        """Bind the port on one or more addresses.

        Args:
            host: an address or several. ``"0.0.0.0"`` (and ``""``, ``"::"``) stands for all of this machine's real
                ones: loopback only if it has no others, link-local never.
            port: 0 lets the system choose one, the same on all addresses.
            advertise: addresses to write into the candidates instead of our own, for a machine behind a 1:1 NAT.
            loopback: with a wildcard, include loopback in any case.
            ipv6: with a wildcard, include IPv6.
            options: the patience of the sessions.
            udp: how the sockets are set up.
            tcp_port: also take connections of ICE over TCP (RFC 6544) on this port of each address, for clients whose
                network lets no UDP through; 0 lets the system choose one. ``None``: do not.
            tcp: what those connections may take.
            randomness: where credentials come from; secret unless a test seeds it.

        Raises:
            OSError: a port is taken or an address is not ours; the message names the next step.
            InvalidArgument: an address or the port is not one.
        """
        for number, what in ((port, "port"), (tcp_port or 0, "tcp_port")):
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 65535:
                raise InvalidArgument(f"{what} must be 0 to 65535, not {number!r}")
        if isinstance(advertise, str) or not isinstance(advertise, Sequence):
            raise InvalidArgument(f"advertise is a list of addresses, such as ['192.0.2.1'], not {advertise!r}")
        if not isinstance(host, str | Iterable):
            raise InvalidArgument(f"host is an address or a list of them, not {host!r}")
        for address in advertise:
            _check_address(address, "advertise")
        wanted = [host] if isinstance(host, str) else list(host)
        addresses: list[str] = []
        optional: set[str] = set()
        for one in wanted:
            if is_wildcard(one):
                found = local_addresses(ipv4=one != "::", ipv6=ipv6, loopback=loopback)
                optional.update(found)
                addresses += found
            else:
                _check_address(one, "host")
                addresses.append(one)
        addresses = list(dict.fromkeys(addresses))
        if not addresses:
            raise InvalidArgument("no address to bind: name one with host=")
        optional -= {a for a in wanted if not is_wildcard(a)}
        sockets = _bind_all(addresses, port, optional, lambda address, number: bind_udp(address, number, udp))
        mux = cls(sockets, advertise=advertise, options=options, udp=udp, randomness=randomness)
        if tcp_port is not None:
            try:
                await mux._listen(tcp_port, tcp)
            except BaseException:
                mux.close()
                raise
        return mux

    async def _listen(self, port: int, options: TcpOptions) -> None:
        listening: list[TcpPort] = []
        for sock in _bind_all([host for host, _ in self.addresses], port, set(), bind_tcp):
            way = TcpPort(self, len(self._ways), sock, options)
            self._ways.append(way)
            listening.append(way)
        for way in listening:
            way.listen()
        shown = _candidates([way.address for way in listening], self._advertise, tcp=True)
        self.candidates += tuple(candidate.write() for candidate in shown)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The ``(host, port)`` pairs that are bound."""
        return tuple(port.address for port in self._ports)

    @property
    def port(self) -> int:
        """The port, the same on all addresses."""
        return self._ports[0].address[1]

    @property
    def tcp_port(self) -> int | None:
        """The port for ICE over TCP, the same on all addresses; ``None`` when there is none."""
        return next((way.address[1] for way in self._ways if isinstance(way, TcpPort)), None)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def __len__(self) -> int:
        """The number of sessions."""
        return len({id(session) for session in self._sessions.values()})

    def transport(self) -> LiteTransport:
        """Make the ICE transport of one new session.

        Raises:
            Closed: the mux is closed.
        """
        if self._closed:
            raise Closed.because("UDP mux", "local")
        return LiteTransport(self, self._loop, self._options)

    def counters(self) -> Mapping[str, int]:
        """Datagrams in and out, and drops: ``unknown_source``, ``unknown_session``, ``no_session``... A copy."""
        total = Counter(self._counters)
        for port in self._ports:
            total.update(port.socket.counters)
        for way in self._ways[len(self._ports) :]:
            total.update({f"tcp_{name}": count for name, count in way.counters.items()})
        return total

    def close(self) -> None:
        """End all sessions (they become ``failed``) and release the sockets. Harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        for way in self._ways:
            way.close()
        for session in list(self._sessions.values()):
            session.lose(TransportLost("the UDP mux was closed"))
        self._sessions.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    # -- for LiteTransport

    def enroll(self, session: LiteTransport) -> Credentials:
        """Draw credentials whose user fragment no other session here has, and let them find ``session``."""
        while True:
            credentials = make_credentials(self._randomness)
            ufrag = credentials.ufrag.encode()
            if ufrag not in self._sessions:
                self._sessions[ufrag] = session
                return credentials

    def retire(self, ufrag: str) -> None:
        """Forget a user fragment."""
        self._sessions.pop(ufrag.encode(), None)

    def map(self, path: Path, session: LiteTransport) -> None:
        """Datagrams that come over ``path`` are for ``session`` now."""
        port, address = self._find(path)
        port.route(address, session)

    def unmap(self, path: Path, session: LiteTransport) -> None:
        """They no longer are, unless another session has taken the path over."""
        port, address = self._find(path)
        if port.routes.get(address) is session:
            port.unroute(address)

    def way(self, path: Path) -> tuple[Port | TcpPort, Address]:
        """Where to send what goes over ``path``: ``port.send(batch, address, session)``."""
        return self._find(path)

    def answer(self, data: bytes, path: Path) -> None:
        """Send one datagram of ICE itself; it is dropped when there is no room, because the peer asks again."""
        port, address = self._find(path)
        if not port.answer(data, address):
            self._counters["answers_dropped"] += 1

    def forget(self, session: LiteTransport) -> None:
        """The session is closed; it takes no more turns."""
        for way in self._ways:
            way.forget(session)

    def _find(self, path: Path) -> tuple[Port | TcpPort, Address]:
        port = self._ways[path.local]  # type: ignore[call-overload]
        return port, port.address_of(path)

    # -- in

    def received(self, port: Port | TcpPort, runs: list[Run], now: float) -> None:
        """Give what was drained to its sessions: to each what is its own, in one call."""
        batches: dict[LiteTransport, list[bytes]] = {}
        asked: dict[LiteTransport, None] = {}
        routes = port.routes
        for address, datagrams in runs:
            session = routes.get(address)
            for data in datagrams:
                if data[0] < 4:
                    if not is_stun(data):
                        self._counters["not_stun"] += 1
                    elif (target := self._session_of(data)) is not None:
                        target.receive_stun(data, port.path_to(address), now)
                        if session is target:
                            asked[target] = None
                        else:
                            # The address may be the session's from here on, and data may follow in this very run.
                            target.settle(now)
                            session = routes.get(address)
                elif session is None:
                    self._counters["unknown_source"] += 1
                elif session in batches:
                    batches[session].append(data)
                else:
                    batches[session] = [data]
        for session in asked:
            session.settle(now)
        for session, batch in batches.items():
            session.deliver(batch, now)

    def _session_of(self, data: bytes) -> LiteTransport | None:
        username = peek_username(data)
        if username is None:
            self._counters["no_session"] += 1
            return None
        session = self._sessions.get(username.partition(b":")[0])
        if session is None:
            self._counters["unknown_session"] += 1
        return session


class Port:
    """One local address: its socket, who is behind which remote address, and who waits for room.

    Internal to the mux and its sessions.
    """

    protocol: Final = "udp"

    def __init__(
        self, mux: UdpMux, loop: asyncio.AbstractEventLoop, index: int, sock: socket.socket, options: UdpOptions
    ) -> None:
        self._mux = mux
        self._loop = loop
        self._index = index
        self.socket = open_udp(loop, sock, options)
        self.socket.on_runs = self._received
        self.socket.on_writable = self._give_turns
        self.address = self.socket.address
        self._is_v6 = ":" in self.address[0]
        self.routes: dict[Address, LiteTransport] = {}
        self._waiting: deque[LiteTransport] = deque()
        self._turn: LiteTransport | None = None
        self._left = 0
        self._again: asyncio.Handle | None = None

    def path_to(self, address: Address) -> Path:
        return Path(self._index, address[0], address[1])

    def address_of(self, path: Path) -> Address:
        # What the kernel gives for a global IPv6 address has no flow and no scope; link-local ones are not bound.
        return (path.host, path.port, 0, 0) if self._is_v6 else (path.host, path.port)

    def _received(self, runs: list[Run], now: float) -> None:
        self._mux.received(self, runs, now)

    @property
    def counters(self) -> Counter[str]:
        return self.socket.counters

    def route(self, address: Address, session: LiteTransport) -> None:
        self.routes[address] = session

    def unroute(self, address: Address) -> None:
        del self.routes[address]

    def answer(self, data: bytes, address: Address) -> bool:
        return self.socket.send((data,), address) == 1

    def send(self, batch: Sequence[bytes], address: Address, session: LiteTransport) -> int:
        """Send; what is not taken is answered by one ``session.take_turn()``. HOT."""
        if session is self._turn:
            part = batch if len(batch) <= self._left else batch[: self._left]
            taken = self.socket.send(part, address)
            self._left -= taken
        elif self._waiting:
            taken = 0
        else:
            taken = self.socket.send(batch, address)
        if taken < len(batch) and session not in self._waiting:
            self._waiting.append(session)
        return taken

    def _give_turns(self) -> None:
        self._again = None
        for _ in range(min(len(self._waiting), _TURNS_AT_ONCE)):
            if self.socket.blocked or not self._waiting:
                break
            self._turn, self._left = self._waiting.popleft(), _TURN
            try:
                self._turn.take_turn()
            finally:
                self._turn = None
        # Others get their turn after whatever else the loop has to do; a blocked socket calls by itself.
        if self._waiting and not self.socket.blocked and self._again is None:
            self._again = self._loop.call_soon(self._give_turns)

    def forget(self, session: LiteTransport) -> None:
        if session in self._waiting:
            self._waiting.remove(session)

    def close(self) -> None:
        self.socket.close()
        self.routes.clear()
        self._waiting.clear()
        if self._again is not None:
            self._again.cancel()
            self._again = None


def _check_address(text: str, what: str) -> None:
    try:
        if not isinstance(text, str):  # a number would be taken for an address
            raise ValueError
        ip_address(text)
    except ValueError:
        raise InvalidArgument(f"{what} must be an IPv4 or IPv6 address, not {text!r}") from None


def _bind_all(
    addresses: Sequence[str], port: int, optional: set[str], bind: Callable[[str, int], socket.socket]
) -> list[socket.socket]:
    """Bind one port on all addresses; with port 0, whichever is free on all of them."""
    for attempt in range(_PORT_TRIES):
        sockets: list[socket.socket] = []
        chosen = port
        try:
            for address in addresses:
                try:
                    sock = bind(address, chosen)
                except OSError as error:
                    # An address that a wildcard stood for may have gone, or may not be ready (IPv6).
                    if error.errno == errno.EADDRNOTAVAIL and address in optional:
                        continue
                    raise
                sockets.append(sock)
                chosen = sock.getsockname()[1]
        except OSError as error:
            for sock in sockets:
                sock.close()
            if error.errno == errno.EADDRINUSE and port == 0 and attempt < _PORT_TRIES - 1:
                continue
            raise
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"none of {', '.join(addresses)} can be bound; name one with host=")
        return sockets
    raise AssertionError("unreachable")


def _candidates(
    bound: Sequence[tuple[str, int]], advertise: Sequence[str], *, tcp: bool = False
) -> Iterable[Candidate]:
    shown: list[tuple[str, int]] = []
    if not advertise:
        shown = list(bound)
    for address in advertise:
        # Behind a NAT one outer address stands for the socket of its family.
        port = next((p for host, p in bound if (":" in host) == (":" in address)), bound[0][1])
        shown.append((address, port))
    for index, (host, port) in enumerate(shown):
        yield Candidate(
            foundation=candidate_foundation("host", host, transport="tcp" if tcp else "udp"),
            transport="tcp" if tcp else "udp",
            priority=tcp_candidate_priority(8191 - index) if tcp else candidate_priority("host", 65535 - index),
            host=host,
            port=port,
            extensions=(("tcptype", "passive"),) if tcp else (),
        )
