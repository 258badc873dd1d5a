"""The ICE-lite transport of one session: an agent, its place on the mux, and one timer.

The idea: :class:`~pystack.ice.LiteAgent` decides, the mux carries; this joins them. Implements
:class:`~pystack.aio.transport.IceTransport`; made by :meth:`pystack.aio.mux.UdpMux.transport`, used by
:mod:`pystack.peer`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pystack.aio.timer import LazyTimer
from pystack.aio.transport import GatheringState, IceParameters, IceState, SelectedPair, StunTap
from pystack.base import Ended
from pystack.errors import Closed, DecodeError, LocalProtocolError, Reason
from pystack.ice import (
    Candidate,
    Credentials,
    GenerationRetired,
    LiteAgent,
    LiteOptions,
    Path,
    PathAuthenticated,
    PathForgotten,
    PathSelected,
    StateChanged,
)

if TYPE_CHECKING:
    from pystack.aio.mux import Port, UdpMux
    from pystack.aio.tcp import TcpPort
    from pystack.aio.udp import Address

__all__ = ["LiteTransport"]


def _ignore(*_: object) -> None:
    return


class LiteTransport:
    """See :class:`~pystack.aio.transport.IceTransport`, which says what each member means."""

    def __init__(self, mux: UdpMux, loop: asyncio.AbstractEventLoop, options: LiteOptions) -> None:
        self._mux = mux
        self._loop = loop
        self._agent = LiteAgent(mux.enroll(self), options)
        self._timer = LazyTimer(loop, self._tick)
        self._counters: Counter[str] = Counter()
        self._remote: IceParameters | None = None
        self._gathered = False
        self._former: tuple[IceParameters | None, bool] | None = None  # both, before a restart that is not agreed
        self._closed = False
        self._refused = False
        self._reason: Reason | None = None
        self._selected: Path | None = None
        self._port: Port | TcpPort | None = None  # where the selected path begins, and where it leads
        self._address: Address = ()
        self._datagrams_in = self._bytes_in = self._datagrams_out = self._bytes_out = 0
        self._before_selection = (0, 0, 0, 0)  # what had moved when the path in use took over from another
        self._selections = 0
        self.on_stun: StunTap | None = None
        self.on_datagrams: Callable[[list[bytes], float], None] = _ignore
        self.on_writable: Callable[[], None] = _ignore
        self.on_state: Callable[[IceState], None] = _ignore
        self.on_candidate: Callable[[str | None], None] = _ignore

    # -- what it is

    @property
    def state(self) -> IceState:
        """Where the transport stands."""
        return self._agent.state.value

    @property
    def reason(self) -> Reason | None:
        """Why it is ``failed``."""
        return self._reason

    @property
    def gathering_state(self) -> GatheringState:
        """``complete`` as soon as it was asked for: the port is known."""
        return "complete" if self._gathered else "new"

    @property
    def local_parameters(self) -> IceParameters:
        """Our credentials, of the newest generation."""
        credentials = self._agent.credentials
        return IceParameters(credentials.ufrag, credentials.pwd, lite=True)

    @property
    def remote_parameters(self) -> IceParameters | None:
        """The peer's, in this generation."""
        return self._remote

    @property
    def local_candidates(self) -> tuple[str, ...]:
        """One host candidate for each address of the mux, and one for TCP where that is taken."""
        return self._mux.candidates if self._gathered else ()

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The path that the peer nominated."""
        path = self._selected
        if path is None:
            return None
        way, _ = self._mux.way(path)
        sent, received, bytes_sent, bytes_received = self._before_selection
        return SelectedPair(
            way.address,
            (path.host, path.port),
            "host",
            protocol=way.protocol,
            number=self._selections,
            packets_sent=self._datagrams_out - sent,
            packets_received=self._datagrams_in - received,
            bytes_sent=self._bytes_out - bytes_sent,
            bytes_received=self._bytes_in - bytes_received,
            checks=self._agent.checks,
            answers=self._agent.checks,
        )

    @property
    def writable(self) -> bool:
        """Whether there is a path, and nothing was refused on it."""
        return self._selected is not None and not self._refused

    def counters(self) -> Mapping[str, int]:
        """Datagrams and bytes in and out, and what the agent dropped."""
        total = Counter(self._counters)
        total.update({f"ice_{name}": count for name, count in self._agent.drops.items()})
        total["datagrams_in"] = self._datagrams_in
        total["bytes_in"] = self._bytes_in
        total["datagrams_out"] = self._datagrams_out
        total["bytes_out"] = self._bytes_out
        return total

    # -- commands

    def gather(self) -> None:
        """Announce the candidates of the mux."""
        if self._gathered or self._closed:
            return
        self._gathered = True
        for candidate in self._mux.candidates:
            self.on_candidate(candidate)
        self.on_candidate(None)

    def set_remote_parameters(self, parameters: IceParameters) -> None:
        """Tell the peer's credentials; only its user fragment matters to a lite agent."""
        if parameters == self._remote or self._closed:
            return
        if self._remote is not None:
            raise LocalProtocolError(
                "set_remote_parameters", self.state, "the peer's ICE credentials changed: call restart() first"
            )
        Credentials.checked(parameters.ufrag, parameters.pwd)
        self._remote = parameters
        self._agent.set_remote(parameters.ufrag)

    def add_remote_candidate(self, candidate: str | None) -> None:
        """A lite agent sends no checks and so needs no candidates; malformed ones are counted."""
        if not candidate or self._closed:
            return
        try:
            Candidate.parse(candidate)
        except DecodeError:
            self._counters["candidate_malformed"] += 1

    @property
    def controlling(self) -> bool:
        """Never: a full peer controls."""
        return False

    def start(self, controlling: bool = False) -> None:
        """Begin to wait for the peer's checks. A lite agent is controlled whatever is asked."""
        if self._closed:
            return
        now = self._mux.clock()
        self._agent.start(now)
        self.settle(now)

    def restart(self) -> None:
        """Honour new credentials beside the old, until the new are used."""
        if self._closed:
            raise Closed.because("ICE transport", "local")
        if self._former is None and len(self._agent.ufrags) == 1:
            self._former = (self._remote, self._gathered)
        self._remote = None
        self._gathered = False
        now = self._mux.clock()
        self._agent.restart(self._mux.enroll(self), now)
        self.settle(now)

    def keep_restart(self) -> None:
        """Both sides agree on the newest credentials."""
        self._former = None

    def undo_restart(self) -> bool:
        """Go back to the credentials before, unless the peer uses the new ones already."""
        former, self._former = self._former, None
        now = self._mux.clock()
        if former is None or self._closed or not self._agent.undo_restart():
            return False
        self._remote, self._gathered = former
        self.settle(now)
        return True

    def send(self, batch: Sequence[bytes]) -> int:
        """Send on the selected path; see :class:`~pystack.aio.path.DatagramPath`."""
        port = self._port
        if port is None:
            # Answered when the peer nominates a path.
            self._refused = self._refused or (bool(batch) and not self._closed)
            return 0
        taken = port.send(batch, self._address, self)
        if taken < len(batch):
            self._refused = True
            batch = batch[:taken]
        self._datagrams_out += taken
        self._bytes_out += len(batch[0]) if taken == 1 else sum(map(len, batch))
        return taken

    def close(self) -> None:
        """Leave the mux: its user fragments, paths and turns."""
        if self._closed:
            return
        self._closed = True
        self._selected = self._port = None
        for path in self._agent.paths:
            self._mux.unmap(path, self)
        self._agent.close(self._mux.clock())
        for ufrag in self._agent.ufrags:
            self._mux.retire(ufrag)
        self._mux.forget(self)
        self._timer.close()
        self.on_datagrams = self.on_writable = self.on_state = self.on_candidate = _ignore
        self.on_stun = None

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    # -- for the mux

    def receive_stun(self, data: bytes, path: Path, now: float) -> None:
        """Take a check that names this session; :meth:`settle` follows."""
        if self.on_stun is not None:
            self._show(data, path, arrived=True)
        self._agent.receive(data, path, now)

    def deliver(self, batch: list[bytes], now: float) -> None:
        """Hand on what came from an address of this session."""
        self._datagrams_in += len(batch)
        self._bytes_in += sum(map(len, batch))
        self._call(self.on_datagrams, batch, now)

    def take_turn(self) -> None:
        """There is room again."""
        if self._closed or not self._refused or self._selected is None:
            return
        self._refused = False
        self._call(self.on_writable)

    def lose(self, reason: Reason) -> None:
        """The mux is gone."""
        self._reason = reason
        notify = self.on_state
        self.close()
        self._call(notify, "failed")

    def settle(self, now: float) -> None:
        """Send the agent's answers, do what its events say, and arm the timer."""
        agent = self._agent
        for data, path in agent.flush(now):
            assert isinstance(path, Path)
            if self.on_stun is not None:
                self._show(data, path, arrived=False)
            self._mux.answer(data, path)
        for event in agent.take_events():
            if self._closed:
                return
            match event:
                case PathAuthenticated(path):
                    self._mux.map(path, self)
                case PathForgotten(path):
                    self._mux.unmap(path, self)
                case PathSelected(path):
                    if self._refused and self._selected is None:
                        self._loop.call_soon(self.take_turn)
                    if self._selected is not None:
                        self._before_selection = self._moved()
                    self._selections += 1
                    self._selected = path
                    self._port, self._address = self._mux.way(path)
                case GenerationRetired(ufrag):
                    self._mux.retire(ufrag)
                case StateChanged(state, reason):
                    self._reason = reason
                    self._call(self.on_state, state.value)
                case Ended():
                    pass
        self._timer.set(agent.deadline)

    def _moved(self) -> tuple[int, int, int, int]:
        """Data so far: packets out and in, bytes out and in."""
        return self._datagrams_out, self._datagrams_in, self._bytes_out, self._bytes_in

    def _show(self, data: bytes, path: Path, *, arrived: bool) -> None:
        """Let a debugger see a STUN message."""
        assert self.on_stun is not None
        way, _ = self._mux.way(path)
        self.on_stun(data, way.address, (path.host, path.port), arrived)

    def _tick(self, now: float) -> None:
        self._agent.tick(now)
        self.settle(now)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception as error:  # one session's bug must not cost the others their datagrams
            self._loop.call_exception_handler(
                {
                    "message": "a callback of an ICE transport raised",
                    "exception": error,
                    "transport": self,
                }
            )
