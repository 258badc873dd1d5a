"""The driver and its timer: when it pumps, what a full path does, and that it ends."""

import asyncio
from math import inf

import pytest

from pystack.aio import Driver, LazyTimer
from pystack.base import Ended
from pystack.errors import LOCAL
from pystack.testing import run


class Counting:
    """A core that says each thing that it was told, and something at its deadline."""

    def __init__(self):
        self.deadline = inf
        self.out = []
        self.events = []
        self.flushes = 0
        self.ticks = []

    def receive(self, data, now):
        self.events.append(data)

    def tick(self, now):
        if now >= self.deadline:
            self.ticks.append(now)
            self.deadline = inf

    def flush(self, now, limit=inf):
        self.flushes += 1
        count = int(min(limit, len(self.out)))
        out, self.out = self.out[:count], self.out[count:]
        return out

    def take_events(self):
        events, self.events = self.events, []
        return events


class Narrow:
    """A path that takes so many datagrams before it is full."""

    def __init__(self, room=10**6):
        self.room = room
        self.sent = []
        self.on_datagrams = self.on_writable = None

    @property
    def writable(self):
        return self.room > 0

    def send(self, batch):
        taken = min(self.room, len(batch))
        self.sent += batch[:taken]
        self.room -= taken
        return taken


def scene(room=10**6):
    core, path, heard = Counting(), Narrow(room), []
    return core, path, heard, Driver(core, path, heard.append)


@pytest.mark.parametrize("member", ["receive", "tick", "flush", "take_events", "deadline"])
def test_a_core_that_raises_ends_at_once_and_is_reported(member):
    """Law 8 forbids it; who waits must not pay for a bug by waiting for ever."""

    class Broken(Counting):
        broken = False

        def __getattribute__(self, name):
            if name == member and object.__getattribute__(self, "broken"):
                if name == "deadline":
                    raise ZeroDivisionError

                def raising(*_):
                    raise ZeroDivisionError

                return raising
            return object.__getattribute__(self, name)

    async def main():
        loop, reported, failures = asyncio.get_running_loop(), [], []
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        core, path = Broken(), Narrow()
        driver = Driver(core, path, lambda event: None, on_failure=failures.append)
        core.deadline = loop.time() + 1
        driver.pump()
        core.broken = True
        if member == "tick":
            await asyncio.sleep(2)
        else:
            path.on_datagrams([b"x"], loop.time())
        assert [type(error) for error in reported] == [ZeroDivisionError]
        assert failures == reported
        assert driver.ended
        path.on_datagrams([b"x"], loop.time())
        await asyncio.sleep(10)
        assert len(reported) == 1

    run(main())


def test_a_deadline_that_stands_still_is_a_bug_of_the_core():
    class Stuck(Counting):
        def tick(self, now):
            self.ticks.append(now)

    async def main():
        loop, reported, failures = asyncio.get_running_loop(), [], []
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        core = Stuck()
        core.deadline = loop.time() + 1
        driver = Driver(core, Narrow(), print, on_failure=failures.append)
        driver.pump()
        await asyncio.sleep(10)
        assert len(core.ticks) == 1
        assert failures == reported
        assert "did not move on" in str(failures[0])
        assert driver.ended

    run(main())


def test_what_arrives_together_is_pumped_once():
    async def main():
        core, path, heard, driver = scene()
        core.out = [b"x"]
        path.on_datagrams([b"1", b"2", b"3"], driver.now())
        assert heard == [b"1", b"2", b"3"]
        assert path.sent == [b"x"]
        assert core.flushes == 2  # less than was asked for is dry; one more after the events

    run(main())


def test_many_commands_in_one_turn_share_a_pump():
    async def main():
        core, path, _, driver = scene()
        for number in range(5):
            core.out.append(bytes([number]))
            driver.soon()
        assert path.sent == []
        await asyncio.sleep(0)
        assert len(path.sent) == 5
        assert core.flushes == 1

    run(main())


def test_a_full_path_leaves_the_rest_in_the_core_and_in_order():
    async def main():
        core, path, _, driver = scene(room=3)
        core.out = [bytes([number]) for number in range(200)]
        driver.pump()
        assert len(path.sent) == 3
        assert len(core.out) == 200 - 64
        flushes = core.flushes
        driver.pump()
        assert core.flushes == flushes  # not asked while the path is full
        path.room = 100
        path.on_writable()
        path.room = 10**6
        path.on_writable()
        assert path.sent == [bytes([number]) for number in range(200)]

    run(main())


def test_a_command_from_inside_an_event_gets_another_round():
    async def main():
        core, path = Counting(), Narrow()

        def on_event(event):
            if event == b"question":
                core.out.append(b"answer")
                driver.pump()

        driver = Driver(core, path, on_event)
        path.on_datagrams([b"question"], driver.now())
        assert path.sent == [b"answer"]

    run(main())


def test_a_raising_callback_is_reported_and_stops_nothing():
    async def main():
        core, path = Counting(), Narrow()
        heard = []

        def on_event(event):
            heard.append(event)
            raise ValueError(event)

        driver = Driver(core, path, on_event)
        path.on_datagrams([b"1", b"2"], driver.now())
        assert heard == [b"1", b"2"]

    with pytest.raises(ExceptionGroup):
        run(main())


def test_the_farewell_goes_out_and_then_nothing():
    async def main():
        core, path, heard, driver = scene()
        core.events = [Ended(LOCAL), "never"]
        core.deadline = driver.now() + 1
        core.out = [b"farewell"]
        driver.soon()
        driver.pump()
        assert heard == [Ended(LOCAL)]
        assert path.sent == [b"farewell"]
        assert driver.ended
        driver.pump()
        driver.soon()
        driver.receive([b"late"], 0.0)
        path.on_datagrams([b"late"], 0.0)
        await asyncio.sleep(5)
        assert core.ticks == []
        assert heard == [Ended(LOCAL)]

    run(main())


def test_the_timer_ticks_the_core_at_its_deadline():
    async def main():
        core, _, _, driver = scene()
        core.deadline = driver.now() + 3
        driver.pump()
        await asyncio.sleep(1)
        core.deadline = driver.now() + 7
        driver.pump()
        await asyncio.sleep(20)
        assert core.ticks == [pytest.approx(driver.now() - 13)]

    run(main())


def test_a_core_whose_deadline_stands_still_does_not_spin_the_loop():
    class Broken(Counting):
        def tick(self, now):
            self.ticks.append(now)

    async def main():
        core = Broken()
        driver = Driver(core, Narrow(), print)
        core.deadline = driver.now() + 1
        driver.pump()
        await asyncio.sleep(5)
        assert len(core.ticks) == 1

    with pytest.raises(ExceptionGroup):
        run(main())


def test_later_deadlines_leave_the_armed_handle_alone():
    async def main():
        loop = asyncio.get_running_loop()
        fired = []
        timer = LazyTimer(loop, fired.append)
        start = loop.time()
        armed = []
        call_at = loop.call_at
        loop.call_at = lambda when, *rest, **more: armed.append(when) or call_at(when, *rest, **more)
        for step in range(1, 1000):
            timer.set(start + 1 + step)
        assert len(armed) == 1
        timer.set(start + 0.5)
        assert len(armed) == 2
        timer.set(start + 3)
        loop.call_at = call_at
        await asyncio.sleep(2.9)
        assert fired == []
        await asyncio.sleep(1)
        assert fired == [pytest.approx(start + 3)]
        timer.set(start + 10)
        timer.set(inf)
        await asyncio.sleep(20)
        timer.set(loop.time() + 1)
        timer.close()
        timer.set(loop.time() + 1)
        await asyncio.sleep(20)
        assert len(fired) == 1

    run(main())
