"""The eight laws of a core as one shared hypothesis test class.

A law test for a core is a subclass of :class:`CoreLaws` with one method::

    class TestAssociationLaws(CoreLaws):
        def make(self, seed):
            a, b = (Association(options, SeededRandomness(f"{seed}{name}")) for name in "ab")
            return Scenario(
                sides=[Side("a", a, limit=1191), Side("b", b, limit=1191)],
                commands=[
                    Command("connect", lambda core, _, now: core.connect(now)),
                    Command("send", lambda core, data, now: core.send(1, data, now, ppid=53), payloads(4000)),
                ],
                end=lambda core, now: core.abort(now),
            )

``make`` is called many times with the same seed and must give equal, fresh objects each time. It may start them too
(``a.connect(now=1000.0)``; schedules begin at that time): up to six rounds of lossless exchange come before a schedule,
so that it meets the cores in deep states. The class draws random schedules: commands, flushes with and without a limit,
delivery with loss, duplication, reordering and damage, garbage, early and late ticks, long waits. It plays them and
raises :class:`LawBroken` with the number of the law and the timeline of what happened. The laws themselves are in
``docs/explanation/architecture.md``.

A layer that has not the exact five members is wrapped by its test in a small adapter that has.
"""

from __future__ import annotations

import gc
import random
import sys
import types
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from math import inf
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pystack.base import Ended
from pystack.errors import LocalError, StackError
from pystack.testing.strategies import mutate, noise
from pystack.testing.world import timer_reason

__all__ = ["START", "Command", "CoreLaws", "LawBroken", "Scenario", "Side", "footprint"]

START: Final = 1000.0
"""The time at which every schedule begins."""
_MANY: Final = 5_000  # datagrams at one moment: nobody has a reason for more
_OUTSIDE: Final = frozenset(
    {"asyncio", "logging", "random", "secrets", "select", "selectors", "socket", "ssl", "threading", "time"}
)
_OUTSIDE_BUILTINS: Final = frozenset(
    {"_asyncio", "_random", "random", "_socket", "_ssl", "_thread", "posix", "select", "time"}
)
_OUTSIDE_POSIX: Final = frozenset({"getrandom", "urandom", "read", "write", "open"})

Damage: TypeAlias = Callable[[bytes, random.Random], bytes]


class LawBroken(AssertionError):
    """A core broke one of the laws.

    Attributes:
        law: the number of the law.
    """

    def __init__(self, law: int, what: str, timeline: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join([f"law {law}: {what}", *timeline]))
        self.law = law


@attrs.frozen
class Command:
    """Something that the layer above may ask of a core.

    ``run(core, argument, now)`` calls it; a :class:`~pystack.errors.LocalError` or
    :class:`~pystack.errors.Closed` from it is an answer, not a failure. ``argument`` draws the argument. ``sides`` are
    the indices of the sides that it is for, all by default.
    """

    name: str
    run: Callable[[Any, Any, float], object]
    argument: st.SearchStrategy[Any] = attrs.field(factory=st.none)
    sides: tuple[int, ...] | None = None


@attrs.frozen
class Side:
    """One core of a scenario.

    ``limit`` is the size in bytes that no datagram of this side may exceed. A ``path`` other than ``None`` says that
    the core is a ``PathCore``: it is the path under which what the other side (or a stranger) sends arrives here.
    """

    name: str
    core: Any
    limit: float = inf
    path: Hashable | None = None


@attrs.define(kw_only=True)
class Scenario:
    """One core alone or two wired back to back, and what may happen to them.

    Attributes:
        sides: one or two; what one flushes the other receives. A single core's datagrams are checked and lost.
        commands: what the layer above may ask.
        end: asks a core to end at once (``abort``); ``None`` for a core that never ends by itself.
        feeds: draws datagrams that a stranger might send (:func:`~pystack.testing.strategies.noise` by default).
        corrupt: damages a datagram; give one that repairs checksums, so that the damage gets past them.
        carry: the path under which a datagram that was flushed for a path arrives on the other side
            (``(from_side, path) -> path``); by default the other side's ``path``.
        memory: bytes that a side may hold more than when it was fresh, whatever strangers send.
    """

    sides: Sequence[Side]
    commands: Sequence[Command] = ()
    end: Callable[[Any, float], object] | None = None
    feeds: st.SearchStrategy[bytes] = attrs.field(factory=noise)
    corrupt: Damage = mutate
    carry: Callable[[int, Hashable], Hashable] | None = None
    memory: int = 512 * 1024


_Step: TypeAlias = tuple[Any, ...]
_LONG = (0.0, 0.001, 0.02, 0.2, 1.0, 5.0, 60.0, 1000.0)


def _steps(scenario: Scenario, *, flushing: bool = True, count: int = 40) -> st.SearchStrategy[list[_Step]]:
    side = st.sampled_from(range(len(scenario.sides)))
    index = st.integers(0, 3)
    number = st.integers(0, 2**16)
    # Hypothesis' own lists are short; these are always long, and shrink towards waits of no time instead.
    choices: list[st.SearchStrategy[_Step]] = [st.tuples(st.just("wait"), st.sampled_from(_LONG))]
    for at, command in enumerate(scenario.commands):
        sides = side if command.sides is None else st.sampled_from(command.sides)
        choices.append(st.tuples(st.just("command"), sides, st.just(at), command.argument))
    choices += [
        st.tuples(st.just("feed"), side, scenario.feeds),
        st.tuples(st.just("deliver"), side, index),
        st.tuples(st.just("lose"), side, index),
        st.tuples(st.just("repeat"), side, index),
        st.tuples(st.just("damage"), side, index, number),
        st.tuples(st.just("early"), side),
        st.tuples(st.just("expire")),
        st.tuples(st.just("events"), side),
    ]
    if flushing:
        choices += [
            st.tuples(st.just("flush"), side, st.sampled_from((inf, inf, 1, 2, 5))),
            st.tuples(st.just("exchange"), st.integers(1, 4)),
        ]
    return st.lists(st.one_of(choices), min_size=count, max_size=count)


@attrs.define
class _Play:
    """Plays one schedule on one scenario and holds it against the laws."""

    scenario: Scenario
    laws: frozenset[int]
    now: float = START
    nag: bool = False  # an early tick after every step (law 3: nobody may notice)
    watch: bool = False  # look for calls to the outside (law 1)
    transcript: list[Any] = attrs.field(factory=list)
    timeline: list[str] = attrs.field(factory=list)
    _flying: list[list[tuple[bytes, Hashable]]] = attrs.field(init=False)
    _ended: list[int] = attrs.field(init=False)
    _silent: list[bool] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        count = len(self.scenario.sides)
        self._flying = [[] for _ in range(count)]  # by the side that they fly to
        self._ended = [0] * count
        self._silent = [False] * count

    def broken(self, law: int, what: str) -> None:
        if law in self.laws:
            raise LawBroken(law, what, self.timeline[-60:])

    # -- calls into a core ---------------------------------------------------------------------------------------

    def _call(self, law: int, side: int, what: str, call: Callable[[], Any]) -> Any:
        self.timeline.append(f"{self.now - START:12.6f}  {self.scenario.sides[side].name}  {what}")
        try:
            if not self.watch:
                return call()
            others = [other.core for other in self.scenario.sides if other is not self.scenario.sides[side]]
            with _watched(others) as seen:
                result = call()
        except Exception as error:
            # Nothing may raise but a command, and that is caught by its caller. Whichever laws are looked at,
            # an exception is never what was expected.
            raise LawBroken(law, f"{what} raised {error!r}", self.timeline[-60:]) from error
        if seen:
            self.broken(1, f"{what} called {', '.join(sorted(set(seen)))}")
        return result

    def receive(self, side: int, data: bytes, path: Hashable | None = None) -> None:
        here = self.scenario.sides[side]
        what = f"receive {len(data)}: {data[:24].hex()}"
        if here.path is None:
            self._call(8, side, what, lambda: here.core.receive(data, self.now))
        else:
            via = here.path if path is None else path
            self._call(8, side, f"{what} via {via!r}", lambda: here.core.receive(data, via, self.now))

    def tick(self, side: int) -> None:
        core = self.scenario.sides[side].core
        was = core.deadline
        self._call(2, side, f"tick {timer_reason(core)}", lambda: core.tick(self.now))
        if self.now >= was and not core.deadline > self.now:
            self.broken(
                4, f"after tick({self.now - START:g}) the deadline is {core.deadline - START:g}: {timer_reason(core)!r}"
            )

    def command(self, side: int, index: int, argument: Any) -> None:
        command = self.scenario.commands[index]
        core = self.scenario.sides[side].core

        def ask() -> None:
            try:
                command.run(core, argument, self.now)
            except LocalError:
                self.transcript.append(("refused", side))
            except StackError as error:  # Closed: it has ended
                self.transcript.append(("closed", side, type(error).__name__))

        self._call(2, side, f"{command.name} {_short(argument)}", ask)

    def flush(self, side: int, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        here = self.scenario.sides[side]
        out = self._call(2, side, f"flush {limit:g}", lambda: here.core.flush(self.now, limit))
        if len(out) > limit:
            self.broken(3, f"flush({limit:g}) handed over {len(out)} datagrams")
        if len(out) < limit:
            again = self._call(2, side, "flush again", lambda: here.core.flush(self.now, inf))
            if again:
                self.broken(3, f"flush ran dry, and then {len(again)} more datagrams came at the same time")
                out = [*out, *again]
        carried: list[tuple[bytes, Hashable]] = []
        for item in out:
            data, path = (item, None) if here.path is None else item
            if not isinstance(data, bytes):
                self.broken(7, f"a datagram is a {type(data).__name__}, not bytes")
            if len(data) > here.limit:
                self.broken(6, f"a datagram of {len(data)} bytes is above the limit of {here.limit:g}")
            if self._silent[side]:
                self.broken(5, f"a datagram after the end and its farewell: {data[:40].hex()}")
            carried.append((data, path))
        self.transcript.extend(("out", side, data, path) for data, path in carried)
        if carried:
            self.timeline.append(f"{'':12}  {here.name}    → {', '.join(str(len(data)) for data, _ in carried)}")
        if self._ended[side] and len(out) < limit:
            self._silent[side] = True
            if here.core.deadline != inf:
                self.broken(5, f"a deadline ({timer_reason(here.core)!r}) after the end and its farewell")
        if len(self.scenario.sides) == 2:
            for data, path in carried:
                carry = self.scenario.carry
                arrival = carry(side, path) if carry is not None else self.scenario.sides[1 - side].path
                self._flying[1 - side].append((data, arrival))
        return carried

    def drain(self, side: int) -> None:
        total = 0
        while count := len(self.flush(side, 64)):
            total += count
            if total > _MANY:
                raise LawBroken(3, f"flush never ran dry: {total} datagrams at one moment", self.timeline[-20:])
            if count < 64:  # less than the limit: it has said that it is dry
                break

    def events(self, side: int) -> None:
        core = self.scenario.sides[side].core
        events = self._call(2, side, "take_events", core.take_events)
        for event in events:
            self.transcript.append(("event", side, plain(event)))
            self.timeline.append(f"{'':12}  {self.scenario.sides[side].name}    * {_short(event)}")
            if self._ended[side]:
                self.broken(5, f"{_short(event)} after Ended")
            if isinstance(event, Ended):
                self._ended[side] += 1

    # -- steps ---------------------------------------------------------------------------------------------------

    def run(self, steps: Sequence[_Step]) -> None:
        for step in steps:
            self.step(step)
            self.after()

    def after(self) -> None:
        for side, here in enumerate(self.scenario.sides):
            self.transcript.append(("deadline", side, here.core.deadline))
            if self._silent[side] and here.core.deadline != inf:
                self.broken(5, f"a deadline ({timer_reason(here.core)!r}) long after the end")
            if self.nag and self.now < here.core.deadline:
                self._call(2, side, "early tick", lambda core=here.core: core.tick(self.now))  # type: ignore[misc]

    def step(self, step: _Step) -> None:
        match step:
            case ("command", side, index, argument):
                self.command(side, index, argument)
            case ("feed", side, data):
                self.receive(side, data)
            case ("deliver", side, index):
                if flying := self._flying[side]:
                    self.receive(side, *flying.pop(index % len(flying)))
            case ("lose", side, index):
                if flying := self._flying[side]:
                    flying.pop(index % len(flying))
            case ("repeat", side, index):
                if flying := self._flying[side]:
                    self.receive(side, *flying[index % len(flying)])
            case ("damage", side, index, seed):
                if flying := self._flying[side]:
                    data, path = flying[index % len(flying)]
                    self.receive(side, self.scenario.corrupt(data, random.Random(seed)), path)
            case ("early", side):
                self.early(side)
            case ("wait", seconds):
                self.now += seconds
            case ("expire",):
                self.expire()
            case ("events", side):
                self.events(side)
            case ("flush", side, limit):
                self.flush(side, limit)
            case ("exchange", rounds):
                for _ in range(rounds):
                    self.exchange()
            case _:
                raise AssertionError(step)

    def early(self, side: int) -> None:
        core = self.scenario.sides[side].core
        self.drain(side)
        self.events(side)
        before = core.deadline
        if self.now >= before:
            return
        self._call(2, side, "early tick", lambda: core.tick(self.now))
        if core.deadline != before:
            self.broken(3, f"an early tick moved the deadline from {before - START:g} to {core.deadline - START:g}")
        if events := self._call(2, side, "take_events", core.take_events):
            self.broken(3, f"an early tick made {_short(events[0])} happen")
        if out := self._call(2, side, "flush", lambda: core.flush(self.now, inf)):
            self.broken(3, f"an early tick made {len(out)} datagrams leave")

    def expire(self) -> None:
        earliest = min(here.core.deadline for here in self.scenario.sides)
        if earliest == inf:
            return
        self.now = max(self.now, earliest)
        for side, here in enumerate(self.scenario.sides):
            if here.core.deadline <= self.now:
                self.tick(side)

    def exchange(self) -> None:
        for side in range(len(self.scenario.sides)):
            self.drain(side)
        for side in range(len(self.scenario.sides)):
            flying, self._flying[side] = self._flying[side], []
            for data, path in flying:
                self.receive(side, data, path)

    def finish(self) -> None:
        """End every side and see that it is silent ever after."""
        for side in range(len(self.scenario.sides)):
            self.events(side)
            self.drain(side)
        for side, here in enumerate(self.scenario.sides):
            if self.scenario.end is not None and not self._ended[side]:
                self._finish_one(side, here)
        for _ in range(3):
            for side, here in enumerate(self.scenario.sides):
                for data, path in self._flying[side][:20]:
                    self.receive(side, data, path)
                for data in (b"", b"\x00", b"\x16\xfe\xfd" + bytes(30)):
                    self.receive(side, data)
                if here.core.deadline <= self.now:
                    self.tick(side)
                self.drain(side)
                self.events(side)
                if self.scenario.end is None and self._ended[side] > 1:
                    self.broken(5, "Ended came more than once")
            self.after()
            self.now += 1000.0

    def _finish_one(self, side: int, here: Side) -> None:
        end = self.scenario.end
        assert end is not None

        def ask() -> None:
            try:
                end(here.core, self.now)
            except (LocalError, StackError):
                self.transcript.append(("refused", side))

        self._call(2, side, "end", ask)
        self.events(side)
        if self._ended[side] != 1:
            self.broken(5, f"asked to end, it gave {self._ended[side]} Ended events")
        self.drain(side)


_USUAL = 100
"""The examples of hypothesis' own profile."""


class CoreLaws:
    """The eight laws; subclass it as ``TestXLaws`` and write :meth:`make`.

    Attributes:
        examples: schedules per law with hypothesis' own profile; one that asks for ten times as many examples gets
            ten times as many schedules.
        steps: steps of a schedule.
        flood: garbage datagrams for the memory part of law 8.
        phases: of hypothesis; without ``Phase.shrink`` a broken law is told sooner and less clearly.
    """

    examples: int = 20
    steps: int = 40
    flood: int = 3000
    phases: Sequence[Phase] = tuple(Phase)

    def make(self, seed: int) -> Scenario:
        """Build fresh cores and commands; equal for equal seeds."""
        raise NotImplementedError

    def _each(self, play: Callable[[int, int, list[_Step]], None], *, flushing: bool = True) -> None:
        """Call ``play(seed, opening, steps)`` for many schedules; ``opening`` lossless rounds come first."""
        drawn = _steps(self.make(0), flushing=flushing, count=self.steps)

        @settings(
            max_examples=max(1, self.examples * settings().max_examples // _USUAL),
            deadline=None,
            phases=self.phases,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        @given(st.integers(0, 1000), st.integers(0, 6), drawn)
        def schedule(seed: int, opening: int, steps: list[_Step]) -> None:
            play(seed, opening, steps)

        schedule()

    def _begin(self, seed: int, opening: int, laws: set[int], *, nag: bool = False, watch: bool = False) -> _Play:
        play = _Play(self.make(seed), frozenset(laws), nag=nag, watch=watch)
        for _ in range(opening):
            play.exchange()
            play.after()
        return play

    def test_law_1_calls_nothing_that_it_does_not_own(self) -> None:
        """No clock, no shared randomness, no event loop, no log, no other core."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            self._begin(seed, opening, {1}, watch=True).run(steps)

        self._each(play)

    def test_law_2_inputs_and_commands_in_any_order(self) -> None:
        """No contract on the caller: nothing need be flushed or drained in between."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            run = self._begin(seed, opening, {2})
            run.run(steps)
            for side in range(len(run.scenario.sides)):
                run.drain(side)
                run.events(side)

        self._each(play, flushing=False)

    def test_law_3_flush_runs_dry_and_an_early_tick_changes_nothing(self) -> None:
        """Flush at one time runs dry; a run with early ticks everywhere equals a run without."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            calm = self._begin(seed, opening, {3})
            calm.run(steps)
            nagged = self._begin(seed, opening, {3}, nag=True)
            nagged.run(steps)
            _same(3, "with and without early ticks", calm, nagged)

        self._each(play)

    def test_law_4_a_due_tick_moves_the_deadline_on(self) -> None:
        """After ``tick(now)`` at ``now >= deadline``: ``deadline > now``, for as long as timers follow each other."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            run = self._begin(seed, opening, {4})
            run.run(steps)
            for _ in range(30):
                run.expire()
                for side in range(len(run.scenario.sides)):
                    run.flush(side)

        self._each(play)

    def test_law_5_one_end_then_silence(self) -> None:
        """Exactly one Ended; the farewell; then no datagram, no event, no deadline."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            run = self._begin(seed, opening, {5})
            run.run(steps)
            run.finish()

        self._each(play)

    def test_law_6_no_datagram_above_its_limit(self) -> None:
        """Nothing larger than the limit leaves, first or repeated."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            run = self._begin(seed, opening, {6})
            run.run(steps)
            for _ in range(4):
                run.exchange()
                run.expire()

        self._each(play)

    def test_law_7_same_inputs_same_bytes(self) -> None:
        """Played again on fresh cores of the same seed, a schedule gives the same bytes, events and deadlines."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            runs = []
            for _ in range(2):
                run = self._begin(seed, opening, {7})
                run.run(steps)
                runs.append(run)
            _same(7, "the first and the second time", *runs)

        self._each(play)

    def test_law_8_arbitrary_bytes(self) -> None:
        """Whatever arrives, ``receive`` does not raise."""

        def play(seed: int, opening: int, steps: list[_Step]) -> None:
            run = self._begin(seed, opening, {8})
            noise = random.Random(seed)
            for step in steps:
                run.step(step)
                for side in range(len(run.scenario.sides)):
                    for data, path in run._flying[side][-2:]:
                        run.receive(side, run.scenario.corrupt(data, noise), path)

        self._each(play)

    def test_law_8_bounded_memory(self) -> None:
        """A flood of noise and of damaged real datagrams leaves no more behind than the scenario allows."""
        for opening in (0, 1, 3, 8):
            self._flood(opening)

    def _flood(self, opening: int) -> None:
        scenario = self.make(opening)
        play = _Play(scenario, frozenset({8}))
        before = [footprint(side.core) for side in scenario.sides]
        seen: list[list[tuple[bytes, Hashable]]] = [[] for _ in scenario.sides]
        for _ in range(opening):
            for side in range(len(scenario.sides)):
                play.drain(side)
            for side in range(len(scenario.sides)):
                seen[side] += play._flying[side]
            play.exchange()
        noise = random.Random(opening)
        for count in range(self.flood // 4):
            for side in range(len(scenario.sides)):
                if seen[side] and noise.random() < 0.8:
                    data, path = noise.choice(seen[side])
                    play.receive(side, scenario.corrupt(data, noise), path)
                else:
                    play.receive(side, noise.randbytes(noise.randrange(1400)))
                if count % 16 == 0:
                    play.flush(side)
                    play.events(side)
            del play.timeline[:-60], play.transcript[:]
            for flying in play._flying:
                flying.clear()
        for side, here in enumerate(scenario.sides):
            grown = footprint(here.core) - before[side]
            if grown > scenario.memory:
                play.broken(8, f"{here.name} holds {grown} bytes more after {self.flood // 4} strange datagrams")


# -- looking at cores from outside -----------------------------------------------------------------------------------


def footprint(core: object) -> int:
    """Bytes of everything reachable from ``core``, classes, functions and modules apart."""
    seen: set[int] = set()
    todo: list[object] = [core]
    total = 0
    shared = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, Enum)
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, shared):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item)
        todo.extend(gc.get_referents(item))
    return total


def plain(value: Any) -> Any:
    """Turn an event into something that compares by content: errors, for one, compare by identity."""
    if isinstance(value, BaseException):
        return type(value).__name__, str(value)
    if isinstance(value, (str, bytes, int, float, type(None), Enum)):
        return value
    if attrs.has(type(value)):
        return type(value).__name__, tuple(
            (field.name, plain(getattr(value, field.name))) for field in attrs.fields(type(value))
        )
    if isinstance(value, Mapping):
        return tuple((plain(key), plain(item)) for key, item in value.items())
    if isinstance(value, (list, tuple, bytearray, memoryview)):
        return tuple(plain(item) for item in value)
    text = repr(value)
    if f" at 0x{id(value):x}" not in text:
        return text
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [*vars(value)] if hasattr(value, "__dict__") else slots
    return type(value).__name__, tuple((name, plain(getattr(value, name, None))) for name in names)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 90 else text[:87] + "..."


def _same(law: int, what: str, one: _Play, other: _Play) -> None:
    for at, (left, right) in enumerate(zip(one.transcript, other.transcript, strict=False)):
        if left != right:
            raise LawBroken(
                law, f"{what}, entry {at} differs: {_short(left)} and {_short(right)}", other.timeline[-60:]
            )
    if len(one.transcript) != len(other.transcript):
        sizes = f"{len(one.transcript)} and {len(other.transcript)}"
        raise LawBroken(law, f"{what}, the transcripts have {sizes} entries", other.timeline[-60:])


@contextmanager
def _watched(others: Sequence[object]) -> Iterator[list[str]]:
    """Collect calls that leave a core: the clock, shared randomness, the loop, the log, or the other core."""
    seen: list[str] = []
    mine = {id(other) for other in others}

    def profile(frame: types.FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call":
            back = frame.f_back
            caller = back.f_globals.get("__name__", "") if back is not None else ""
            root = module.partition(".")[0]
            if root in _OUTSIDE and caller.partition(".")[0] not in _OUTSIDE and caller != "pystack.base.rand":
                seen.append(f"{module}.{frame.f_code.co_qualname}")
            elif frame.f_code.co_argcount and id(frame.f_locals.get(frame.f_code.co_varnames[0])) in mine:
                seen.append(f"the other core's {frame.f_code.co_qualname}")
        elif event == "c_call" and module != "pystack.base.rand" and module.partition(".")[0] not in _OUTSIDE:
            origin = getattr(argument, "__module__", None) or type(getattr(argument, "__self__", None)).__module__
            name = argument.__name__
            if origin in _OUTSIDE_BUILTINS and (origin != "posix" or name in _OUTSIDE_POSIX):
                seen.append(f"{origin}.{name}")

    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection in here would run other people's callbacks
    sys.setprofile(profile)
    try:
        yield seen
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
