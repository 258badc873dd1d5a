"""Descriptions and candidates of odd peers: what is refused changes nothing, and what counts is told."""

from __future__ import annotations

import asyncio
import re

import pytest

from pystack.errors import InvalidArgument
from pystack.peer import (
    Configuration,
    IceCandidate,
    NegotiationNeeded,
    PeerConnection,
    SessionDescription,
    SignalingStateChanged,
    TrackAdded,
)
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair


async def offer_of(connection: PeerConnection) -> str:
    await connection.set_local_description()
    assert connection.local_description is not None
    return connection.local_description.sdp


async def answer_of(connection: PeerConnection, offer: str) -> str:
    await connection.set_remote_description(SessionDescription("offer", offer))
    return await offer_of(connection)


UNUSABLE = [
    (r"a=sctp-port:5000", "a=sctp-port:0", r"line \d+.*a port of 1 to 65535"),
    (r"a=ice-ufrag:.*", "a=ice-ufrag:ab.cd", r"line \d+.*other characters than"),
    (r"a=ice-pwd:.*", "a=ice-pwd:" + "é" * 24, r"line \d+.*other characters than"),
    (r"(m=video \d+ \S+) \d+(.*)(\r\n(?s:.*)a=rtpmap:)\d+ VP8", r"\1 72\2\g<3>72 VP8", "72 cannot be told from RTCP"),
]


@pytest.mark.parametrize(("what", "by", "says"), UNUSABLE, ids=["port", "ufrag", "pwd", "payload type"])
def test_an_unusable_description_names_its_line_and_changes_nothing(what: str, by: str, says: str) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.create_data_channel("chat")
            one.add_track("video")
            told: list[SignalingStateChanged] = []
            for connection in (one, other):
                connection.listen(
                    lambda event: told.append(event) if isinstance(event, SignalingStateChanged) else None
                )
            offer = await offer_of(one)
            told.clear()
            with pytest.raises(InvalidArgument, match=says):
                await other.set_remote_description(SessionDescription("offer", re.sub(what, by, offer)))
            assert (other.signaling_state, other.remote_description, told) == ("stable", None, [])
            answer = await answer_of(other, offer)
            told.clear()
            with pytest.raises(InvalidArgument, match=says):
                await one.set_remote_description(SessionDescription("answer", re.sub(what, by, answer)))
            assert (one.signaling_state, one.remote_description, told) == ("have-local-offer", None, [])
            await one.set_remote_description(SessionDescription("answer", answer))
            await one.wait_connected(timeout=10)

    run(main())


def test_payload_types_of_a_section_that_is_rejected_are_nobodys_business() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.create_data_channel("chat")
            one.add_track("video")
            offer = re.sub(r"m=video \d+ (\S+) [\d ]+", r"m=video 0 \1 72", await offer_of(one))
            assert "m=video 0" in await answer_of(other, offer)

    run(main())


@pytest.mark.parametrize("kind", ["answer", "pranswer"])
def test_an_answer_of_somebody_else_than_the_provisional_one_is_refused(kind: str) -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network) as (one, other), PeerConnection(Configuration(mux=network)) as third:
            chat = one.create_data_channel("chat")
            offer = await offer_of(one)
            await one.set_remote_description(SessionDescription("pranswer", await answer_of(other, offer)))
            await chat.wait_open(timeout=10)
            with pytest.raises(InvalidArgument, match="fingerprint changed"):
                await one.set_remote_description(SessionDescription(kind, await answer_of(third, offer)))  # type: ignore[arg-type]
            assert one.signaling_state == "have-remote-pranswer"
            assert other.local_description is not None
            await one.set_remote_description(other.local_description)
            assert (one.signaling_state, one.connection_state) == ("stable", "connected")

    run(main())


def test_an_ice_restart_asked_for_while_one_is_offered_comes_after_it() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.create_data_channel("chat")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            one.restart_ice()
            first = await offer_of(one)
            one.restart_ice()
            needed: list[NegotiationNeeded] = []
            one.listen(lambda event: needed.append(event) if isinstance(event, NegotiationNeeded) else None)
            needed.clear()
            await one.set_remote_description(SessionDescription("answer", await answer_of(other, first)))
            await asyncio.sleep(0.1)
            assert len(needed) == 1
            second = await offer_of(one)
            assert re.search("a=ice-ufrag.*", second)[0] != re.search("a=ice-ufrag.*", first)[0]  # type: ignore[index]
            await one.set_remote_description(SessionDescription("answer", await answer_of(other, second)))
            await asyncio.sleep(0.1)
            assert len(needed) == 1
            await one.wait_connected(timeout=10)

    run(main())


def test_an_ice_restart_that_was_rolled_back_with_its_second_wish_happens_once() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.create_data_channel("chat")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            one.restart_ice()
            await one.set_local_description()
            one.restart_ice()
            await one.set_local_description(SessionDescription("rollback"))
            needed: list[NegotiationNeeded] = []
            await negotiate(one, other)
            one.listen(lambda event: needed.append(event) if isinstance(event, NegotiationNeeded) else None)
            needed.clear()
            await asyncio.sleep(0.1)
            assert needed == []

    run(main())


@pytest.mark.parametrize(
    ("mid", "index", "ufrag", "counted"),
    [
        ("", 0, None, ""),  # some peers name the first section, whatever became of it
        (None, 0, None, ""),
        ("0", 0, None, ""),
        ("1", 1, None, ""),
        (None, None, None, ""),
        ("2", 2, None, "session: candidate of a section that is not bundled"),
        ("zz", None, None, "session: candidate of an unknown section"),
        (None, 7, None, "session: candidate of an unknown section"),
        ("1", 1, "other", "session: candidate of another generation"),
    ],
)
def test_a_candidate_reaches_ice_or_is_counted(
    mid: str | None, index: int | None, ufrag: str | None, counted: str
) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.add_track("video")
            one.create_data_channel("chat")
            one.add_track("audio")
            answer = await answer_of(other, await offer_of(one))
            answer = re.sub(r"m=video \d+", "m=video 0", answer).replace("BUNDLE 0 1 2", "BUNDLE 1 2")
            await one.set_remote_description(SessionDescription("answer", answer))
            reached: list[str | None] = []
            one._ice.add_remote_candidate = reached.append  # type: ignore[method-assign, assignment]
            text = "candidate:1 1 udp 1 10.9.9.9 1000 typ host"
            await one.add_ice_candidate(IceCandidate(text, mid, index, ufrag))
            dropped = one.get_stats()["T"]["dropped"]  # type: ignore[typeddict-item]
            assert (reached, dropped) == (([], {counted: 1}) if counted else ([text], {}))

    run(main())


def test_null_is_the_last_candidate_of_a_browser() -> None:
    assert IceCandidate.from_json("null") == IceCandidate() == IceCandidate.from_json(" null\n")


def test_a_track_that_joins_a_stream_is_told_again() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            sender = one.add_track("audio", track_id="voice", stream_ids=["first"])
            await negotiate(one, other)
            told: list[tuple[str, ...]] = []
            other.listen(
                lambda event: (
                    told.append(event.transceiver.receiver.stream_ids) if isinstance(event, TrackAdded) else None
                )
            )
            assert told == [("first",)]
            sender.set_track("voice", ["first", "second"])
            await negotiate(one, other)
            assert told == [("first",), ("first", "second")]
            sender.set_track("voice", ["second"])  # it only leaves one
            await negotiate(one, other)
            assert len(told) == 2
            await negotiate(one, other)
            assert len(told) == 2

    run(main())


def test_events_come_in_the_order_of_the_w3c_and_each_end_is_told() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            told: list[str] = []
            one.listen(lambda event: told.append(f"{type(event).__name__} {getattr(event, 'state', '')}"))
            one.create_data_channel("chat")
            await negotiate(one, other)
            await asyncio.sleep(0.1)
            at = told.index("IceGatheringStateChanged complete")
            assert told[at + 1] == "IceCandidateFound "
            await one.wait_connected(timeout=10)
            one.abort()
            assert "IceConnectionStateChanged closed" in told
            assert one.ice_connection_state == "closed"

    run(main())


def test_ids_of_statistics_belong_to_one_thing_for_ever() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):

            def channels() -> dict[str, str]:
                report = one.get_stats()
                return {key: entry["label"] for key, entry in report.items() if entry["type"] == "data-channel"}

            made = [one.create_data_channel(label) for label in ("chat", "chat", "0")]
            before = channels()
            assert list(before.values()) == ["chat", "chat", "0"]
            await negotiate(one, other)
            await made[2].wait_open(timeout=10)
            assert channels() == before
            await made[0].close()
            later = one.create_data_channel("later")
            await later.wait_open(timeout=10)
            (new,) = channels().keys() - before.keys()
            assert channels()[new] == "later"

    run(main())
