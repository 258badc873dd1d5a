"""The downlinks of a room in virtual time: how they begin, and that an end is an end (requirements row 11)."""

import asyncio

import pytest

from pystack.rtp import Congestion
from pystack.testing.loop import run
from sfu.media import BEST
from sfu.server.regulator import Regulator

FREE = Congestion(state="none", capacity_bps=600_000.0)
FULL = Congestion(state="congested", capacity_bps=600_000.0)


class Flow:
    """A camera of three layers; calls ``on_pad`` for each padding."""

    key = "camera"
    priority = 0

    def __init__(self):
        self.limited = BEST
        self.pads = 0
        self.on_pad = lambda: None

    def costs(self, now):
        return (150_000.0, 400_000.0, 1_200_000.0)

    def limit(self, layer, now):
        self.limited = layer

    def pad(self, octets):
        self.pads += 1
        self.on_pad()
        return octets


class Room:
    """One subscriber, in the place of a route table and a path."""

    def __init__(self):
        self.flow = Flow()
        self.congestion = FREE
        self.regulator = Regulator(self, lambda subscriber: self.congestion if subscriber == "PA_1" else None)

    def flows(self, subscriber):
        return [self.flow] if subscriber == "PA_1" else []

    async def probing(self):
        """Until padding goes."""
        while not self.flow.pads:  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(0.01)


def timers():
    return [each for each in asyncio.get_running_loop()._scheduled if not each.cancelled()]


def test_a_full_path_is_limited_at_once_and_freed_after_a_probe():
    async def main():
        room = Room()
        room.regulator.changed("PA_1", Congestion(state="early-warning"))
        assert (room.flow.limited, timers()) == (BEST, []), "a warning is no reason yet"
        room.regulator.changed("PA_1", FULL)
        assert room.flow.limited == 1
        assert room.regulator.stats("PA_1")["takes_bps"] == 540_000
        await asyncio.sleep(2.9)
        assert room.flow.pads == 0
        await asyncio.sleep(2.0)
        assert room.flow.pads == pytest.approx(30, abs=3), "every 20 ms for 0.6 s"
        assert room.flow.limited == BEST
        await asyncio.sleep(5.0)
        assert room.regulator.stats("PA_1")["takes_bps"] is None
        assert timers() == [], "nothing is looked at any more"

    run(main())


@pytest.mark.parametrize("end", ["close", "forget"])
def test_ac11_2_after_an_end_no_padding_goes_and_no_timer_stays(end):
    async def main():
        room = Room()
        room.regulator.changed("PA_1", FULL)
        await room.probing()
        if end == "close":
            room.regulator.close()
            assert timers() == [], "AC11.6"
        else:
            room.regulator.forget("PA_1")
        pads = room.flow.pads
        await asyncio.sleep(10.0)
        assert room.flow.pads == pads
        assert timers() == []

    run(main())


def test_ac11_1_and_ac11_3_an_end_may_come_twice_and_without_a_beginning():
    async def main():
        room = Room()
        room.regulator.close()
        room.regulator.close()
        room.regulator.forget("PA_1")
        assert room.flow.pads == 0
        assert room.regulator.stats("PA_2") == {"congestion": "none", "takes_bps": None}

    run(main())


def test_ac11_4_a_probe_that_congestion_ended_may_be_ended_again():
    async def main():
        room = Room()
        room.regulator.changed("PA_1", FULL)
        await room.probing()
        room.congestion = FULL
        room.regulator.changed("PA_1", FULL)
        assert room.regulator.stats("PA_1")["failed_probes"] == 1
        room.regulator.forget("PA_1")
        room.regulator.close()

    run(main())


@pytest.mark.parametrize("end", ["close", "forget"])
def test_ac11_5_an_end_from_inside_a_probe_does_not_wait_for_itself(end):
    async def main():
        room = Room()
        room.flow.on_pad = room.regulator.close if end == "close" else lambda: room.regulator.forget("PA_1")
        room.regulator.changed("PA_1", FULL)
        await room.probing()
        pads = room.flow.pads
        await asyncio.sleep(10.0)
        assert room.flow.pads == pads
        assert timers() == []

    run(main())


def test_who_has_left_meanwhile_is_not_looked_at():
    async def main():
        room = Room()
        room.regulator.changed("PA_1", FULL)
        room.congestion = None
        await asyncio.sleep(10.0)
        assert room.flow.pads == 0
        room.regulator.close()

    run(main())
