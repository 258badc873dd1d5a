"""Perfect negotiation over a signalling transport, and two connections introduced to each other in one process."""

from __future__ import annotations

import asyncio
import inspect
import json
import textwrap
from collections.abc import AsyncIterator

import pytest

from pystack.errors import InvalidArgument, LocalProtocolError, RemoteProtocolError
from pystack.peer import Configuration, Negotiator, PeerConnection, SessionDescription, connect
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import peer_pair

LINK = LinkOptions(delay=0.01)


class Line:
    """One end of a line that carries texts in order, 30 ms late."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.other: Line
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._under_way: list[str] = []

    @classmethod
    def pair(cls) -> tuple[Line, Line]:
        one, other = cls(), cls()
        one.other, other.other = other, one
        return one, other

    async def send(self, message: str, /) -> None:
        self.said.append(message)
        self._under_way.append(message)
        asyncio.get_running_loop().call_later(0.03, self._arrive)

    def _arrive(self) -> None:  # timers of one instant go off in any order
        self.other._queue.put_nowait(self._under_way.pop(0))

    def hang_up(self) -> None:
        self._queue.put_nowait(None)

    def hear(self, message: str) -> None:
        self._queue.put_nowait(message)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while (message := await self._queue.get()) is not None:
            yield message


@pytest.mark.parametrize("how", ["implicitly", "explicitly"])
def test_whose_first_offer_is_rolled_back_does_not_control_ice(how: str) -> None:
    """Two that both control have a conflict to resolve in each generation of ICE (RFC 8445 section 6.1.1)."""

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            for each in (one, other):
                each.create_data_channel("x")
                await each.set_local_description()
            assert one.local_description is not None
            assert other.local_description is not None
            if how == "explicitly":
                await one.set_local_description(SessionDescription("rollback", ""))
                assert roles(one) == "unknown"
            await one.set_remote_description(other.local_description)
            await one.set_local_description()
            await other.set_remote_description(one.local_description)
            assert (roles(one), roles(other)) == ("controlled", "controlling")
            await one.wait_connected(timeout=10)
            # Once there is a transport, offers from either side change nothing.
            for here, there in ((one, other), (other, one)):
                await here.set_local_description()
                await here.set_local_description(SessionDescription("rollback", ""))
                await here.set_local_description()
                assert here.local_description is not None
                await there.set_remote_description(here.local_description)
                await there.set_local_description()
                assert there.local_description is not None
                await here.set_remote_description(there.local_description)
                assert (roles(one), roles(other)) == ("controlled", "controlling")

    run(main())


def roles(connection: PeerConnection) -> str:
    return str(connection.get_stats()["T"]["iceRole"])


def test_both_sides_may_want_something_at_once_and_again_later() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            here, there = Line.pair()
            running = [
                asyncio.create_task(Negotiator(one, here, polite=True).run()),
                asyncio.create_task(Negotiator(other, there, polite=False).run()),
            ]
            chat = one.create_data_channel("from the polite")
            voice = other.add_track("audio", track_id="voice")  # in the same turn: both offer
            await chat.wait_open(timeout=10)
            assert (await one.next_track(timeout=10)).receiver.track_id == "voice"
            assert (await other.next_data_channel(timeout=10)).label == "from the polite"
            offers = [json.loads(text)["description"]["type"] for text in here.said + there.said if '"sdp":' in text]
            assert offers.count("offer") >= 3, "there was no glare"
            one.add_track("video", track_id="picture")
            assert (await other.next_track(timeout=10)).receiver.track_id == "picture"
            other.remove_track(voice)
            other.restart_ice()
            await asyncio.sleep(2)
            assert one.transceivers[0].receiver.receiving is False
            assert one.connection_state == other.connection_state == "connected"
            await one.close()
            await asyncio.wait_for(asyncio.gather(*running), 10)  # it ends with the connection

    run(main())


def test_candidates_travel_behind_their_description() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            here, there = Line.pair()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(Negotiator(one, here, polite=True).run())
                tasks.create_task(Negotiator(other, there, polite=False).run())
                await one.create_data_channel("chat").wait_open(timeout=10)
                for said in (here.said, there.said):
                    kinds = [next(iter(json.loads(text))) for text in said]
                    assert kinds[0] == "description"
                    assert kinds[1:].count("candidate") == len(kinds) - 1 >= 2
                    assert json.loads(said[-1]) == {"candidate": None}
                here.hang_up()  # it ends with the signalling, and the call goes on
                there.hang_up()
            assert one.connection_state == "connected"

    run(main())


def test_other_peoples_messages_are_ignored_and_a_useless_description_is_told() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, _):
            here, _ = Line.pair()
            negotiator = Negotiator(one, here, polite=True)
            running = asyncio.create_task(negotiator.run())
            odd = ["", "{}", "[]", "7", '{"chat": "hello"}', '{"description": 5}', '{"candidate": {"candidate": 5}}']
            for message in odd:
                here.hear(message)
            await asyncio.sleep(1)
            assert negotiator.ignored == len(odd)
            here.hear('{"description": {"type": "offer", "sdp": "v=0"}}')
            with pytest.raises(InvalidArgument):
                await running
            assert one.reason is None

    run(main())


def test_a_transport_that_raises_is_told_and_cancelling_leaves_nothing() -> None:
    class Broken(Line):
        async def send(self, message: str, /) -> None:
            raise ConnectionResetError("gone")

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            one.create_data_channel("chat")
            with pytest.raises(ConnectionResetError):
                await Negotiator(one, Broken(), polite=True).run()
            before = asyncio.all_tasks()
            running = asyncio.create_task(Negotiator(other, Line(), polite=True).run())
            await asyncio.sleep(0.1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert asyncio.all_tasks() == before

    run(main())


def test_a_peer_that_asks_without_listening_is_refused_in_the_end() -> None:
    class Deaf(Line):
        async def send(self, message: str, /) -> None:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            deaf = Deaf()
            other.create_data_channel("chat")
            await other.set_local_description()
            assert other.local_description is not None
            for _ in range(300):
                deaf.hear(f'{{"description": {other.local_description.to_json()}}}')
            with pytest.raises(RemoteProtocolError, match="is the other side reading"):
                await Negotiator(one, deaf, polite=True).run()

    run(main())


def test_connect_introduces_two_connections_and_renegotiates() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            with pytest.raises(LocalProtocolError, match="create_data_channel"):
                await connect(one, other)
            chat = one.create_data_channel("chat")
            await connect(one, other)
            assert one.connection_state == other.connection_state == "connected"
            await chat.write("hello")
            assert await (await other.next_data_channel(timeout=5)).read(timeout=5) == "hello"
            other.add_track("audio", track_id="voice")
            await connect(other, one)
            assert (await one.next_track(timeout=5)).receiver.track_id == "voice"
        network = MemoryNetwork(LINK)
        async with peer_pair(network) as (one, other):
            one.create_data_channel("chat")
            network.black_hole()
            with pytest.raises(TimeoutError):
                await connect(one, other, timeout=3)

    run(main())


def test_connect_needs_a_loop_only() -> None:
    async def main() -> str | bytes:
        async with (
            PeerConnection(Configuration(loopback=True)) as one,
            PeerConnection(Configuration(loopback=True)) as other,
        ):
            chat = one.create_data_channel("chat")
            await connect(one, other)
            await chat.write("over real sockets")
            return await (await other.next_data_channel(timeout=5)).read(timeout=5)

    assert asyncio.run(main()) == "over real sockets"


def test_the_usage_in_the_docstring_ends_by_itself() -> None:
    """A group inside the connection's block waited for a negotiator that waited for the connection."""
    told = inspect.getdoc(Negotiator) or ""
    usage = told.partition("Usage::")[2].partition("\nThe group")[0]
    assert "async with" in usage

    async def main() -> None:
        network = MemoryNetwork(LINK)

        def fresh() -> PeerConnection:
            return PeerConnection(Configuration(mux=network))

        async def side(line: Line, *, polite: bool) -> None:
            names = {"asyncio": asyncio, "Negotiator": Negotiator, "PeerConnection": fresh, "websocket": line}
            code = textwrap.dedent(usage).replace("polite=True", f"polite={polite}")
            exec("async def use():\n" + textwrap.indent(code, "    "), names)
            await names["use"]()  # type: ignore[operator]

        here, there = Line.pair()
        await asyncio.wait_for(asyncio.gather(side(here, polite=True), side(there, polite=False)), 60)

    run(main())
