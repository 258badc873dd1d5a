"""The laws on cores that speak in paths, on a core alone, and what they look at events with."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from math import inf

import attrs
import pytest
from hypothesis import Phase

from pystack.base import Ended
from pystack.errors import LOCAL, LocalProtocolError, TransportLost
from pystack.testing.laws import Command, CoreLaws, LawBroken, Scenario, Side, footprint, plain
from pystack.testing.strategies import payloads


class Mirror:
    """Sends back whatever comes, on the path on which it came; forgets nothing but is told to stop."""

    def __init__(self) -> None:
        self.deadline = inf
        self.out: list[tuple[bytes, Hashable]] = []
        self.events: list[object] = []
        self.over = False

    def say(self, data: bytes, path: Hashable) -> None:
        if self.over:
            raise LocalProtocolError("say", "ENDED")
        self.out.append((data[:100], path))

    def abort(self) -> None:
        if not self.over:
            self.over = True
            self.out.clear()
            self.events.append(Ended(LOCAL))

    def receive(self, data: bytes, path: Hashable, now: float) -> None:
        if not self.over and data[:1] == b"?" and len(self.out) < 50:
            self.out.append((b"!" + data[1:99], path))

    def tick(self, now: float) -> None:
        pass

    def flush(self, now: float, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        count = len(self.out) if limit == inf else int(limit)
        out, self.out = self.out[:count], self.out[count:]
        return out

    def take_events(self) -> list[object]:
        events, self.events = self.events, []
        return events


class FlushesTooMany(Mirror):
    def flush(self, now: float, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        return super().flush(now)


class NotBytes(Mirror):
    def flush(self, now: float, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        return [(bytearray(data), path) for data, path in super().flush(now, limit)]  # type: ignore[misc]


class ForgetsToEnd(Mirror):
    def abort(self) -> None:
        pass


class Laws(CoreLaws):
    examples = 15
    kind: type[Mirror] = Mirror
    phases = (Phase.generate,)

    def make(self, seed: int) -> Scenario:
        a, b = self.kind(), self.kind()
        for number in range(3):
            a.say(b"?%d" % number, "to b")
        return Scenario(
            sides=[Side("a", a, limit=100, path="from b"), Side("b", b, limit=100, path="from a")],
            commands=[
                Command("say", lambda core, data, now: core.say(data, "somewhere"), payloads(200)),
                Command("question", lambda core, _, now: core.say(b"?", "to b"), sides=(0,)),
            ],
            end=lambda core, now: core.abort(),
            carry=lambda side, path: f"from {'ab'[side]}",
        )


class TestMirrorLaws(Laws):
    pass


class TestMirrorAloneLaws(Laws):
    def make(self, seed: int) -> Scenario:
        return attrs.evolve(
            super().make(seed), sides=[Side("a", Mirror(), limit=100, path="from b")], end=None, carry=None
        )


@pytest.mark.parametrize(
    ("law", "kind"),
    [(3, FlushesTooMany), (5, ForgetsToEnd), (7, NotBytes)],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value),
)
def test_a_broken_path_core_is_caught(law: int, kind: type[Mirror]) -> None:
    laws = type("Broken", (Laws,), {"kind": kind, "examples": 200})()  # which ones are drawn changes with the sources
    test = next(getattr(laws, name) for name in dir(laws) if name.startswith(f"test_law_{law}_"))
    with pytest.raises(LawBroken) as caught:
        test()
    assert caught.value.law == law


def test_a_subclass_must_make_something() -> None:
    with pytest.raises(NotImplementedError):
        CoreLaws().make(0)


class Colour(Enum):
    RED = 1


@attrs.frozen
class Event:
    what: object


class Plain:
    def __init__(self) -> None:
        self.inside = TransportLost("gone")


class Slotted:
    __slots__ = ("one", "unset")

    def __init__(self) -> None:
        self.one = 1


def test_events_compare_by_content() -> None:
    def event() -> Event:
        inside = [TransportLost("gone", cause=TransportLost("below")), Colour.RED, {"a": Plain()}, Slotted(), {1}]
        return Event(inside)

    assert event() != event()
    assert plain(event()) == plain(event())
    assert plain(Event(TransportLost("a"))) != plain(Event(TransportLost("b")))
    assert plain(Slotted()) == ("Slotted", (("one", 1), ("unset", None)))


def test_a_footprint_counts_what_is_reachable_once() -> None:
    shared = bytes(10_000)
    assert 10_000 < footprint([shared, shared]) < 12_000
    assert footprint([bytes(10_000), bytes(10_001)]) > 20_000
    assert footprint([Plain, footprint, Colour.RED]) < 500
