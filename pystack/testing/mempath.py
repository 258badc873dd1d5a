"""Datagram paths and ICE transports in memory, for tests of the facade on the virtual loop.

:func:`memory_paths` gives two :class:`~pystack.aio.path.DatagramPath` ends of one simulated path;
:class:`MemoryNetwork` gives :class:`~pystack.aio.transport.IceTransport` objects that find each other by their
credentials, as real ones do, and lose each other when their path is a black hole. Both keep the rules at the top of
:mod:`pystack.aio.path`: callbacks come from the loop, a refused batch is answered by one ``on_writable``.

    network = MemoryNetwork(LinkOptions(delay=0.02, loss=0.01))
    one, other = network.transport(), network.transport()
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pystack.aio.path import DatagramPath
from pystack.aio.transport import GatheringState, IceParameters, IceState, IceTransport, SelectedPair, StunTap
from pystack.errors import LocalProtocolError, Reason, TransportLost
from pystack.testing.carrier import LinkCarrier
from pystack.testing.link import Link, LinkOptions

__all__ = ["MemoryNetwork", "MemoryPath", "MemoryTransport", "memory_paths"]

_CHECK_EVERY: Final = 2.5
_DISCONNECTED_AFTER: Final = 10.0
_FAILED_AFTER: Final = 15.0


def _nothing(*_: object) -> None:
    pass


class MemoryPath:
    """One end of a path in memory.

    Attributes:
        link: what this end sends over; damage it at will.
        buffer: bytes that may wait for the link's transmitter before ``send`` refuses (a socket's send buffer).
    """

    def __init__(self, link: Link[bytes], *, buffer: float = 256 * 1024) -> None:
        self.on_datagrams: Callable[[list[bytes], float], None] = _nothing
        self.on_writable: Callable[[], None] = _nothing
        self.link = link
        self.buffer = buffer
        self.peer: MemoryPath | None = None
        self._loop = asyncio.get_running_loop()
        self._carrier = LinkCarrier(link, self._to_peer)
        self._waiting: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def writable(self) -> bool:
        """Tell whether ``send`` would take at least one datagram now."""
        return not self._closed and self._waiting is None and self.link.backlog(self._loop.time()) < self.buffer

    def send(self, batch: Sequence[bytes]) -> int:
        """Take datagrams from the front until the buffer is full; return how many."""
        if self._closed:
            return len(batch)  # as a socket that is gone: taken, and lost
        if self._waiting is not None:
            return 0
        now = self._loop.time()
        for accepted, data in enumerate(batch):
            if self.link.backlog(now) >= self.buffer:
                excess = self.link.backlog(now) - self.buffer / 2
                self._waiting = self._loop.call_later(excess * 8 / self.link.options.rate_bps, self._room)
                return accepted
            self._carrier.put(bytes(data))
        return len(batch)

    def _room(self) -> None:
        self._waiting = None
        self.on_writable()

    def _to_peer(self, batch: list[bytes], now: float) -> None:
        if self.peer is not None and not self.peer._closed:
            self.peer.on_datagrams(batch, now)

    def close(self) -> None:
        """Let go of everything at once. What is in flight still arrives at the other end."""
        self._closed = True
        self.on_datagrams = self.on_writable = _nothing
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def memory_paths(
    there: LinkOptions | None = None, back: LinkOptions | None = None, *, seed: int | str = 0
) -> tuple[MemoryPath, MemoryPath]:
    """Lay a path between two ends on the running loop; ``back`` is like ``there`` unless told."""
    forward = there if there is not None else LinkOptions()
    one = MemoryPath(Link(forward, f"{seed} there"))
    other = MemoryPath(Link(back if back is not None else forward, f"{seed} back"))
    one.peer, other.peer = other, one
    return one, other


class MemoryNetwork:
    """Where memory transports find each other.

    Attributes:
        options: of every link from here on; a link that exists is reached by ``transport.link``.
    """

    def __init__(self, options: LinkOptions | None = None, *, seed: int | str = 0) -> None:
        self.options = options if options is not None else LinkOptions()
        self._seed = seed
        self._count = 0
        self._by_ufrag: dict[str, MemoryTransport] = {}

    def transport(self, *, lite: bool = False) -> MemoryTransport:
        """Make a transport on this network; must run inside the loop."""
        self._count += 1
        return MemoryTransport(self, f"{self._seed} {self._count}", self._count, lite=lite)

    def black_hole(self) -> None:
        """Cut every path between the transports that live now, silently: what is in flight is lost too."""
        for transport in set(self._by_ufrag.values()):  # one that restarted has two names
            transport.link.black_hole()

    def heal(self) -> None:
        """Let every path carry again."""
        for transport in set(self._by_ufrag.values()):
            transport.link.heal()

    def _name(self, transport: MemoryTransport) -> str:
        self._count += 1
        ufrag = f"mem{self._count:06d}"
        self._by_ufrag[ufrag] = transport
        return ufrag

    def _find(self, ufrag: str) -> MemoryTransport | None:
        return self._by_ufrag.get(ufrag)

    def _forget(self, transport: MemoryTransport) -> None:
        self._by_ufrag = {ufrag: other for ufrag, other in self._by_ufrag.items() if other is not transport}


class MemoryTransport:
    """An ICE transport whose candidates are names in a :class:`MemoryNetwork`.

    Checks and consent are datagrams over the same link as data (so a lossy link delays them and a black hole ends
    them: disconnected after 10 s, failed after 15 s); they begin with a zero byte, as STUN does, and data that does is
    taken for one.

    Attributes:
        link: what this side sends over.
    """

    def __init__(self, network: MemoryNetwork, name: str, number: int, *, lite: bool) -> None:
        self.on_datagrams: Callable[[list[bytes], float], None] = _nothing
        self.on_writable: Callable[[], None] = _nothing
        self.on_state: Callable[[IceState], None] = _nothing
        self.on_candidate: Callable[[str | None], None] = _nothing
        self.on_stun: StunTap | None = None  # there is none here
        self.link: Link[bytes] = Link(network.options, name)
        self._network = network
        self._number = number
        self._lite = lite
        self._loop = asyncio.get_running_loop()
        self._state: IceState = "new"
        self._gathering: GatheringState = "new"
        self._reason: Reason | None = None
        self._path = MemoryPath(self.link)
        self._path._carrier = LinkCarrier(self.link, self._arrive_there)
        self._local = IceParameters(network._name(self), f"password-of-{number:010d}", lite)
        self._remote: IceParameters | None = None
        self._former: tuple[IceParameters, IceParameters | None, GatheringState] | None = None
        self._heard = 0.0
        self._checking: asyncio.TimerHandle | None = None
        self._counters: Counter[str] = Counter()

    # -- the path ------------------------------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Tell whether ``send`` would take at least one datagram now."""
        return self._state in {"connected", "completed", "disconnected"} and self._path.writable

    def send(self, batch: Sequence[bytes]) -> int:
        """Send; before the transport is connected nothing is taken."""
        if self._state in {"failed", "closed"}:
            return len(batch)
        if self._state not in {"connected", "completed", "disconnected"}:
            return 0
        self._path.on_writable = self.on_writable
        accepted = self._path.send(batch)
        self._counters["datagrams_out"] += accepted
        self._counters["bytes_out"] += sum(map(len, batch[:accepted]))
        return accepted

    def close(self) -> None:
        """Let go of everything at once."""
        if self._state == "closed":
            return
        self._state = "closed"
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None
        self._path.close()
        self._network._forget(self)
        self.on_datagrams = self.on_writable = self.on_state = self.on_candidate = _nothing

    # -- ICE -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> IceState:
        """Where the transport stands."""
        return self._state

    @property
    def reason(self) -> Reason | None:
        """Why it failed."""
        return self._reason

    @property
    def gathering_state(self) -> GatheringState:
        """Where the gathering stands."""
        return self._gathering

    @property
    def local_parameters(self) -> IceParameters:
        """Our credentials."""
        return self._local

    @property
    def remote_parameters(self) -> IceParameters | None:
        """The peer's credentials."""
        return self._remote

    @property
    def local_candidates(self) -> tuple[str, ...]:
        """One host candidate, once gathered."""
        if self._gathering == "new":
            return ()
        address = f"10.0.{self._number >> 8 & 255}.{self._number & 255}"
        return (f"candidate:1 1 udp 2130706431 {address} 5000 typ host",)

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The pair in use."""
        if self._state not in {"connected", "completed", "disconnected"}:
            return None
        there = self._peer()
        number = there._number if there is not None else 0
        return SelectedPair(
            (f"10.0.0.{self._number & 255}", 5000),
            (f"10.0.0.{number & 255}", 5000),
            "host",
            packets_sent=self._counters["datagrams_out"],
            packets_received=self._counters["datagrams_in"],
            bytes_sent=self._counters["bytes_out"],
            bytes_received=self._counters["bytes_in"],
        )

    def gather(self) -> None:
        """Announce the one candidate."""
        if self._gathering == "new":
            self._gathering = "complete"
            self.on_candidate(self.local_candidates[0])
            self._loop.call_soon(lambda: self.on_candidate(None))

    def set_remote_parameters(self, parameters: IceParameters) -> None:
        """Tell whom to look for."""
        if self._remote is not None and self._remote != parameters:
            raise LocalProtocolError("set remote parameters", self._state)
        self._remote = parameters
        self._begin()

    def add_remote_candidate(self, candidate: str | None) -> None:
        """Candidates are not needed here: the credentials say who it is."""

    @property
    def controlling(self) -> bool | None:
        """Nobody checks anything; who is lite does not control."""
        return False if self._lite else None

    def start(self, controlling: bool) -> None:
        """Begin the checks."""
        if self._state == "new":
            self._become("checking")
            self._begin()

    def restart(self) -> None:
        """Take new credentials and look again; data flows meanwhile."""
        if self._former is None:
            self._former = (self._local, self._remote, self._gathering)
        self._local = IceParameters(self._network._name(self), self._local.pwd, self._lite)
        self._remote = None
        self._gathering = "new"
        if self._state == "failed":
            self._state = "new"

    def keep_restart(self) -> None:
        """Both sides agree on the new credentials."""
        self._former = None

    def undo_restart(self) -> bool:
        """Go back to the credentials before."""
        former, self._former = self._former, None
        if former is not None:
            self._local, self._remote, self._gathering = former
        return former is not None

    def counters(self) -> Mapping[str, int]:
        """Datagrams and bytes out and in."""
        return dict(self._counters)

    async def wait_closed(self) -> None:
        """There is no farewell here."""

    # -- checks and consent --------------------------------------------------------------------------------------

    def _peer(self) -> MemoryTransport | None:
        return self._network._find(self._remote.ufrag) if self._remote is not None else None

    def _become(self, state: IceState) -> None:
        if state != self._state:
            self._state = state
            self.on_state(state)

    def _begin(self) -> None:
        if self._state != "new" and self._remote is not None and self._checking is None:
            self._heard = self._loop.time()
            self._checking = self._loop.call_soon(self._check)  # type: ignore[assignment]

    def _check(self) -> None:
        silence = self._loop.time() - self._heard
        self._checking = None
        if silence >= _FAILED_AFTER:
            self._reason = TransportLost("no consent from the peer")
            self._become("failed")
            return
        if silence >= _DISCONNECTED_AFTER and self._state in {"connected", "completed"}:
            self._become("disconnected")
        if self._remote is not None:
            self._path._carrier.put(b"\x00" + self._remote.ufrag.encode())
        self._checking = self._loop.call_later(0.05 if self._state == "checking" else _CHECK_EVERY, self._check)

    def _arrive_there(self, batch: list[bytes], now: float) -> None:
        there = self._peer()
        if there is not None:
            there._arrive(batch, now)

    def _arrive(self, batch: list[bytes], now: float) -> None:
        if self._state == "closed":
            return
        data = []
        for datagram in batch:
            if datagram[:1] == b"\x00":
                if datagram[1:].decode() == self._local.ufrag and self._remote is not None:
                    self._heard = now
                    if self._state in {"checking", "disconnected"}:
                        self._become("connected")
                        self.on_writable()
            elif self._state in {"connected", "completed", "disconnected"}:
                data.append(datagram)
            else:
                self._counters["too_early"] += 1
        self._counters["datagrams_in"] += len(data)
        self._counters["bytes_in"] += sum(map(len, data))
        if data:
            self.on_datagrams(data, now)


def _shapes(path: MemoryPath, transport: MemoryTransport) -> tuple[DatagramPath, IceTransport]:
    """Let the type checker prove that the shapes fit."""
    return path, transport
