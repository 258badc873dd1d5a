"""A peer that takes no data: it is asked once, and whoever waits for a channel hears it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from pystack.errors import Closed, LocalProtocolError
from pystack.peer import NegotiationNeeded, Negotiator, PeerConnection, SessionDescription
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair


async def answer_of(offer: SessionDescription, answerer: PeerConnection) -> SessionDescription:
    await answerer.set_remote_description(offer)
    await answerer.set_local_description()
    assert answerer.local_description is not None
    return answerer.local_description


async def offer_of(connection: PeerConnection) -> SessionDescription:
    await connection.set_local_description()
    assert connection.local_description is not None
    return connection.local_description


def without_data(description: SessionDescription) -> SessionDescription:
    """The same with its sections of data rejected."""
    head, *sections = re.split(r"(?m)^(?=m=)", description.sdp)
    for index, section in enumerate(sections):
        if section.startswith("m=application"):
            mid = re.search(r"a=mid:(\S+)", section)
            assert mid is not None
            head = re.sub(rf"(a=group:BUNDLE.*?) {mid[1]}\b", r"\1", head)
            sections[index] = re.sub(r"^m=application \d+", "m=application 0", section)
    return SessionDescription(description.type, head + "".join(sections))


def without_bundle(description: SessionDescription) -> SessionDescription:
    return SessionDescription(description.type, re.sub(r"a=group:BUNDLE.*\r\n", "", description.sdp))


@pytest.mark.parametrize("refuse", [without_data, without_bundle])
def test_it_is_asked_once_and_whoever_waits_hears_it(refuse: object) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            asked: list[NegotiationNeeded] = []
            one.listen(lambda event: asked.append(event) if isinstance(event, NegotiationNeeded) else None)
            one.add_track("audio")
            chat = one.create_data_channel("chat")
            waiting = asyncio.create_task(chat.wait_open())
            await asyncio.sleep(0.1)
            answer = await answer_of(await offer_of(one), other)
            await one.set_remote_description(refuse(answer))  # type: ignore[operator]
            with pytest.raises(Closed, match="the section of data was rejected"):
                await waiting
            assert (chat.ready_state, one.data_channels) == ("closed", ())
            with pytest.raises(Closed):
                await chat.write("nobody hears this")
            await one.wait_connected(timeout=10)
            await asyncio.sleep(60)
            assert len(asked) == 1

            again = one.create_data_channel("again")  # it is worth asking once more
            await asyncio.sleep(0.1)
            assert len(asked) == 2
            assert "m=application 9" in (await offer_of(one)).sdp
            assert again.ready_state == "connecting"

    run(main())


def test_a_data_section_that_is_rolled_back_is_not_rejected() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            chat = one.create_data_channel("chat")
            await one.set_local_description()
            await one.set_local_description(SessionDescription("rollback"))
            other.add_track("audio")
            await one.set_remote_description(await offer_of(other))  # without data
            await one.set_local_description()
            assert chat.ready_state == "connecting"
            await one.set_local_description(await one.create_offer())

    run(main())


def test_a_data_section_that_is_rejected_later_ends_its_channels_on_both_sides() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.add_track("audio")
            chat = one.create_data_channel("chat")
            await negotiate(one, other)
            await chat.wait_open(timeout=10)
            there = await other.next_data_channel(timeout=10)
            reading = asyncio.create_task(chat.read())
            offer = without_data(await offer_of(other))
            await one.set_remote_description(offer)
            assert chat.ready_state == "open"  # it is only offered
            await one.set_local_description()
            with pytest.raises(Closed, match="rejected"):
                await reading
            with pytest.raises(Closed):
                await there.read(timeout=5)
            assert one.connection_state == other.connection_state == "connected"
            with pytest.raises((Closed, LocalProtocolError)):
                one.create_data_channel("another")

    run(main())


def test_negotiators_do_not_go_round_with_a_peer_that_takes_no_data() -> None:
    class Page:
        """Signalling with a page behind it that answers each offer and takes no data."""

        def __init__(self, behind: PeerConnection) -> None:
            self._behind = behind
            self._answers: asyncio.Queue[str] = asyncio.Queue()
            self.offers = 0

        async def send(self, text: str) -> None:
            message = json.loads(text)
            if "description" in message:
                self.offers += 1
                offer = SessionDescription("offer", message["description"]["sdp"])
                answer = without_data(await answer_of(offer, self._behind))
                self._answers.put_nowait(json.dumps({"description": {"type": "answer", "sdp": answer.sdp}}))

        async def __aiter__(self) -> AsyncIterator[str]:
            while True:
                yield await self._answers.get()

    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.add_track("audio")
            chat = one.create_data_channel("chat")
            page = Page(other)
            negotiating = asyncio.create_task(Negotiator(one, page, polite=True).run())
            with pytest.raises(Closed, match="rejected"):
                await chat.wait_open(timeout=10)
            await asyncio.sleep(60)
            assert page.offers == 1
            negotiating.cancel()

    run(main())
