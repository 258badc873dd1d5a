"""The agent of full ICE: aioice's pairing, checking, nominating and TURN client, and everything around them ours.

The idea: this is the only file that knows aioice (RFC 8445, RFC 8838, RFC 8656). Its ``Connection`` is subclassed and
the rest replaced:

* **Sockets** are :class:`~pystack.aio.udp.UdpSocket`; aioice's protocol objects get a transport of ours that only
  takes STUN. Application data never touches aioice in either direction, nor a queue.
* **Gathering** is ours: host candidates are there at once, the others trickle; port range, address filter, policy.
* **Its parser** sees only requests and answers that our own codec has read and, for requests, authenticated.
* **End-of-candidates** is not told to it, because it would fail at once when no candidate is usable, although the
  peer's own checks may be on their way (a browser that hides its addresses). The owner's deadline ends the attempt.
* **Consent** is the owner's; aioice's takes some 33 s and is the same for all connections.
* **Close** releases the sockets at once; the farewell to a TURN server, 63 s in aioice, has 1 s.

What is relied upon in aioice is pinned by ``tests/unit/aio/test_aioice_contract.py``. Used by
:mod:`pystack.aio.full`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import aioice
from aioice import stun as aioice_stun
from aioice import turn as aioice_turn
from aioice.ice import CandidatePair, StunProtocol

from pystack.aio.addresses import local_addresses
from pystack.aio.checks import Checks
from pystack.aio.clock import clock_of
from pystack.aio.ice_options import FullIceOptions, IceServer
from pystack.aio.scope import Scope
from pystack.aio.transport import GatheringState, IceParameters, StunTap
from pystack.aio.udp import Address, Run, UdpEndpoint, UdpOptions, bind_udp, open_udp
from pystack.base import Randomness
from pystack.errors import DecodeError
from pystack.ice import Candidate, candidate_foundation, candidate_priority, make_credentials
from pystack.ice.stun import BINDING, StunClass, is_stun, parse

__all__ = ["MAX_PAIRS", "Agent", "AgentOwner", "Way"]

MAX_PAIRS: Final = 100
"""Candidates of the peer, and with them pairs, that an agent works with (RFC 8445 section 6.1.2.5)."""

_MAX_KNOWN: Final = 64  # addresses of the peer that have proved themselves, per socket
_MAX_RELAYING: Final = 256  # datagrams under way to a relay; aioice makes a task of each
_CLOSE_TIMEOUT: Final = 1.0
# What aioice raises on a message that its parser was not made for.
_PARSER_ERRORS: Final = (ValueError, KeyError, AssertionError, struct.error)


class AgentOwner(Protocol):
    """What an agent needs of the transport that it works for."""

    @property
    def options(self) -> FullIceOptions:
        """How to gather."""
        ...

    @property
    def on_stun(self) -> StunTap | None:
        """A debugger that wants to see STUN."""
        ...

    @property
    def scope(self) -> Scope:
        """Where an agent's tasks belong."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all this is on."""
        ...

    def count(self, what: str) -> None:
        """Count a drop."""

    def candidate_found(self, agent: Agent, text: str | None) -> None:
        """A candidate was gathered; ``None``: that was all."""

    def nominated(self, agent: Agent, way: Way) -> None:
        """There is a way to the peer, the first or a better one."""

    def deliver(self, batch: list[bytes], now: float) -> None:
        """Data from an address that has proved itself."""

    def answered(self, agent: Agent, data: bytes, source: object, address: tuple[str, int]) -> bool:
        """Take a STUN answer to none of the agent's requests; tell whether it was to one of the owner's."""
        ...

    def has_room(self) -> None:
        """A socket can send again."""


class Way:
    """A nominated pair, as something to send on."""

    __slots__ = (
        "_address",
        "_protocol",
        "_socket",
        "checks",
        "local",
        "local_type",
        "relay_protocol",
        "remote",
        "remote_type",
    )

    def __init__(self, pair: CandidatePair) -> None:
        self._protocol = cast(_HostProtocol | _RelayProtocol, pair.protocol)
        self.local: tuple[str, int] = pair.local_addr
        self.remote: tuple[str, int] = pair.remote_addr
        self.local_type: str = pair.local_candidate.type
        self.remote_type: str = pair.remote_candidate.type
        self.relay_protocol = self._protocol.kind
        self.checks = self._protocol.checks_with(self.remote)
        self._socket: UdpEndpoint | None = None
        self._address: Address = self.remote
        if isinstance(self._protocol, _HostProtocol):
            self._socket = self._protocol.socket
            self._address = self._protocol.address_of(self.remote)

    def send(self, batch: Sequence[bytes]) -> int:
        """Send data in order; return how many datagrams were taken, by a relay sent. HOT."""
        if self._socket is not None:
            return self._socket.send(batch, self._address)
        return cast(_RelayProtocol, self._protocol).send(batch, self.remote)

    def ask(self, request: bytes) -> None:
        """Send a STUN request."""
        self._protocol.transport.sendto(request, self.remote)

    def leads_to(self, source: object, address: tuple[str, int]) -> bool:
        """Whether what came from ``address`` by the protocol object ``source`` came this way."""
        return source is self._protocol and address == self.remote


class Agent(aioice.Connection):
    """One generation: aioice's pairing, checking and nominating over sockets of ours."""

    def __init__(self, owner: AgentOwner, randomness: Randomness) -> None:
        self.credentials = make_credentials(randomness)
        super().__init__(
            ice_controlling=False,
            local_username=self.credentials.ufrag,
            local_password=self.credentials.pwd,
            transport_policy=(
                aioice.TransportPolicy.RELAY if owner.options.policy == "relay" else aioice.TransportPolicy.ALL
            ),
        )
        self._tie_breaker = randomness.integer(64)
        self.owner = owner
        self.remote: IceParameters | None = None
        self.gathering: GatheringState = "new"
        self.gathered: list[str] = []
        self.hosts: list[_HostProtocol] = []
        self.started = False
        self.has_role = False
        self.connecting = False
        self.dismissed = False
        self._key = self.credentials.key
        self.clock = clock_of(owner.loop)

    @property
    def tie_breaker(self) -> int:
        """What decides a role conflict, for the whole generation."""
        return self._tie_breaker

    # -- gathering

    def gather(self) -> None:
        """Open a socket on each address, announce it, and ask the servers."""
        if self.gathering != "new":
            return
        self.gathering = "gathering"
        # connect() asks for these; later candidates are paired as they come.
        self._local_candidates_start = self._local_candidates_end = True
        options = self.owner.options
        if options.policy == "all":
            addresses = local_addresses(
                ipv4=options.ipv4, ipv6=options.ipv6, loopback=options.loopback, allowed=options.address_filter
            )
            for index, address in enumerate(addresses):
                self._add_host(address, 65535 - index)
        if options.servers:
            self.owner.scope.start(self._ask_servers(), "gather")
        else:
            self._gathered_all()

    def _add_host(self, address: str, preference: int) -> None:
        options = self.owner.options
        try:
            sock = _bind_in_range(address, options.port_range, options.udp)
        except OSError:
            self.owner.count("gather_bind")
            return
        protocol = _HostProtocol(self, open_udp(self.owner.loop, sock, options.udp))
        host, port = protocol.socket.address
        candidate = Candidate(
            foundation=candidate_foundation("host", host),
            priority=candidate_priority("host", preference),
            host=host,
            port=port,
        )
        protocol.local_candidate = aioice.Candidate.from_sdp(candidate.write().removeprefix("candidate:"))
        self.hosts.append(protocol)
        self._add_local(protocol, candidate)

    def _add_local(self, protocol: StunProtocol, candidate: Candidate) -> None:
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        self._announce(candidate)

    def _announce(self, candidate: Candidate) -> None:
        text = candidate.write()
        if text not in self.gathered:
            self.gathered.append(text)
            self.owner.candidate_found(self, text)

    def _gathered_all(self) -> None:
        self.gathering = "complete"
        self.owner.candidate_found(self, None)

    async def _ask_servers(self) -> None:
        async with asyncio.TaskGroup() as group:
            for server in self.owner.options.servers:
                if server.kind == "turn":
                    group.create_task(self._bounded(self._ask_relay(server), "turn"))
                elif self.owner.options.policy == "all":
                    for protocol in self.hosts:
                        group.create_task(self._bounded(self._ask_reflexive(protocol, server), "stun"))
        if not self.dismissed:
            self._gathered_all()

    async def _bounded(self, asking: Coroutine[Any, Any, None], what: str) -> None:
        try:
            async with asyncio.timeout(self.owner.options.gather_timeout):
                await asking
        except (OSError, aioice_stun.TransactionError, *_PARSER_ERRORS):  # OSError: TimeoutError is one
            self.owner.count(f"gather_{what}_failed")

    async def _ask_reflexive(self, protocol: _HostProtocol, server: IceServer) -> None:
        base = protocol.local_candidate
        is_v6 = ":" in base.host
        if ipaddress.ip_address(base.host).is_loopback:
            return
        family = socket.AF_INET6 if is_v6 else socket.AF_INET
        infos = await self.owner.loop.getaddrinfo(server.host, server.port, family=family)
        for *_, (address, port, *_) in infos:
            request = aioice_stun.Message(
                message_method=aioice_stun.Method.BINDING, message_class=aioice_stun.Class.REQUEST
            )
            response, _ = await protocol.request(request, (str(address), int(port)))
            host, port = response.attributes["XOR-MAPPED-ADDRESS"]
            if (host, port) != (base.host, base.port):
                self._announce(
                    Candidate(
                        foundation=candidate_foundation("srflx", base.host, server.host),
                        priority=candidate_priority("srflx", base.priority >> 8 & 0xFFFF),
                        host=host,
                        port=port,
                        type="srflx",
                        related_address=base.host,
                        related_port=base.port,
                    )
                )
            return

    async def _ask_relay(self, server: IceServer) -> None:
        protocol = _RelayProtocol(self, "tls" if server.tls else server.transport)
        transport = await _allocate(self.owner, server, protocol)
        if self.dismissed:  # by a restart, which leaves the task alone
            transport.close()
            return
        host, port = transport.get_extra_info("sockname")
        related = transport.get_extra_info("related_address")
        if self.owner.options.policy == "relay":
            # The address that policy hides must not show here (RFC 9429 section 3.5.3).
            related = ("0.0.0.0", 9) if ":" not in host else ("::", 9)
        candidate = Candidate(
            foundation=candidate_foundation("relay", host, server.host),
            priority=candidate_priority("relay", 65535 - len(self._protocols)),
            host=host,
            port=port,
            type="relay",
            related_address=related[0],
            related_port=related[1],
        )
        protocol.local_candidate = aioice.Candidate.from_sdp(candidate.write().removeprefix("candidate:"))
        self._add_local(protocol, candidate)

    def counters(self) -> Mapping[str, int]:
        """What the sockets have counted."""
        total: Counter[str] = Counter()
        for protocol in self.hosts:
            total.update(protocol.socket.counters)
        return total

    # -- the peer

    def set_remote(self, parameters: IceParameters) -> None:
        """The peer's credentials."""
        self.remote = parameters
        self.remote_username = parameters.ufrag
        self.remote_password = parameters.pwd
        self.remote_is_lite = parameters.lite

    def add_remote(self, candidate: Candidate) -> None:
        """Pair a candidate that is usable: aioice's own method is a coroutine, for the sake of names."""
        remote = aioice.Candidate(
            foundation=candidate.foundation,
            component=1,
            transport="udp",
            priority=candidate.priority,
            host=candidate.host,
            port=candidate.port,
            type=candidate.type if candidate.type != "prflx" else "srflx",
        )
        self._add_remote_candidate(remote, candidate.host)

    def receive_stun(self, data: bytes, protocol: _HostProtocol | _RelayProtocol, address: tuple[str, int]) -> None:
        """Read a STUN message with our own codec, and pass on to aioice what is sound."""
        if self.dismissed:
            return
        if self.owner.on_stun is not None:
            self.owner.on_stun(data, protocol.local_address, address, True)
        try:
            message = parse(data)
        except DecodeError:
            self.owner.count("stun_malformed")
            return
        if message.message_class is StunClass.REQUEST:
            ours, colon, theirs = (message.username or "").partition(":")
            if message.method != BINDING or not colon or ours != self.credentials.ufrag:
                self.owner.count("stun_unknown_session")
            elif not message.authentic(self._key) or (self.remote is not None and theirs != self.remote.ufrag):
                self.owner.count("stun_unauthenticated")
            elif message.priority is None or len(self._check_list) > 2 * MAX_PAIRS:
                self.owner.count("stun_unusable")
            else:
                protocol.admit(address)
                protocol.checks_with(address).requests_received += 1
                if not self.started:  # the answer is under way: the peer knows its role already, and ours is the other
                    self.take_role(message.controlling is None)
                self._pass_on(data, protocol, address)
        elif message.message_class is StunClass.INDICATION:
            self.owner.count("stun_indication")
        elif message.transaction_id in protocol.transactions:
            if self.remote is not None and message.authentic(self.remote.pwd.encode()):
                # At once: a lite peer may send data right behind the answer that nominates.
                protocol.admit(address)
                protocol.checks_with(address).answered(message.transaction_id, self.clock())
            self._pass_on(data, protocol, address)
        elif not self.owner.answered(self, data, protocol, address):
            self.owner.count("stun_unexpected")

    def take_role(self, controlling: bool) -> None:
        """Take a role, unless a check of the peer was answered before: whoever was told yes may have nominated with it,
        does so only once, and would wait for ever if its mark were now read in the other role.
        """
        if not self.has_role:
            self.has_role = True
            self.ice_controlling = controlling

    def _pass_on(self, data: bytes, protocol: _HostProtocol | _RelayProtocol, address: tuple[str, int]) -> None:
        try:
            StunProtocol.datagram_received(protocol, data, address)
        except _PARSER_ERRORS:
            self.owner.count("stun_refused_by_aioice")

    def data_received(self, data: bytes, component: int) -> None:
        """Never reached by data of ours: only what aioice's parser took for none of STUN."""
        self.owner.count("stun_refused_by_aioice")

    def check_complete(self, pair: CandidatePair) -> None:
        """A check has ended; see whether it left us with a path."""
        before = self._nominated.get(1)
        super().check_complete(pair)
        after = self._nominated.get(1)
        if after is not None and after is not before:
            self.owner.nominated(self, Way(after))

    async def query_consent(self) -> None:
        """Consent is ours."""

    # -- the end

    def dismiss(self) -> None:
        """Release the sockets at once; nothing is called any more."""
        self.dismissed = True
        for protocol in self.hosts:
            protocol.socket.close()

    async def farewell(self) -> None:
        """End the rest: checks, allocations at relays. 1 s at most, less if it is cancelled."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.close()
        except TimeoutError:
            self.owner.count("farewell_abandoned")
        finally:
            for protocol in self._protocols:  # none, after a close that ran to its end
                if isinstance(protocol, _RelayProtocol):
                    protocol.abandon()


class _CountingProtocol(StunProtocol):
    """aioice's protocol object, and what it exchanged with each address.

    Attributes:
        kind: how a relay is reached; ``None`` for a socket of ours.
    """

    def __init__(self, agent: Agent, kind: str | None = None) -> None:
        super().__init__(agent)
        self.kind = kind
        self._clock = clock_of(agent.owner.loop)
        self._checks: dict[tuple[str, int], Checks] = {}

    def checks_with(self, address: tuple[str, int]) -> Checks:
        """The counts of the pair with that address of the peer."""
        checks = self._checks.get(address)
        if checks is None:
            if len(self._checks) >= 2 * MAX_PAIRS:
                del self._checks[next(iter(self._checks))]
            checks = self._checks[address] = Checks()
        return checks

    def send_stun(self, message: aioice_stun.Message, addr: tuple[str, int]) -> None:
        """Send a STUN message of aioice's."""
        checks = self.checks_with(addr)
        if message.message_class is aioice_stun.Class.REQUEST:
            checks.asked(message.transaction_id, self._clock())
        else:
            checks.responses_sent += 1
        super().send_stun(message, addr)


class _HostProtocol(_CountingProtocol):
    """A host candidate: aioice's protocol object over a socket of ours, and the fast way past both."""

    def __init__(self, agent: Agent, sock: UdpEndpoint) -> None:
        super().__init__(agent)
        self._agent = agent
        self.socket = sock
        self._is_v6 = ":" in sock.address[0]
        self._known: dict[Address, None] = {}
        sock.on_runs = self._received
        sock.on_writable = agent.owner.has_room
        self.connection_made(_SocketTransport(agent.owner.loop, sock, self))

    def address_of(self, address: tuple[str, int]) -> Address:
        """As the socket wants it."""
        return (*address, 0, 0) if self._is_v6 else address

    @property
    def local_address(self) -> tuple[str, int]:
        """Where it stands."""
        return self.socket.address[0], self.socket.address[1]

    def admit(self, address: tuple[str, int]) -> None:
        """Data from there is the peer's: it has proved to know our password, or answered with its own."""
        known = self.address_of(address)
        if known not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[known] = None

    def show(self, data: bytes, address: tuple[str, int]) -> None:
        """Let a debugger see a STUN message that goes out."""
        tap = self._agent.owner.on_stun
        if tap is not None:
            tap(data, self.local_address, (address[0], address[1]), False)

    def _received(self, runs: list[Run], now: float) -> None:
        batch: list[bytes] = []
        agent = self._agent
        for address, datagrams in runs:
            known = address in self._known
            for data in datagrams:
                if data[0] > 3:
                    if known:
                        batch.append(data)
                    else:
                        agent.owner.count("unknown_source")
                elif is_stun(data):
                    agent.receive_stun(data, self, (address[0], address[1]))
                    known = address in self._known
                else:
                    agent.owner.count("stun_malformed")
        if batch and not agent.dismissed:
            agent.owner.deliver(batch, now)


class _SocketTransport(asyncio.DatagramTransport):
    """What aioice's protocol object takes for its transport."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: UdpEndpoint, protocol: _HostProtocol) -> None:
        super().__init__()
        self._loop = loop
        self._socket = sock
        self._protocol: _HostProtocol | None = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Only ``sockname``."""
        return self._socket.address if name == "sockname" else default

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a STUN message; without room it is lost, and sent again by its transaction."""
        protocol = self._protocol
        if protocol is not None:
            protocol.show(data, addr)
            self._socket.send((data,), protocol.address_of(addr))

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._protocol is None

    def close(self) -> None:
        """Close the socket; the protocol is told in the next turn, as asyncio does."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            self._socket.close()
            self._loop.call_soon(protocol.connection_lost, None)

    abort = close


class _RelayProtocol(_CountingProtocol):
    """A relayed candidate: datagrams come one by one from aioice's TURN client."""

    def __init__(self, agent: Agent, kind: str) -> None:
        super().__init__(agent, kind)
        self._agent = agent
        self._known: dict[tuple[str, int], None] = {}

    @property
    def local_address(self) -> tuple[str, int]:
        """Where it stands: at the relay."""
        candidate = self.local_candidate
        return (candidate.host, candidate.port) if candidate is not None else ("0.0.0.0", 0)

    def admit(self, address: tuple[str, int]) -> None:
        """Data from there is the peer's."""
        if address not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[address] = None

    def datagram_received(self, data: Any, addr: tuple[Any, ...]) -> None:
        """One datagram through the relay."""
        address = (str(addr[0]), int(addr[1]))
        agent = self._agent
        if not data or agent.dismissed:
            return
        if data[0] > 3:
            if address in self._known:
                agent.owner.deliver([data], self._clock())
            else:
                agent.owner.count("unknown_source")
        elif is_stun(data):
            agent.receive_stun(data, self, address)
        else:
            agent.owner.count("stun_malformed")

    def send(self, batch: Sequence[bytes], address: tuple[str, int]) -> int:
        """Send through the relay; return how many were, from the front. What is too much is dropped and counted."""
        room = _MAX_RELAYING - len(self.transport._TurnTransport__send_tasks)  # type: ignore[attr-defined]
        sent = max(0, min(room, len(batch)))
        for data in batch[:sent]:
            self.transport.sendto(data, address)
        for _ in range(len(batch) - sent):
            self._agent.owner.count("relay_full")
        return sent

    def abandon(self) -> None:
        """Drop the connection to the relay without a word."""
        transport: Any = self.transport
        if transport._TurnTransport__close_task is not None:
            transport._TurnTransport__close_task.cancel()
        for task in transport._TurnTransport__send_tasks:
            task.cancel()
        transport._TurnTransport__inner_protocol.transport.abort()


class _Guarded:
    """aioice's TURN client, with what its parser raises on a malformed message counted."""

    count: Callable[[str], None]

    def datagram_received(self, data: Any, addr: Any) -> None:
        """One message of the server, or one datagram through it."""
        try:
            super().datagram_received(data, addr)  # type: ignore[misc]
        except _PARSER_ERRORS:
            self.count("relay_malformed")


class _RelayByUdp(_Guarded, aioice_turn.TurnClientUdpProtocol):
    pass


class _RelayByTcp(_Guarded, aioice_turn.TurnClientTcpProtocol):
    pass


async def _allocate(owner: AgentOwner, server: IceServer, protocol: _RelayProtocol) -> aioice_turn.TurnTransport:
    """Get an allocation (RFC 8656 section 7) whose datagrams go to ``protocol``; on failure nothing stays open."""
    kind = _RelayByTcp if server.transport == "tcp" else _RelayByUdp
    inner = kind(
        (server.host, server.port),
        username=server.username,
        password=server.credential,
        lifetime=aioice_turn.DEFAULT_ALLOCATION_LIFETIME,
        channel_refresh_time=aioice_turn.DEFAULT_CHANNEL_REFRESH_TIME,
    )
    inner.count = owner.count
    connection: Any
    if server.transport == "tcp":
        connection, _ = await owner.loop.create_connection(
            lambda: inner, server.host, server.port, ssl=server.tls or None
        )
    else:
        connection, _ = await owner.loop.create_datagram_endpoint(lambda: inner, remote_addr=(server.host, server.port))
    relay = aioice_turn.TurnTransport(inner)
    try:
        await relay._connect(protocol)
    except BaseException:
        connection.abort()
        raise
    return relay


def _bind_in_range(host: str, port_range: tuple[int, int] | None, udp: UdpOptions) -> Any:
    if port_range is None:
        return bind_udp(host, 0, udp)
    first, last = port_range
    ports = list(range(first, last + 1))
    random.shuffle(ports)  # so that many agents do not all try the same ones first
    failure: OSError | None = None
    for port in ports:
        try:
            return bind_udp(host, port, udp)
        except OSError as error:
            failure = error
    raise failure or OSError("the port range is empty")
