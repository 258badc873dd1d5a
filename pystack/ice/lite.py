"""ICE-lite for one session (RFC 8445 sections 2.5, 7.3 and 8.1.1; RFC 7675 seen from the other side).

The idea: a lite agent sends no checks. It answers the authenticated ones, the peer nominates, and whether the peer is
still there is read from when it last asked. So the whole agent is one table of paths, one selected path and two
timers, however many packets flow.

Who may do what:

* An address belongs to the session only after a request from it was authenticated; the number of addresses is capped,
  and the one that was quiet longest makes room.
* USE-CANDIDATE selects the path. While the selected path was nominated only just now, one of lower priority does not
  take over: an aggressively nominating peer (RFC 5245 section 8.1.1.2) nominates every pair within some
  milliseconds and then uses the best of them, while a peer that moves for good says so again.
* We are always controlled. A peer that also thinks so is told (487), and takes the controlling role.
* A restart puts new credentials beside the old; the old are retired when a path was nominated with the new.

Called by :mod:`pystack.aio.lite`, which tells the mux what to map.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from math import inf
from typing import Any, Final

import attrs

from pystack.base import Ended, Machine, TimerSet, Trace
from pystack.errors import LOCAL, DecodeError, LocalProtocolError, Reason, TransportLost
from pystack.ice.credentials import Credentials
from pystack.ice.events import GenerationRetired, PathAuthenticated, PathForgotten, PathSelected, StateChanged
from pystack.ice.path import Path
from pystack.ice.states import LITE_TABLE, LiteInput, LiteState
from pystack.ice.stun import (
    BINDING,
    Attribute,
    StunClass,
    StunMessage,
    build,
    encode_error_code,
    encode_unknown_attributes,
    encode_xor_address,
    parse,
)

__all__ = ["LiteAgent", "LiteOptions"]

_PHRASES: Final = {400: "Bad Request", 401: "Unauthenticated", 420: "Unknown Attribute", 487: "Role Conflict"}
_MAX_ANSWERS = 64  # waiting for a flush; a driver flushes after each drained batch


@attrs.frozen(kw_only=True)
class LiteOptions:
    """How patient an agent is, in seconds, and how many addresses a session may have.

    Attributes:
        connect_timeout: from start to the first nomination, else ``FAILED``.
        disconnected_after: without an authenticated request.
        failed_after: after that.
        max_paths: addresses that are remembered at once.
        nomination_settle: how long a fresh nomination resists one of lower priority.
    """

    connect_timeout: float = 30.0
    disconnected_after: float = 10.0
    failed_after: float = 5.0
    max_paths: int = 8
    nomination_settle: float = 0.5


@attrs.define
class _Generation:
    local: Credentials
    key: bytes
    remote_ufrag: str | None = None


@attrs.define
class _Known:
    priority: int = 0
    nominated_at: float = -inf


class LiteAgent:
    """The agent of one session; a :class:`~pystack.base.PathCore` whose paths are :class:`~pystack.ice.path.Path`.

    Attributes:
        selected: the path to send on, or ``None`` before the first nomination.
        drops: what was dropped or refused, by reason.
        checks: authenticated checks that were answered.
    """

    def __init__(
        self,
        credentials: Credentials,
        options: LiteOptions = LiteOptions(),
        trace: Trace | None = None,
    ) -> None:
        self._options = options
        self._trace = trace
        self.checks = 0
        self._generations = [_Generation(credentials, credentials.key)]  # the newest last; two at most
        self._machine = Machine(LITE_TABLE, LiteState.NEW)
        self._timers = TimerSet()
        self._paths: dict[Path, _Known] = {}  # in the order in which they were last heard
        self._answers: deque[tuple[bytes, Hashable]] = deque(maxlen=_MAX_ANSWERS)
        self._events: list[Any] = []
        self._heard = -inf
        self.selected: Path | None = None
        self.drops: Counter[str] = Counter()

    @property
    def deadline(self) -> float:
        """The earliest timer, in absolute seconds."""
        return self._timers.deadline

    @property
    def state(self) -> LiteState:
        """Where the agent stands in ``states.LITE_TABLE``."""
        return self._machine.state

    @property
    def credentials(self) -> Credentials:
        """Ours, of the newest generation."""
        return self._generations[-1].local

    @property
    def ufrags(self) -> tuple[str, ...]:
        """Our user fragments that are honoured, the newest last."""
        return tuple(generation.local.ufrag for generation in self._generations)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The authenticated paths, the one heard last at the end."""
        return tuple(self._paths)

    # -- commands

    def set_remote(self, ufrag: str | None) -> None:
        """Tell the peer's user fragment in the newest generation; requests that name another are refused.

        Before it is told (the answer is still under way), any will do: the password that counts is ours.
        """
        self._generations[-1].remote_ufrag = ufrag

    def start(self, now: float) -> None:
        """From now on the peer has ``connect_timeout`` to nominate a path; harmless when repeated."""
        if not self._machine.allows(LiteInput.STARTED):
            return
        self._move(LiteInput.STARTED, now)
        if self.selected is None:
            self._timers.set("connect", now + self._options.connect_timeout)
        else:
            self._connected(now)

    def restart(self, credentials: Credentials, now: float) -> None:
        """Begin a new generation (RFC 8445 section 9). One that never came into use is given up.

        Raises:
            LocalProtocolError: the agent is closed.
        """
        if self.state is LiteState.CLOSED:
            raise LocalProtocolError("restart", self.state.name)
        if len(self._generations) == 2:
            self._events.append(GenerationRetired(self._generations.pop().local.ufrag))
        self._generations.append(_Generation(credentials, credentials.key))
        if self._machine.allows(LiteInput.RESTARTED):
            self._check_again(now)

    def undo_restart(self) -> bool:
        """Give the newest generation up, and tell whether that was possible: not once a path was nominated with it."""
        if len(self._generations) < 2 or self.state is LiteState.CLOSED:
            return False
        self._events.append(GenerationRetired(self._generations.pop().local.ufrag))
        return True

    def close(self, now: float) -> None:
        """End. There is no farewell in ICE."""
        self.abort(now)

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End at once for ``reason``; harmless when repeated."""
        if not self._machine.allows(LiteInput.CLOSED):
            return
        self._machine.move(LiteInput.CLOSED)
        self._timers.clear()
        self._answers.clear()
        self._paths.clear()
        self.selected = None
        self._events.append(Ended(reason))

    # -- the five members

    def receive(self, data: bytes, path: Path, now: float) -> None:
        """Take one datagram that looks like STUN."""
        state = self._machine.state
        if state is LiteState.CLOSED:
            return
        if state is LiteState.FAILED:
            # Silence tells the peer sooner than answers would that it has to restart.
            self._drop("failed", now)
            return
        try:
            message = parse(data)
        except DecodeError:
            self._drop("malformed", now)
            return
        if message.method != BINDING or message.message_class is not StunClass.REQUEST:
            # An indication is a keep-alive of the peer's (RFC 8445 section 11); no answer can be for us.
            kept_alive = message.method == BINDING and message.message_class is StunClass.INDICATION
            self._drop("indication" if kept_alive else "unexpected", now)
            return
        username = message.username
        if username is None or not message.integrity_present:
            self._refuse(400, message, path, now, "bad-request")
            return
        generation = self._generation_of(username)
        if generation is None:
            self._refuse(401, message, path, now, "username")
        elif not message.authentic(generation.key):
            self._refuse(401, message, path, now, "integrity")
        elif message.unknown_required:
            unknown = (Attribute.UNKNOWN_ATTRIBUTES, encode_unknown_attributes(message.unknown_required))
            self._refuse(420, message, path, now, "unknown-attribute", generation.key, unknown)
        elif message.controlled is not None:
            self._refuse(487, message, path, now, "role-conflict", generation.key)
        else:
            self._handle_check(message, generation, path, now)

    def tick(self, now: float) -> None:
        """Notice silence."""
        for name in self._timers.expired(now):
            if self._trace is not None:
                self._trace.timer(now, "ice", name)
            if name == "silence":
                self._move(LiteInput.SILENCE, now)
                if len(self._generations) == 2:
                    # A restart is under way; it has the time of a new beginning.
                    self._check_again(now)
                else:
                    self._timers.set("give-up", now + self._options.failed_after)
            elif name == "give-up":
                self._fail("consent expired: no authenticated check from the peer", now)
            else:
                self._fail("the peer nominated no path in time", now)

    def flush(self, now: float, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        """Hand over the answers to the checks."""
        answers = self._answers
        out: list[tuple[bytes, Hashable]] = []
        while answers and len(out) < limit:
            out.append(answers.popleft())
        if self._trace is not None:
            for data, _ in out:
                self._trace.packet(now, "ice", "out", data)
        return out

    def take_events(self) -> list[Any]:
        """What happened, oldest first."""
        events, self._events = self._events, []
        return events

    # -- handlers

    def _generation_of(self, username: str) -> _Generation | None:
        ours, colon, theirs = username.partition(":")
        for generation in self._generations:
            if generation.local.ufrag == ours:
                return generation if colon and generation.remote_ufrag in {None, theirs} else None
        return None

    def _handle_check(self, message: StunMessage, generation: _Generation, path: Path, now: float) -> None:
        self.checks += 1
        address = (Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(path.host, path.port, message.transaction_id))
        self._answer(StunClass.SUCCESS, message, path, (address,), generation.key)
        known = self._paths.pop(path, None)
        if known is None:
            known = _Known()
            self._make_room()
            self._events.append(PathAuthenticated(path))
        self._paths[path] = known
        known.priority = message.priority or 0
        self._heard = now
        if self._timers.armed("silence") or self._machine.allows(LiteInput.HEARD):
            self._timers.cancel("give-up")
            self._timers.set("silence", now + self._options.disconnected_after)
        if self._machine.allows(LiteInput.HEARD):
            self._move(LiteInput.HEARD, now)
        if message.use_candidate:
            self._handle_nomination(known, generation, path, now)

    def _handle_nomination(self, known: _Known, generation: _Generation, path: Path, now: float) -> None:
        known.nominated_at = now
        if generation is not self._generations[0]:
            retired = self._generations.pop(0)
            self._events.append(GenerationRetired(retired.local.ufrag))
            # What an earlier generation nominated does not resist this one.
            for other in self._paths.values():
                if other is not known:
                    other.nominated_at = -inf
        if path != self.selected:
            current = self._paths.get(self.selected) if self.selected is not None else None
            if (
                current is not None
                and current.priority > known.priority
                and now - current.nominated_at < self._options.nomination_settle
            ):
                return
            self.selected = path
            self._events.append(PathSelected(path))
        if self._machine.allows(LiteInput.NOMINATED):
            self._connected(now)

    def _connected(self, now: float) -> None:
        self._move(LiteInput.NOMINATED, now)
        self._timers.cancel("connect")
        # It may have been heard long before it was started.
        self._timers.set("silence", max(now, self._heard) + self._options.disconnected_after)

    def _check_again(self, now: float) -> None:
        self._move(LiteInput.RESTARTED, now)
        self._timers.cancel("give-up")
        self._timers.set("connect", now + self._options.connect_timeout)

    def _make_room(self) -> None:
        if len(self._paths) < self._options.max_paths:
            return
        for path in self._paths:
            if path != self.selected:
                del self._paths[path]
                self._events.append(PathForgotten(path))
                return

    def _fail(self, why: str, now: float) -> None:
        self._timers.clear()
        while len(self._generations) > 1:
            self._events.append(GenerationRetired(self._generations.pop(0).local.ufrag))
        self._move(LiteInput.GIVEN_UP, now, TransportLost(why))

    def _move(self, given: LiteInput, now: float, reason: Reason | None = None) -> None:
        before = self._machine.state
        after = self._machine.move(given)
        self._events.append(StateChanged(after, reason))
        if self._trace is not None:
            self._trace.state(now, "ice", before.name, after.name)

    def _refuse(
        self,
        code: int,
        message: StunMessage,
        path: Path,
        now: float,
        why: str,
        key: bytes | None = None,
        *more: tuple[int, bytes],
    ) -> None:
        # 400 and 401 answer what was not authenticated, so there is nothing to sign them with (RFC 8489 9.1.3).
        self._drop(why, now)
        error = (Attribute.ERROR_CODE, encode_error_code(code, _PHRASES[code]))
        self._answer(StunClass.ERROR, message, path, (error, *more), key)

    def _answer(
        self,
        message_class: StunClass,
        request: StunMessage,
        path: Path,
        attributes: tuple[tuple[int, bytes], ...],
        key: bytes | None,
    ) -> None:
        self._answers.append((build(BINDING, message_class, request.transaction_id, attributes, key=key), path))

    def _drop(self, why: str, now: float) -> None:
        self.drops[why] += 1
        if self._trace is not None:
            self._trace.dropped(now, "ice", why)
