"""Each law can fail: a small honest core passes all of them, and each broken one is caught by its own law."""

import logging
import random
import time
from collections.abc import Callable
from math import inf
from typing import ClassVar

import pytest
from hypothesis import Phase

from pystack.base import Ended, SeededRandomness, TimerSet
from pystack.errors import LOCAL, Closed, PeerClosed
from pystack.testing.laws import Command, CoreLaws, LawBroken, Scenario, Side
from pystack.testing.strategies import payloads

LIMIT = 64


class Talker:
    """Sends numbered messages until each is acknowledged: the least that has timers, an end and a limit."""

    def __init__(self, randomness: SeededRandomness) -> None:
        self.tag = randomness.token(2)
        self.timers = TimerSet()
        self.sent = 0
        self.heard = 0
        self.ended = False
        self.waiting: dict[int, bytes] = {}
        self.out: list[bytes] = []
        self.events: list[object] = []
        self.other: Talker | None = None

    @property
    def deadline(self) -> float:
        return self.timers.deadline

    def send(self, data: bytes, now: float) -> None:
        if self.ended:
            raise Closed.because("talker", LOCAL)
        packet = b"M" + self.tag + bytes([self.sent % 256]) + data[: LIMIT - 4]
        self.waiting[self.sent % 256] = packet
        self.sent += 1
        self.out.append(packet)
        self.timers.set("again", now + 1.0)

    def abort(self, now: float) -> None:
        if not self.ended:
            self._end(LOCAL)
            self.out.append(b"X")

    def receive(self, data: bytes, now: float) -> None:
        if self.ended or not data:
            return
        match data[:1]:
            case b"M" if len(data) >= 4:
                self.heard += 1
                self.events.append(("heard", data[4:]))
                self.out.append(b"A" + data[3:4])
            case b"A" if len(data) == 2:
                self.waiting.pop(data[1], None)
                if not self.waiting:
                    self.timers.cancel("again")
            case b"X" if len(data) == 1:
                self._end(PeerClosed("bye"))

    def _end(self, reason: object) -> None:
        self.ended = True
        self.out.clear()
        self.timers.clear()
        self.events.append(Ended(reason))  # type: ignore[arg-type]

    def tick(self, now: float) -> None:
        for _ in self.timers.expired(now):
            self.out.extend(self.waiting.values())
            self.timers.set("again", now + 1.0)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        count = len(self.out) if limit == inf else int(limit)
        out, self.out = self.out[:count], self.out[count:]
        return out

    def take_events(self) -> list[object]:
        events, self.events = self.events, []
        return events


class Laws(CoreLaws):
    examples = 25
    kind: type[Talker] = Talker

    def make(self, seed: int) -> Scenario:
        a, b = (self.kind(SeededRandomness(f"{seed}{name}")) for name in "ab")
        a.other, b.other = b, a
        a.send(b"first", 1000.0)
        return Scenario(
            sides=[Side("a", a, limit=LIMIT), Side("b", b, limit=LIMIT)],
            commands=[
                Command("send", lambda core, data, now: core.send(data, now), payloads(100)),
                Command("abort", lambda core, _, now: core.abort(now), sides=(1,)),
            ],
            end=lambda core, now: core.abort(now),
            memory=64 * 1024,
        )


class TestTalkerLaws(Laws):
    pass


class ReadsTheClock(Talker):
    def tick(self, now: float) -> None:
        super().tick(min(now, now + 0 * time.monotonic()))


class DrawsForItself(Talker):
    def receive(self, data: bytes, now: float) -> None:
        super().receive(data, now + 0 * random.random())


class Logs(Talker):
    def receive(self, data: bytes, now: float) -> None:
        logging.getLogger("talker").debug("got %d", len(data))
        super().receive(data, now)


class CallsTheOther(Talker):
    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        out = super().flush(now, limit)
        if self.other is not None and self.heard:
            self.other.take_events()
        return out


class NeedsADrain(Talker):
    def send(self, data: bytes, now: float) -> None:
        assert len(self.out) < 3, "flush first"
        super().send(data, now)


class DripsForever(Talker):
    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        return super().flush(now, min(limit, 1.0))


class NeverDry(Talker):
    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        return super().flush(now, limit) or ([b"M___"] * int(limit) if limit < inf and self.heard else [])


class EarlyTickSends(Talker):
    def tick(self, now: float) -> None:
        if now < self.deadline < inf:
            self.out.extend(self.waiting.values())
        super().tick(now)


class EarlyTickDelays(Talker):
    def tick(self, now: float) -> None:
        if now < self.deadline < inf:
            self.timers.set("again", now + 1.0)
        super().tick(now)


class SpinsOnTheDeadline(Talker):
    def tick(self, now: float) -> None:
        for _ in self.timers.expired(now):
            self.out.extend(self.waiting.values())
            self.timers.set("again", now)


class EndsTwice(Talker):
    def abort(self, now: float) -> None:
        self._end(LOCAL)


class EndsSilently(Talker):
    def _end(self, reason: object) -> None:
        super()._end(reason)
        self.events.pop()


class TalksAfterTheEnd(Talker):
    def receive(self, data: bytes, now: float) -> None:
        if self.ended and data:
            self.out.append(b"X")
        super().receive(data, now)


class TicksAfterTheEnd(Talker):
    def _end(self, reason: object) -> None:
        super()._end(reason)
        self.timers.set("again", 2000.0)


class AnswersAfterEnded(Talker):
    def receive(self, data: bytes, now: float) -> None:
        if self.ended:
            self.events.append("late")
        super().receive(data, now)


class TooLarge(Talker):
    def send(self, data: bytes, now: float) -> None:
        super().send(data, now)
        self.out.append(b"M" + self.tag + b"\0" + data)


class Unseeded(Talker):
    def __init__(self, randomness: SeededRandomness) -> None:
        super().__init__(randomness)
        self.tag = random.randbytes(2)


class SharesState(Talker):
    everybody: ClassVar[list[int]] = []

    def tick(self, now: float) -> None:
        super().tick(now)
        self.everybody.append(1)
        self.out.append(b"M" + len(self.everybody).to_bytes(3, "big"))


class RaisesOnBytes(Talker):
    def receive(self, data: bytes, now: float) -> None:
        super().receive(data, now)
        if len(data) > 2 and data[0] > 0x80:
            raise IndexError("short")


class KeepsEverything(Talker):
    def __init__(self, randomness: SeededRandomness) -> None:
        super().__init__(randomness)
        self.kept: list[bytes] = []

    def receive(self, data: bytes, now: float) -> None:
        self.kept.append(data)
        super().receive(data, now)


TESTS: dict[int, list[Callable[[Laws], None]]] = {
    1: [Laws.test_law_1_calls_nothing_that_it_does_not_own],
    2: [Laws.test_law_2_inputs_and_commands_in_any_order],
    3: [Laws.test_law_3_flush_runs_dry_and_an_early_tick_changes_nothing],
    4: [Laws.test_law_4_a_due_tick_moves_the_deadline_on],
    5: [Laws.test_law_5_one_end_then_silence],
    6: [Laws.test_law_6_no_datagram_above_its_limit],
    7: [Laws.test_law_7_same_inputs_same_bytes],
    8: [Laws.test_law_8_arbitrary_bytes, Laws.test_law_8_bounded_memory],
}


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (1, ReadsTheClock),
        (1, DrawsForItself),
        (1, Logs),
        (1, CallsTheOther),
        (2, NeedsADrain),
        (3, DripsForever),
        (3, NeverDry),
        (3, EarlyTickSends),
        (3, EarlyTickDelays),
        (4, SpinsOnTheDeadline),
        (5, EndsTwice),
        (5, EndsSilently),
        (5, TalksAfterTheEnd),
        (5, TicksAfterTheEnd),
        (5, AnswersAfterEnded),
        (6, TooLarge),
        (7, Unseeded),
        (7, SharesState),
        (8, RaisesOnBytes),
        (8, KeepsEverything),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"law{value}",
)
def test_a_broken_core_is_caught(law: int, broken: type[Talker]) -> None:
    laws = type(f"Laws{broken.__name__}", (Laws,), {"kind": broken, "phases": (Phase.generate,)})()
    caught = None
    for test in TESTS[law]:
        try:
            test(laws)
        except LawBroken as error:
            caught = error
    assert caught is not None, f"law {law} did not notice {broken.__name__}"
    assert caught.law == law
    assert str(caught).startswith(f"law {law}: ")
