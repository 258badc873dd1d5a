"""The full ICE transport: agents by aioice, everything around them ours (RFC 8445, RFC 8838, RFC 7675).

The idea: aioice 0.13 knows how to pair, check and nominate, and how to talk to a TURN server. We keep exactly that, by
subclassing its ``Connection`` in this one file, and replace the rest:

* **Sockets** are :class:`~pystack.aio.udp.UdpSocket`; aioice's protocol objects get a transport of ours that only
  takes STUN. Application data never touches aioice in either direction, nor a queue.
* **Gathering** is ours: host candidates are there at once, the others trickle; port range, address filter, policy.
* **Its parser** sees only requests and answers that our own codec has read and, for requests, authenticated.
* **End-of-candidates** is not told to it, because it would fail at once when no candidate is usable, although the
  peer's own checks may be on their way (a browser that hides its addresses). A deadline ends the attempt instead.
* **Consent** is :class:`pystack.ice.Consent`, per transport and faster.
* **Restart** is a new agent beside the old; the old one carries the session until the new one has a path.
* **Close** lets go of everything at once; the farewell to a TURN server may take 1 s more.

What is relied upon in aioice is pinned by ``tests/unit/aio/test_aioice_contract.py``. Implements
:class:`~pystack.aio.transport.IceTransport`; used by :mod:`pystack.peer`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, cast

import aioice
import attrs
from aioice import stun as aioice_stun
from aioice import turn as aioice_turn
from aioice.ice import CandidatePair, StunProtocol

from pystack.aio.addresses import local_addresses
from pystack.aio.clock import clock_of
from pystack.aio.scope import Scope
from pystack.aio.timer import LazyTimer
from pystack.aio.transport import GatheringState, IceParameters, IceState, SelectedPair
from pystack.aio.udp import Address, Run, UdpEndpoint, UdpOptions, bind_udp, open_udp
from pystack.base import Ended, Randomness, SecretRandomness
from pystack.errors import Closed, DecodeError, InvalidArgument, LocalProtocolError, Reason, TransportLost
from pystack.ice import (
    Candidate,
    Consent,
    ConsentOptions,
    Credentials,
    StateChanged,
    candidate_foundation,
    candidate_priority,
    make_credentials,
)
from pystack.ice.stun import BINDING, StunClass, is_stun, parse

__all__ = ["FullIceOptions", "FullTransport", "IceServer"]

_MAX_KNOWN: Final = 64  # addresses of the peer that have proved themselves, per socket
_MAX_PAIRS: Final = 100  # RFC 8445 section 6.1.2.5
_MAX_RELAYING: Final = 256  # datagrams under way to a relay; aioice makes a task of each
_CLOSE_TIMEOUT: Final = 1.0
_CALLER_ERRORS: Final = (ValueError, KeyError, AssertionError, struct.error, OSError)


@attrs.frozen(kw_only=True)
class IceServer:
    """A STUN or TURN server (RFC 7064, RFC 7065).

    Attributes:
        host: name or address.
        port: UDP or TCP port.
        kind: ``stun`` or ``turn``.
        transport: ``udp`` or ``tcp``, to a TURN server.
        tls: over TLS (``turns:``).
        username: of a TURN server.
        credential: its password.
    """

    host: str
    port: int
    kind: Literal["stun", "turn"] = "stun"
    transport: Literal["udp", "tcp"] = "udp"
    tls: bool = False
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str, username: str | None = None, credential: str | None = None) -> IceServer:
        """Read ``stun:host[:port]``, ``turn:host[:port][?transport=udp|tcp]`` or ``turns:...``.

        Raises:
            InvalidArgument: it is none of these, or a TURN server comes without username and credential.
        """
        scheme, _, rest = url.partition(":")
        where, _, query = rest.partition("?")
        if scheme not in {"stun", "turn", "turns"} or not where or where.startswith("//"):
            raise InvalidArgument(f"ICE server: {url!r} is not of the form stun:host, turn:host:port or turns:host")
        host, port = _split_port(where, 5349 if scheme == "turns" else 3478, url)
        if scheme == "stun":
            return cls(host=host, port=port)
        if not username or credential is None:
            raise InvalidArgument(f"ICE server: {url!r} needs a username and a credential")
        transport = query.removeprefix("transport=") if query else ("tcp" if scheme == "turns" else "udp")
        if transport not in {"udp", "tcp"} or (scheme == "turns" and transport == "udp"):
            raise InvalidArgument(f"ICE server: {url!r}: transport must be udp or tcp (with turns: tcp)")
        return cls(
            host=host,
            port=port,
            kind="turn",
            transport="tcp" if transport == "tcp" else "udp",
            tls=scheme == "turns",
            username=username,
            credential=credential,
        )


def _split_port(where: str, default: int, url: str) -> tuple[str, int]:
    host, bracket, rest = where.removeprefix("[").partition("]") if where.startswith("[") else (where, "", "")
    if not bracket:
        host, _, rest = where.partition(":")
        rest = f":{rest}" if rest else ""
    if not rest:
        return host, default
    port = rest[1:]
    if rest[0] != ":" or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise InvalidArgument(f"ICE server: {url!r} has no valid port")
    return host, int(port)


@attrs.frozen(kw_only=True)
class FullIceOptions:
    """How a full agent gathers, and how patient it is (seconds).

    Attributes:
        servers: STUN and TURN servers to ask.
        policy: ``relay`` uses nothing but relays (RFC 9429 section 3.5.3).
        port_range: ``(first, last)`` for host sockets; any port without it.
        address_filter: asked for each local address; false leaves it out.
        ipv4: use IPv4.
        ipv6: use IPv6.
        loopback: use loopback although there are other addresses.
        connect_timeout: from ``start`` to a nominated path, else ``failed``.
        gather_timeout: for the servers to answer.
        consent: the liveness of a connected path.
        udp: how the sockets are set up.
    """

    servers: tuple[IceServer, ...] = ()
    policy: Literal["all", "relay"] = "all"
    port_range: tuple[int, int] | None = None
    address_filter: Callable[[str], bool] | None = None
    ipv4: bool = True
    ipv6: bool = True
    loopback: bool = False
    connect_timeout: float = 30.0
    gather_timeout: float = 5.0
    consent: ConsentOptions = attrs.field(factory=ConsentOptions)
    udp: UdpOptions = attrs.field(factory=UdpOptions)


_OPTIONS: Final = FullIceOptions()


def _ignore(*_: object) -> None:
    return


class FullTransport:
    """See :class:`~pystack.aio.transport.IceTransport`, which says what each member means."""

    def __init__(self, options: FullIceOptions = _OPTIONS, randomness: Randomness | None = None) -> None:
        """Inside a running loop. No socket is opened before :meth:`gather`."""
        self._loop = asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._options = options
        self._randomness = randomness or SecretRandomness()
        self._scope = Scope("ICE")
        self._farewells = Scope("ICE farewell")
        self._timer = LazyTimer(self._loop, self._tick)
        self._counters: Counter[str] = Counter()
        self._agent = _Agent(self, self._randomness)
        self._active: _Agent | None = None  # the agent that has a path; the old one during a restart
        self._consent: Consent | None = None
        self._socket: UdpEndpoint | None = None  # of the selected pair, unless that is relayed
        self._address: Address = ()
        self._pair: CandidatePair | None = None
        self._state: IceState = "new"
        self._reason: Reason | None = None
        self._refused = False
        self.on_datagrams: Callable[[list[bytes], float], None] = _ignore
        self.on_writable: Callable[[], None] = _ignore
        self.on_state: Callable[[IceState], None] = _ignore
        self.on_candidate: Callable[[str | None], None] = _ignore

    # -- what it is

    @property
    def state(self) -> IceState:
        """Where the transport stands."""
        return self._state

    @property
    def reason(self) -> Reason | None:
        """Why it is ``failed``."""
        return self._reason

    @property
    def gathering_state(self) -> GatheringState:
        """Where the newest agent's gathering stands."""
        return self._agent.gathering

    @property
    def local_parameters(self) -> IceParameters:
        """Our credentials, of the newest generation."""
        local = self._agent.credentials
        return IceParameters(local.ufrag, local.pwd)

    @property
    def remote_parameters(self) -> IceParameters | None:
        """The peer's, in this generation."""
        return self._agent.remote

    @property
    def local_candidates(self) -> tuple[str, ...]:
        """What the newest agent has gathered by now."""
        return tuple(self._agent.gathered)

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The nominated pair."""
        pair = self._pair
        if pair is None:
            return None
        return SelectedPair(pair.local_addr, pair.remote_addr, pair.local_candidate.type)

    @property
    def writable(self) -> bool:
        """Whether there is a path, and nothing was refused on it."""
        return self._pair is not None and not self._refused

    def counters(self) -> Mapping[str, int]:
        """Datagrams and bytes in and out, and everything dropped."""
        total = Counter(self._counters)
        for agent in {self._agent, self._active} - {None}:
            for protocol in cast(_Agent, agent).hosts:
                total.update(protocol.socket.counters)
        return total

    # -- commands

    def gather(self) -> None:
        """Open the sockets and announce host candidates; ask the servers."""
        if self._state != "closed":
            self._agent.gather()

    def set_remote_parameters(self, parameters: IceParameters) -> None:
        """Tell the peer's credentials."""
        agent = self._agent
        if parameters == agent.remote or self._state == "closed":
            return
        if agent.remote is not None:
            raise LocalProtocolError(
                "set_remote_parameters", self._state, "the peer's ICE credentials changed: call restart() first"
            )
        Credentials.checked(parameters.ufrag, parameters.pwd)
        agent.remote = parameters
        agent.remote_username = parameters.ufrag
        agent.remote_password = parameters.pwd
        agent.remote_is_lite = parameters.lite
        self._maybe_connect(agent)

    def add_remote_candidate(self, candidate: str | None) -> None:
        """Tell a candidate of the peer. Its end-of-candidates changes nothing: see the module."""
        if not candidate or self._state == "closed":
            return
        try:
            parsed = Candidate.parse(candidate)
        except DecodeError:
            self._counters["candidate_malformed"] += 1
            return
        why = parsed.unusable_because
        if why is None and len(self._agent.remote_candidates) >= _MAX_PAIRS:
            why = "too_many"
        if why is not None:
            self._counters[f"candidate_{why}"] += 1
            return
        self._agent.add_remote(parsed)

    def start(self, controlling: bool) -> None:
        """Begin the checks as soon as the peer's credentials are known too."""
        agent = self._agent
        if self._state == "closed" or agent.started:
            return
        agent.started = True
        agent.ice_controlling = controlling
        if self._state in {"new", "failed"}:
            self._set_state("checking")
        if not self._scope.closed:  # the callback may have closed us
            self._scope.start(self._give_up_later(agent), "deadline")
            self._maybe_connect(agent)

    def restart(self) -> None:
        """Begin a new generation with a new agent; the one that has a path carries on."""
        if self._state == "closed":
            raise Closed.because("ICE transport", "local")
        if self._agent is not self._active:
            self._dismiss(self._agent)
        self._agent = _Agent(self, self._randomness)
        if self._state == "failed":
            self._reason = None

    def send(self, batch: Sequence[bytes]) -> int:
        """Send on the selected pair; see :class:`~pystack.aio.path.DatagramPath`."""
        sock = self._socket
        if sock is not None:
            taken = sock.send(batch, self._address)
        elif self._pair is not None:
            taken = self._relay(batch, self._pair)
        else:
            taken = 0
        if taken < len(batch):
            self._refused = self._state != "closed"
        return taken

    def close(self) -> None:
        """Let go of everything at once; a relay is told within 1 s."""
        if self._state == "closed":
            return
        self._state = "closed"
        self.on_datagrams = self.on_writable = self.on_state = self.on_candidate = _ignore
        self._timer.close()
        self._scope.cancel()
        self._unselect()
        for agent in {self._agent, self._active} - {None}:
            self._dismiss(cast(_Agent, agent))
        self._active = None

    async def wait_closed(self) -> None:
        """Wait for the farewell, 1 s at most; what is not over then is abandoned."""
        if not await self._farewells.wait(_CLOSE_TIMEOUT):
            self._farewells.cancel()
        await self._scope.wait(_CLOSE_TIMEOUT)

    # -- for the agents

    def candidate_found(self, agent: _Agent, text: str | None) -> None:
        """An agent has gathered something."""
        if agent is self._agent:
            self._call(self.on_candidate, text)

    def deliver(self, batch: list[bytes], now: float) -> None:
        """Data from an address that has proved itself."""
        self._call(self.on_datagrams, batch, now)

    def nominated(self, agent: _Agent, pair: CandidatePair) -> None:
        """An agent has a path, its first or a better one."""
        if self._state == "closed" or (agent is not self._agent and agent is not self._active):
            return
        if agent is not self._active:
            old, self._active = self._active, agent
            if old is not None:
                self._dismiss(old)
            assert agent.remote is not None
            self._consent = Consent(
                agent.credentials,
                Credentials(agent.remote.ufrag, agent.remote.pwd),
                self._randomness,
                controlling=agent.ice_controlling,
                tie_breaker=agent.tie_breaker,
                now=self._clock(),
                options=self._options.consent,
            )
        self._pair = pair
        protocol = pair.protocol
        if isinstance(protocol, _HostProtocol):
            self._socket = protocol.socket
            self._address = protocol.address_of(pair.remote_addr)
        else:
            self._socket = None
        if self._refused:
            self._loop.call_soon(self.has_room)
        self._settle(self._clock())
        if self._state != "connected":
            self._reason = None
            self._set_state("connected")

    def answered(self, agent: _Agent, data: bytes, protocol: StunProtocol, address: tuple[str, int]) -> bool:
        """Tell whether a STUN answer was to a consent request of ours."""
        pair = self._pair
        if self._consent is None or agent is not self._active or pair is None:
            return False
        if protocol is not pair.protocol or address != pair.remote_addr:
            return False
        now = self._clock()
        if not self._consent.accepts(data, now):
            return False
        self._settle(now)
        return True

    def has_room(self) -> None:
        """A socket can send again; whether it is the selected one shows at the next send."""
        if self._refused and self._pair is not None:
            self._refused = False
            self._call(self.on_writable)

    # -- inside

    def _maybe_connect(self, agent: _Agent) -> None:
        if agent.started and not agent.connecting and agent.remote is not None:
            agent.connecting = True
            self._scope.start(self._connect(agent), "connect")

    async def _connect(self, agent: _Agent) -> None:
        # Every outcome is noticed elsewhere: a path by `nominated`, none by the deadline.
        try:
            await agent.connect()
        except ConnectionError:
            self._counters["checks_failed"] += 1

    async def _give_up_later(self, agent: _Agent) -> None:
        await asyncio.sleep(self._options.connect_timeout)
        if agent is not self._agent or agent is self._active:
            return
        self._dismiss(agent)
        if self._active is None:
            self._fail(TransportLost(f"no path to the peer was found within {self._options.connect_timeout:g} s"))

    def _tick(self, now: float) -> None:
        if self._consent is not None:
            self._consent.tick(now)
            self._settle(now)

    def _settle(self, now: float) -> None:
        consent, pair = self._consent, self._pair
        if consent is None or pair is None or self._active is None:
            return
        consent.set_controlling(self._active.ice_controlling)
        for request in consent.flush(now):
            pair.protocol.transport.sendto(request, pair.remote_addr)
        for event in consent.take_events():
            match event:
                case StateChanged(state):
                    self._set_state(state.value)
                case Ended(reason):
                    active, self._active = self._active, None
                    self._unselect()
                    if active is not None:
                        self._dismiss(active)
                    if active is self._agent or not self._agent.started:
                        self._fail(reason)
                    else:
                        self._set_state("checking")  # a restart is under way and has its own deadline
        if self._consent is not None:
            self._timer.set(self._consent.deadline)

    def _unselect(self) -> None:
        self._consent = None
        self._pair = None
        self._socket = None
        self._timer.set(float("inf"))

    def _fail(self, reason: Reason) -> None:
        self._reason = reason
        self._set_state("failed")

    def _set_state(self, state: IceState) -> None:
        if self._state not in {state, "closed"}:
            self._state = state
            self._call(self.on_state, state)

    def _dismiss(self, agent: _Agent) -> None:
        """Release its sockets now, and let the rest of it end in a task of its own."""
        if agent.dismissed:
            return
        agent.dismiss()
        if not self._farewells.closed:
            self._farewells.start(agent.farewell(), "close")

    def _relay(self, batch: Sequence[bytes], pair: CandidatePair) -> int:
        if not isinstance(pair.protocol, _RelayProtocol):
            return 0
        for datagram in batch:
            if not pair.protocol.send(datagram, pair.remote_addr):
                self._counters["relay_full"] += 1
        return len(batch)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception as error:  # the user's bug must not stop the agent
            self._loop.call_exception_handler(
                {
                    "message": "a callback of an ICE transport raised",
                    "exception": error,
                    "transport": self,
                }
            )

    # what an agent needs to know of us

    @property
    def options(self) -> FullIceOptions:
        """How to gather."""
        return self._options

    @property
    def scope(self) -> Scope:
        """Where an agent's tasks belong."""
        return self._scope

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all this is on."""
        return self._loop

    def count(self, what: str) -> None:
        """Count a drop."""
        self._counters[what] += 1


class _Agent(aioice.Connection):
    """One generation: aioice's pairing, checking and nominating over sockets of ours."""

    def __init__(self, owner: FullTransport, randomness: Randomness) -> None:
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
        self.connecting = False
        self.dismissed = False
        self._key = self.credentials.key

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

    async def _bounded(self, asking: Any, what: str) -> None:
        try:
            async with asyncio.timeout(self.owner.options.gather_timeout):
                await asking
        except (OSError, TimeoutError, aioice_stun.TransactionError, *_CALLER_ERRORS):
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
        transport, protocol = await aioice_turn.create_turn_endpoint(
            lambda: _RelayProtocol(self),
            server_addr=(server.host, server.port),
            username=server.username,
            password=server.credential,
            ssl=server.tls or None,
            transport=server.transport,
        )
        if self.dismissed:
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

    # -- the peer

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
            elif message.priority is None or len(self._check_list) > 2 * _MAX_PAIRS:
                self.owner.count("stun_unusable")
            else:
                protocol.admit(address)
                self._pass_on(data, protocol, address)
        elif message.message_class is StunClass.INDICATION:
            self.owner.count("stun_indication")
        elif message.transaction_id in protocol.transactions:
            self._pass_on(data, protocol, address)
        elif not self.owner.answered(self, data, protocol, address):
            self.owner.count("stun_unexpected")

    def _pass_on(self, data: bytes, protocol: _HostProtocol | _RelayProtocol, address: tuple[str, int]) -> None:
        try:
            StunProtocol.datagram_received(protocol, data, address)
        except _CALLER_ERRORS:
            self.owner.count("stun_refused_by_aioice")

    def data_received(self, data: bytes, component: int) -> None:
        """Never reached by data of ours: only what aioice's parser took for none of STUN."""
        self.owner.count("stun_refused_by_aioice")

    def check_complete(self, pair: CandidatePair) -> None:
        """A check has ended; see whether it left us with a path."""
        before = self._nominated.get(1)
        super().check_complete(pair)
        if pair.state == CandidatePair.State.SUCCEEDED:
            cast(_HostProtocol | _RelayProtocol, pair.protocol).admit(pair.remote_addr)
        after = self._nominated.get(1)
        if after is not None and after is not before:
            self.owner.nominated(self, after)

    async def query_consent(self) -> None:
        """Consent is ours."""

    # -- the end

    def dismiss(self) -> None:
        """Release the sockets at once; nothing is called any more."""
        self.dismissed = True
        for protocol in self.hosts:
            protocol.socket.close()

    async def farewell(self) -> None:
        """End the rest: checks, allocations at relays. 1 s at most."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.close()
        except TimeoutError:
            for protocol in self._protocols:
                if isinstance(protocol, _RelayProtocol):
                    protocol.abandon()


class _HostProtocol(StunProtocol):
    """A host candidate: aioice's protocol object over a socket of ours, and the fast way past both."""

    def __init__(self, agent: _Agent, sock: UdpEndpoint) -> None:
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

    def admit(self, address: tuple[str, int]) -> None:
        """Data from there is the peer's: it has proved to know our password, or answered with its own."""
        known = self.address_of(address)
        if known not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[known] = None

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
        if self._protocol is not None:
            self._socket.send((data,), self._protocol.address_of(addr))

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


class _RelayProtocol(StunProtocol):
    """A relayed candidate: datagrams come one by one from aioice's TURN client."""

    def __init__(self, agent: _Agent) -> None:
        super().__init__(agent)
        self._agent = agent
        self._known: dict[tuple[str, int], None] = {}

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
                agent.owner.deliver([data], agent.owner.loop.time())
            else:
                agent.owner.count("unknown_source")
        elif is_stun(data):
            agent.receive_stun(data, self, address)
        else:
            agent.owner.count("stun_malformed")

    def send(self, data: bytes, address: tuple[str, int]) -> bool:
        """Send through the relay; tell whether there was room among what is under way."""
        tasks = getattr(self.transport, "_TurnTransport__send_tasks", ())
        if len(tasks) >= _MAX_RELAYING:
            return False
        self.transport.sendto(data, address)
        return True

    def abandon(self) -> None:
        """Drop the connection to the relay without a word."""
        inner = getattr(self.transport, "_TurnTransport__inner_protocol", None)
        if inner is not None:
            inner.transport.abort()


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
