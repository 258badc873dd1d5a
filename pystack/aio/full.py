"""The full ICE transport of one session: which agent carries it, whether the peer still consents, and when it is over.

The idea: an :class:`~pystack.aio.ice.Agent` finds a way to the peer; this holds the one in use and, during a restart
(RFC 8445 section 9), a second one beside it that takes over once it has found a way too. Consent (RFC 7675) is
:class:`pystack.ice.Consent`, per transport. A deadline ends an attempt that finds nothing. ``close()`` lets go of
everything at once; the farewell to a relay may take 1 s more.

Implements :class:`~pystack.aio.transport.IceTransport`; used by :mod:`pystack.peer`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

import attrs

from pystack.aio.clock import clock_of
from pystack.aio.ice import MAX_PAIRS, Agent, Way
from pystack.aio.ice_options import FullIceOptions
from pystack.aio.scope import Scope
from pystack.aio.timer import LazyTimer
from pystack.aio.transport import GatheringState, IceParameters, IceState, SelectedPair, StunTap
from pystack.base import Ended, Randomness, SecretRandomness
from pystack.errors import Closed, DecodeError, LocalProtocolError, Reason, TransportLost
from pystack.ice import Candidate, Consent, Credentials, StateChanged

__all__ = ["FullTransport"]

_CLOSE_TIMEOUT: Final = 1.0
_LINGER: Final = 1.0  # that the old sockets hear a peer who has not yet seen the nomination after a restart
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
        self._scope = Scope("ICE", self._broken)
        self._farewells = Scope("ICE farewell")
        self._timer = LazyTimer(self._loop, self._tick)
        self._counters: Counter[str] = Counter()
        self._datagrams_in = self._bytes_in = self._datagrams_out = self._bytes_out = 0
        self._before_selection = (0, 0, 0, 0)  # what had moved when the pair in use took over from another
        self._selections = 0
        self._agent = Agent(self, self._randomness)
        self._active: Agent | None = None  # the agent that has a path; the old one during a restart
        self._former: Agent | None = None  # of the generation before a restart that is not agreed
        self._trying: Agent | None = None  # who has until `_give_up_at` to find a path
        self._leaving: Agent | None = None  # who had the path before, until `_leave_at`
        self._leave_at = inf
        self._consent: Consent | None = None
        self._way: Way | None = None
        self._give_up_at = inf
        self._state: IceState = "new"
        self._reason: Reason | None = None
        self._refused = False
        self.on_stun: StunTap | None = None
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
        way = self._way
        if way is None:
            return None
        checks, consent = way.checks, self._consent
        sent, received, bytes_sent, bytes_received = self._before_selection
        pair = SelectedPair(
            way.local,
            way.remote,
            way.local_type,
            way.remote_type,
            number=self._selections,
            relay_protocol=way.relay_protocol,
            packets_sent=self._datagrams_out - sent,
            packets_received=self._datagrams_in - received,
            bytes_sent=self._bytes_out - bytes_sent,
            bytes_received=self._bytes_in - bytes_received,
            checks_sent=checks.requests_sent,
            responses=checks.responses_received,
            checks=checks.requests_received,
            answers=checks.responses_sent,
            round_trip_time=checks.round_trip_time,
            total_round_trip_time=checks.total_round_trip_time,
        )
        if consent is None or not consent.responses:
            return pair if consent is None else attrs.evolve(pair, requests=consent.requests)
        return attrs.evolve(
            pair,
            requests=consent.requests,
            responses=pair.responses + consent.responses,
            round_trip_time=consent.round_trip_time,
            total_round_trip_time=pair.total_round_trip_time + consent.total_round_trip_time,
        )

    @property
    def writable(self) -> bool:
        """Whether there is a path, and nothing was refused on it."""
        return self._way is not None and not self._refused

    def counters(self) -> Mapping[str, int]:
        """Datagrams and bytes in and out; the same for the sockets, checks included; and everything dropped."""
        total = Counter(self._counters)
        for agent in self._agents():
            total.update(agent.counters())
        for name in ("datagrams_in", "bytes_in", "datagrams_out", "bytes_out"):
            total[f"socket_{name}"] = total.pop(name, 0)  # with the checks in them, and they end with their agent
        total["datagrams_in"] = self._datagrams_in
        total["bytes_in"] = self._bytes_in
        total["datagrams_out"] = self._datagrams_out
        total["bytes_out"] = self._bytes_out
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
        agent.set_remote(parameters)
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
        if why is None and len(self._agent.remote_candidates) >= MAX_PAIRS:
            why = "too_many"
        if why is not None:
            self._counters[f"candidate_{why}"] += 1
            return
        self._agent.add_remote(parsed)

    @property
    def controlling(self) -> bool | None:
        """The role that the checks settled: a conflict may have changed it (RFC 8445 section 7.3.1.1)."""
        return None if self._active is None else self._active.ice_controlling

    def start(self, controlling: bool) -> None:
        """Begin the checks as soon as the peer's credentials are known too."""
        agent = self._agent
        if self._state == "closed" or agent.started:
            return
        agent.started = True
        agent.take_role(controlling)
        if self._state in {"new", "failed"}:
            self._set_state("checking")
        if not self._scope.closed:  # the callback may have closed us
            self._trying = agent
            self._give_up_at = self._clock() + self._options.connect_timeout
            self._arm()
            self._maybe_connect(agent)

    def restart(self) -> None:
        """Begin a new generation with a new agent; the one that has a path carries on."""
        if self._state == "closed":
            raise Closed.because("ICE transport", "local")
        if self._former is None:
            self._former = self._agent
        else:
            self._give_up(self._agent)  # nobody ever agreed on it
        self._agent = Agent(self, self._randomness)
        if self._state == "failed":
            self._reason = None

    def keep_restart(self) -> None:
        """Both sides agree on the newest agent; the one before goes on only if it has the path."""
        former, self._former = self._former, None
        if former is not None and former is not self._active:
            self._give_up(former)

    def undo_restart(self) -> bool:
        """Go back to the agent before, unless the new one has the path already."""
        former, self._former = self._former, None
        if former is None or self._state == "closed":
            return False
        self._give_up(self._agent)
        self._agent = former
        return True

    def send(self, batch: Sequence[bytes]) -> int:
        """Send on the selected pair; see :class:`~pystack.aio.path.DatagramPath`."""
        way = self._way
        if way is None:
            taken = 0
        else:
            taken = sent = way.send(batch)
            if way.relay_protocol is not None:
                taken = len(batch)  # a relay drops what is too much, and has counted it
            self._datagrams_out += sent
            self._bytes_out += len(batch[0]) if sent == 1 else sum(map(len, batch[:sent]))
        if taken < len(batch):
            self._refused = self._state != "closed"
        return taken

    def close(self) -> None:
        """Let go of everything at once; a relay is told within 1 s."""
        if self._state == "closed":
            return
        self._state = "closed"
        self.on_datagrams = self.on_writable = self.on_state = self.on_candidate = _ignore
        self.on_stun = None
        self._timer.close()
        self._scope.cancel()
        for agent in self._agents():
            self._dismiss(agent)
        self._leaving = None
        self._active = self._former = self._trying = self._consent = self._way = None

    async def wait_closed(self) -> None:
        """Wait for the farewell, 1 s at most; what is not over then is abandoned."""
        if not await self._farewells.wait(_CLOSE_TIMEOUT):
            self._farewells.cancel()
        await self._scope.wait(_CLOSE_TIMEOUT)

    # -- for the agents

    def candidate_found(self, agent: Agent, text: str | None) -> None:
        """An agent has gathered something."""
        if agent is self._agent:
            self._call(self.on_candidate, text)

    def deliver(self, batch: list[bytes], now: float) -> None:
        """Data from an address that has proved itself."""
        self._datagrams_in += len(batch)
        self._bytes_in += sum(map(len, batch))
        self._call(self.on_datagrams, batch, now)

    def nominated(self, agent: Agent, way: Way) -> None:
        """An agent has a path, its first or a better one."""
        if self._state == "closed" or agent not in {self._agent, self._former, self._active}:
            return
        if agent is not self._active:
            old, self._active, former = self._active, agent, self._former
            if agent is not former:
                self._former = None
            if former is not None and former not in {agent, old}:
                self._dismiss(former)
            if old is not None:
                self._leave(old)
            assert agent.remote is not None
            if self._trying is agent:
                self._trying, self._give_up_at = None, inf
            self._consent = Consent(
                agent.credentials,
                Credentials(agent.remote.ufrag, agent.remote.pwd),
                self._randomness,
                controlling=agent.ice_controlling,
                tie_breaker=agent.tie_breaker,
                now=self._clock(),
                options=self._options.consent,
            )
        if self._way is not None:
            self._before_selection = self._moved()
        self._selections += 1
        self._way = way
        if self._refused:
            self._loop.call_soon(self.has_room)
        self._settle(self._clock())
        if self._state != "connected":
            self._reason = None
            self._set_state("connected")

    def answered(self, agent: Agent, data: bytes, source: object, address: tuple[str, int]) -> bool:
        """Tell whether a STUN answer was to a consent request of ours."""
        if self._consent is None or self._way is None or agent is not self._active:
            return False
        now = self._clock()
        if not self._way.leads_to(source, address) or not self._consent.accepts(data, now):
            return False
        self._settle(now)
        return True

    def has_room(self) -> None:
        """A socket can send again; whether it is the selected one shows at the next send."""
        if self._refused and self._way is not None:
            self._refused = False
            self._call(self.on_writable)

    # -- inside

    def _moved(self) -> tuple[int, int, int, int]:
        """Data so far: packets out and in, bytes out and in."""
        return self._datagrams_out, self._datagrams_in, self._bytes_out, self._bytes_in

    def _maybe_connect(self, agent: Agent) -> None:
        if agent.started and not agent.connecting and agent.remote is not None:
            agent.connecting = True
            self._scope.start(self._connect(agent), "connect")

    async def _connect(self, agent: Agent) -> None:
        # Every outcome is noticed elsewhere: a path by `nominated`, none by the deadline.
        try:
            await agent.connect()
        except ConnectionError:
            self._counters["checks_failed"] += 1

    def _broken(self, error: BaseException) -> None:
        """A task died of a bug, ours or aioice's."""
        self._loop.call_exception_handler({"message": "the ICE agent broke", "exception": error, "transport": self})
        self._lose(TransportLost(f"the ICE agent broke: {error!r}"))

    def _tick(self, now: float) -> None:
        if now >= self._give_up_at:
            if self._trying is not None:
                self._give_up(self._trying)
            if self._active is None:
                self._fail(TransportLost(f"no path to the peer was found within {self._options.connect_timeout:g} s"))
        if self._leaving is not None and now >= self._leave_at:
            self._dismiss(self._leaving)
            self._leaving, self._leave_at = None, inf
        if self._consent is not None:
            self._consent.tick(now)
            self._settle(now)
        self._arm()

    def _arm(self) -> None:
        self._timer.set(min(self._give_up_at, self._leave_at, inf if self._consent is None else self._consent.deadline))

    def _settle(self, now: float) -> None:
        consent, way = self._consent, self._way
        if consent is None or way is None or self._active is None:
            return
        consent.set_controlling(self._active.ice_controlling)
        for request in consent.flush(now):
            way.ask(request)
        for event in consent.take_events():
            match event:
                case StateChanged(state):
                    self._set_state(state.value)
                case Ended(reason):
                    self._lose(reason)
        self._arm()

    def _lose(self, reason: Reason) -> None:
        """The way is gone. If a restart is under way it goes on, within its own deadline; else this is the end."""
        active, self._active = self._active, None
        self._before_selection = self._moved()
        self._consent = self._way = None
        if active is not None:
            self._dismiss(active)
        if self._trying is None or self._scope.closed:
            self._fail(reason)
        else:
            self._set_state("checking")

    def _fail(self, reason: Reason) -> None:
        self._reason = reason
        self._set_state("failed")

    def _set_state(self, state: IceState) -> None:
        if self._state not in {state, "closed"}:
            self._state = state
            self._call(self.on_state, state)

    def _give_up(self, agent: Agent) -> None:
        """It has found nothing, or is no longer wanted."""
        if self._trying is agent:
            self._trying, self._give_up_at = None, inf
        self._dismiss(agent)

    def _leave(self, agent: Agent) -> None:
        """It has lost the path to a newer one, and for a moment still hears what the peer sends the old way."""
        if self._leaving is not None:
            self._dismiss(self._leaving)
        self._leaving, self._leave_at = agent, self._clock() + _LINGER

    def _dismiss(self, agent: Agent) -> None:
        """Release its sockets now, and let the rest of it end in a task of its own."""
        if agent.dismissed:
            return
        agent.dismiss()
        if not self._farewells.closed:
            self._farewells.start(agent.farewell(), "close")

    def _agents(self) -> list[Agent]:
        """Those that live, the newest first."""
        agents = [self._agent]
        for each in (self._former, self._active, self._leaving):
            if each is not None and each not in agents:
                agents.append(each)
        return agents

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

    # -- what an agent needs to know of us

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
