"""Transceivers through descriptions, roll-backs and stops: what goes where, and what is left (W3C 4.4.1.5, 5.1)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import Closed, InvalidArgument, LocalProtocolError
from pystack.peer import (
    Configuration,
    NegotiationNeeded,
    PeerConnection,
    PeerEvent,
    SessionDescription,
    TrackAdded,
    TrackRemoved,
)
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CONFIGURATION = Configuration(certificate=Certificate.generate(1.7e9))
ROLLBACK = SessionDescription("rollback", "")


class Told:
    """What a connection told since it was asked last."""

    def __init__(self, connection: PeerConnection) -> None:
        self._heard: list[PeerEvent] = []
        connection.listen(self._heard.append)
        self._heard.clear()  # what was kept from before

    async def take(self, kind: type[PeerEvent]) -> list[Any]:
        for _ in range(10):
            await asyncio.sleep(0)
        found = [event for event in self._heard if isinstance(event, kind)]
        self._heard.clear()
        return found


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[PeerConnection, PeerConnection]]:
    async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
        yield one, other


async def offered(offerer: PeerConnection, answerer: PeerConnection) -> SessionDescription:
    """An offer, applied on both sides."""
    offer = await offerer.create_offer()
    await offerer.set_local_description(offer)
    await answerer.set_remote_description(offer)
    return offer


async def answered(offerer: PeerConnection, answerer: PeerConnection) -> None:
    answer = await answerer.create_answer()
    await answerer.set_local_description(answer)
    await offerer.set_remote_description(answer)


def lines(description: SessionDescription | None) -> list[str]:
    """The m-lines: kind, and ``0`` where it is rejected."""
    assert description is not None
    return [f"{kind} {port}" for kind, port in re.findall(r"m=(\w+) (\d)", description.sdp)]


def directions(connection: PeerConnection) -> list[tuple[str, str | None]]:
    return [(each.direction, each.current_direction) for each in connection.transceivers]


# ---- add_track and remove_track


def test_a_track_takes_the_section_that_the_peer_brought_and_an_unused_one_of_ours() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_transceiver("audio")
            mine = other.add_transceiver("audio")
            assert other.add_track("audio") is mine.sender
            await offered(one, other)
            assert other.transceivers == (mine,), "add_track makes it fit for what is offered"
            await answered(one, other)
            assert directions(other) == [("sendrecv", "sendrecv")]
            one.add_transceiver("video", direction="sendonly")
            await offered(one, other)
            assert other.add_track("video") is other.transceivers[1].sender
            assert other.transceivers[1].direction == "sendrecv"
            silent = other.add_transceiver("audio", direction="inactive")
            assert other.add_track("audio") is silent.sender
            assert silent.direction == "sendonly"

    run(main())


def test_without_add_track_no_transceiver_of_ours_takes_what_is_offered() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_transceiver("audio")
            mine = other.add_transceiver("audio", track_id="named")
            told = Told(other)
            await offered(one, other)
            assert [event.transceiver for event in await told.take(TrackAdded)] == [other.transceivers[1]]
            assert mine.mid is None

    run(main())


def test_a_section_that_sent_once_is_not_given_to_another_track() -> None:
    """The peer would take it for the same track (W3C: "the sender has never been used to send")."""

    async def main() -> None:
        async with pair() as (one, other):
            first = one.add_track("audio", track_id="first")
            await negotiate(one, other)
            one.remove_track(first)
            one.add_track("audio", track_id="second")
            assert [each.direction for each in one.transceivers] == ["recvonly", "sendrecv"]
            await negotiate(one, other)
            assert [each.current_direction for each in other.transceivers] == ["inactive", "recvonly"]

    run(main())


def test_tracks_can_be_added_and_removed_between_descriptions_and_from_what_was_stopped() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            transceiver = one.add_transceiver("audio")
            for _ in range(2):
                one.remove_track(one.add_track("audio"))
                await one.set_local_description(await one.create_offer())
            assert one.transceivers == (transceiver,)
            await other.set_remote_description(one.local_description)  # type: ignore[arg-type]
            await answered(one, other)
            transceiver.stop()
            one.remove_track(transceiver.sender)
            await negotiate(one, other)
            one.remove_track(transceiver.sender)
            with pytest.raises(InvalidArgument, match="another connection"):
                one.remove_track(other.add_track("video"))

    run(main())


def test_another_name_asks_for_a_negotiation() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            sender = one.add_track("audio", track_id="t", stream_ids=["a"])
            await negotiate(one, other)
            told = Told(one)
            await told.take(NegotiationNeeded)
            sender.set_track("t", ["a"])
            assert not await told.take(NegotiationNeeded)
            sender.set_track("t", ["b"])
            assert len(await told.take(NegotiationNeeded)) == 1
            await negotiate(one, other)
            assert other.transceivers[0].receiver.stream_ids == ("b",)

    run(main())


def test_a_track_that_comes_back_to_its_section_is_not_deaf_and_blind_to_browsers() -> None:
    """They play nothing under an SSRC that said BYE."""

    async def main() -> None:
        async with pair() as (one, other):
            transceiver = one.add_transceiver("video", direction="sendonly", track_id="t")
            sender, seen = transceiver.sender, set[int]()
            for turn in range(1, 4):
                transceiver.direction = "sendonly"
                sender.set_track("t")
                await negotiate(one, other)
                assert sender.sending
                assert f"a=ssrc:{sender.ssrc} " in one.local_description.sdp
                before = sender.ssrc
                await negotiate(one, other)
                assert sender.ssrc == before, "while it flows it stays what it is"
                seen |= {sender.ssrc, sender.rtx_ssrc}
                assert len(seen) == 2 * turn
                transceiver.direction = "inactive"
                await negotiate(one, other)
                assert not sender.sending

    run(main())


# ---- roll-backs


def test_a_rolled_back_offer_takes_what_it_brought_unless_add_track_chose_it() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio", stream_ids=["s"])
            offer = await one.create_offer()
            told = Told(other)
            await other.set_remote_description(offer)
            brought = other.transceivers[0]
            await other.set_remote_description(ROLLBACK)
            assert other.transceivers == ()
            assert (brought.stopped, brought.mid, brought.current_direction) == (True, None, None)
            with pytest.raises(Closed):
                await brought.receiver.read()
            assert len(await told.take(TrackRemoved)) == 1

            await other.set_remote_description(offer)
            other.transceivers[0].direction = "sendrecv"
            other.transceivers[0].sender.set_track("named")
            await other.set_remote_description(ROLLBACK)
            assert other.transceivers == (), "neither a name nor a direction keeps it"

            await other.set_remote_description(offer)
            sender = other.add_track("audio", track_id="mine")
            await other.set_remote_description(ROLLBACK)
            (kept,) = other.transceivers
            assert (kept.sender, kept.mid, kept.direction, kept.stopped) == (sender, None, "sendrecv", False)
            await one.set_local_description(offer)
            await other.set_remote_description(offer)
            assert other.transceivers == (kept,)
            await answered(one, other)
            assert one.transceivers[0].receiver.track_id == "mine"

    run(main())


def test_a_track_that_a_rolled_back_offer_took_away_comes_back() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio")
            await negotiate(one, other)
            told = Told(other)
            one.transceivers[0].direction = "recvonly"
            await other.set_remote_description(await one.create_offer())
            assert len(await told.take(TrackRemoved)) == 1
            await other.set_remote_description(ROLLBACK)
            assert len(await told.take(TrackAdded)) == 1

    run(main())


def test_a_roll_back_undoes_no_wish_and_no_stop_and_keeps_nothing() -> None:
    async def main() -> None:
        async with pair() as (one, _):
            transceiver = one.add_transceiver("audio", track_id="t")
            await one.set_local_description()
            transceiver.direction = "sendonly"
            transceiver.sender.set_track("other")
            await one.set_local_description(ROLLBACK)
            assert (transceiver.direction, transceiver.mid, transceiver.sender.track_id) == ("sendonly", None, "other")
            await one.set_local_description()
            transceiver.stop()
            await one.set_local_description(ROLLBACK)
            assert transceiver.stopped
            assert one.transceivers == ()

    run(main())


# ---- stops


@pytest.mark.parametrize(
    ("who", "moment"),
    [("offerer", moment) for moment in ("offer made", "offer applied", "offer taken", "answer made", "answer applied")]
    + [("answerer", moment) for moment in ("offer taken", "answer made", "answer applied")],
)
def test_a_stop_at_any_moment_ends_in_a_rejected_section(who: str, moment: str) -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio")
            other.add_track("audio")
            stopping = one if who == "offerer" else other
            (transceiver,) = stopping.transceivers

            def now(this: str) -> None:
                if this == moment:
                    transceiver.stop()

            offer = await one.create_offer()
            now("offer made")
            await one.set_local_description(offer)
            now("offer applied")
            await other.set_remote_description(offer)
            now("offer taken")
            answer = await other.create_answer()
            now("answer made")
            await other.set_local_description(answer)
            told = Told(stopping)
            await one.set_remote_description(answer)
            now("answer applied")
            rejected = lines(answer) == ["audio 0"]
            assert rejected == (who == "answerer" and moment == "offer taken")
            needed = await told.take(NegotiationNeeded)
            assert bool(needed) == (not rejected), "what is not agreed yet is asked for, once"
            for _ in range(2):
                await negotiate(one, other)
            assert one.transceivers == other.transceivers == ()
            assert not await told.take(NegotiationNeeded)

    run(main())


def test_what_the_peer_stops_is_stopped_with_its_offer_also_if_that_is_rolled_back() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio")
            await negotiate(one, other)
            (theirs,) = other.transceivers
            reading = asyncio.create_task(theirs.receiver.read())
            one.transceivers[0].stop()
            await other.set_remote_description(await one.create_offer())
            await asyncio.sleep(0)
            assert isinstance(reading.exception(), Closed)
            assert (theirs.stopped, theirs.current_direction) == (True, None)
            told = Told(other)
            await other.set_remote_description(ROLLBACK)
            assert theirs.stopped
            assert not await told.take(TrackAdded)
            await negotiate(other, one)
            assert one.transceivers == other.transceivers == ()

    run(main())


def test_a_stopped_transceiver_and_one_of_a_closed_connection_take_no_wishes() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            for connection in (one, other):
                connection.add_track("audio")
            await negotiate(one, other)
            (mine,), (theirs,) = one.transceivers, other.transceivers
            mine.stop()
            await other.close()
            assert (theirs.stopped, theirs.current_direction) == (True, None)
            for each in (mine, theirs):
                with pytest.raises(Closed, match="audio transceiver"):
                    each.direction = "inactive"
                with pytest.raises(Closed, match="audio transceiver"):
                    each.set_codec_preferences([])
                each.stop()

    run(main())


# ---- the section that owns the transport


def unnamed(description: SessionDescription | None) -> SessionDescription:
    """A description as of a peer that does not name its association."""
    assert description is not None
    return SessionDescription(description.type, re.sub(r"a=tls-id:.*\r\n", "", description.sdp))


async def exchange(offerer: PeerConnection, answerer: PeerConnection) -> None:
    """Negotiate as with a browser, which does not name its DTLS association."""
    await offerer.set_local_description()
    await answerer.set_remote_description(unnamed(offerer.local_description))
    await answerer.set_local_description()
    await offerer.set_remote_description(unnamed(answerer.local_description))


@pytest.mark.parametrize("who", ["offerer", "answerer"])
def test_the_owner_of_the_transport_stays_without_media_where_the_peer_would_take_the_transport_down(who: str) -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio")
            video = one.add_track("video")
            await exchange(one, other)
            stopping, peer = (one, other) if who == "offerer" else (other, one)
            stopped = stopping.transceivers[0]
            stopped.stop()
            told = Told(stopping)
            for _ in range(2):
                await exchange(one, other)
                assert lines(one.local_description) == lines(other.local_description) == ["audio 9", "video 9"]
                assert [each.kind for each in stopping.transceivers] == ["video"]
                assert peer.transceivers[0].current_direction == "inactive"
            assert not await told.take(NegotiationNeeded)
            await exchange(peer, stopping)  # the peer wants it back, and does not get it
            assert peer.transceivers[0].current_direction == "inactive"
            assert not await told.take(TrackAdded)
            await stopping.set_local_description()
            await peer.set_remote_description(unnamed(stopping.local_description))
            await peer.set_local_description(SessionDescription("pranswer", (await peer.create_answer()).sdp))
            await stopping.set_remote_description(unnamed(peer.local_description))
            assert [each.kind for each in stopping.transceivers] == ["video"], (
                "a provisional answer brings nothing back"
            )
            await peer.set_local_description()
            await stopping.set_remote_description(unnamed(peer.local_description))
            one.remove_track(video)
            for each in (*one.transceivers, *other.transceivers):
                each.stop()
            for _ in range(2):
                await exchange(one, other)
            assert one.transceivers == other.transceivers == (), "alone, it goes like the others"
            assert lines(one.local_description) == ["audio 0", "video 0"]

    run(main())


def test_a_peer_that_names_its_association_keeps_it_and_the_oldest_sections_can_go_for_ever() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio", track_id="0")
            one.add_track("video", track_id="1")
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            mids = set()
            for turn in range(8):
                one.transceivers[0].stop()
                await negotiate(one, other)
                assert len(one.transceivers) == len(other.transceivers) == 1
                one.add_track("video" if turn % 2 else "audio", track_id=str(turn + 2))
                await negotiate(one, other)
                assert len(lines(one.local_description)) == 3, "no line more"
                assert [each.receiver.track_id for each in other.transceivers] == [str(turn + 1), str(turn + 2)]
                mids.add(one.transceivers[-1].mid)
            assert len(mids) == 8, "a name is not given twice"
            await channel.write("still there")
            assert await (await other.next_data_channel()).read(timeout=5) == "still there"

    run(main())


# ---- descriptions


def test_a_description_that_is_applied_already_may_be_applied_again_and_a_type_is_checked() -> None:
    async def main() -> None:
        async with pair() as (one, other):
            one.add_track("audio")
            offer = await one.create_offer()
            with pytest.raises(LocalProtocolError):
                await one.set_local_description(SessionDescription("answer", offer.sdp))
            with pytest.raises(LocalProtocolError):
                await one.set_local_description(SessionDescription("pranswer", offer.sdp))
            for _ in range(2):
                await one.set_local_description(offer)
                await other.set_remote_description(offer)
            provisional = SessionDescription("pranswer", (await other.create_answer()).sdp)
            for _ in range(2):
                await other.set_local_description(provisional)
                await one.set_remote_description(provisional)
            assert other.signaling_state == "have-local-pranswer"
            with pytest.raises(LocalProtocolError):
                await other.set_local_description(offer)
            await answered(one, other)
            assert one.signaling_state == other.signaling_state == "stable"

    run(main())
