"""Negotiations as careless applications and odd peers make them, on a simulated network and virtual time."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.dtls import Certificate
from pystack.errors import Closed, InvalidArgument, LocalProtocolError, StackError
from pystack.peer import (
    Configuration,
    DataChannelAdded,
    IceCandidate,
    NegotiationNeeded,
    PeerConnection,
    SessionDescription,
    SignalingStateChanged,
    TrackAdded,
    TrackRemoved,
)
from pystack.rtp import RtpPacket
from pystack.sctp import AssociationOptions
from pystack.session import SessionOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CERTIFICATE = Certificate.generate(1.7e9)


def quick(**options: Any) -> Configuration:
    return Configuration(certificate=CERTIFICATE, **options)


def names(heard: list[Any]) -> list[str]:
    return [type(event).__name__ for event in heard]


async def offer_of(connection: PeerConnection) -> SessionDescription:
    await connection.set_local_description()
    description = connection.local_description
    assert description is not None
    return description


def state_of(connection: PeerConnection) -> tuple[Any, ...]:
    return (
        connection.signaling_state,
        connection.current_local_description,
        connection.current_remote_description,
        connection.pending_local_description,
        connection.pending_remote_description,
        [(t.key, t.mid, t.direction, t.current_direction, t.receiver.track_id) for t in connection.transceivers],
    )


def test_negotiation_is_asked_for_once_however_much_changes() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            heard: list[Any] = []
            one.listen(lambda event: heard.append(event) if isinstance(event, NegotiationNeeded) else None)
            one.create_data_channel("a")
            await asyncio.sleep(1)
            one.create_data_channel("b")
            video = one.add_transceiver("video")
            await asyncio.sleep(1)
            assert len(heard) == 1
            await negotiate(one, other)
            await asyncio.sleep(1)
            assert len(heard) == 1, "nothing is left to agree upon"
            video.direction = "inactive"
            await asyncio.sleep(1)
            assert len(heard) == 2
            video.direction = "sendrecv"
            await asyncio.sleep(1)
            video.direction = "inactive"
            await asyncio.sleep(1)
            await negotiate(one, other)
            assert video.current_direction == "inactive"

    run(main())


def test_perfect_negotiation_survives_glare() -> None:
    """Both sides change things at random times, each offers when asked to; the polite one gives way."""

    async def main(seed: int) -> None:
        random = SeededRandomness(f"glare {seed}")
        async with peer_pair(MemoryNetwork(), quick(), seed=seed) as (polite, impolite):
            boxes: dict[PeerConnection, asyncio.Queue[Any]] = {polite: asyncio.Queue(), impolite: asyncio.Queue()}

            async def signal(me: PeerConnection, peer: PeerConnection) -> None:
                is_polite = me is polite
                while True:
                    message = await boxes[me].get()
                    await asyncio.sleep(random.integer(4) / 1000)
                    if message is None:
                        await me.set_local_description()
                        boxes[peer].put_nowait(me.local_description)
                        continue
                    collision = message.type == "offer" and me.signaling_state != "stable"
                    if collision and not is_polite:
                        continue
                    if message.type == "answer" and me.signaling_state != "have-local-offer":
                        continue
                    await me.set_remote_description(message)
                    if message.type == "offer":
                        await me.set_local_description()
                        boxes[peer].put_nowait(me.local_description)

            tasks = []
            for me, peer in ((polite, impolite), (impolite, polite)):
                me.listen(
                    lambda event, box=boxes[me]: (
                        box.put_nowait(None)  # type: ignore[misc]
                        if isinstance(event, NegotiationNeeded)
                        else None
                    )
                )
                tasks.append(asyncio.create_task(signal(me, peer)))
            left = polite.create_data_channel("left")
            right = impolite.create_data_channel("right")
            for n in range(6):
                (polite if random.integer(1) else impolite).add_track("video", track_id=f"t{n}")
                await asyncio.sleep(random.integer(3) / 1000)
            await asyncio.gather(left.wait_open(timeout=30), right.wait_open(timeout=30))
            await asyncio.sleep(5)
            assert polite.signaling_state == impolite.signaling_state == "stable"
            for me, peer in ((polite, impolite), (impolite, polite)):
                sending = {t.sender.track_id for t in me.transceivers if t.sender.sending and t.sender.track_id}
                coming = {t.receiver.track_id for t in peer.transceivers if t.receiver.receiving}
                assert sending <= coming
                assert {t.sender.track_id for t in me.transceivers if t.sender.track_id} == sending
            for task in tasks:
                assert not task.done(), task
                task.cancel()

    for seed in range(4):
        run(main(seed))


def test_a_rolled_back_remote_offer_leaves_nothing() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            one.add_transceiver("audio", track_id="first")
            await negotiate(one, other)
            heard: list[Any] = []
            other.listen(heard.append)
            before = state_of(other)
            for _ in range(3):
                heard.clear()
                one.add_transceiver("video", track_id="v")
                one.add_transceiver("video", direction="recvonly")
                one.transceivers[0].direction = "inactive"
                await other.set_remote_description(await offer_of(one))
                assert len(other.transceivers) > len(before[-1])
                assert not other.transceivers[0].remote_sends
                await other.set_remote_description(SessionDescription("rollback"))
                await one.set_local_description(SessionDescription("rollback"))
                assert state_of(other) == before
                assert [transceiver.remote_sends for transceiver in other.transceivers] == [True]
                tracks = [type(e) for e in heard if isinstance(e, (TrackAdded, TrackRemoved))]
                assert tracks.count(TrackAdded) == tracks.count(TrackRemoved)
                states = [event.state for event in heard if isinstance(event, SignalingStateChanged)]
                assert states == ["have-remote-offer", "stable"]

    run(main())


def test_wrong_order_of_descriptions_raises_and_changes_nothing() -> None:
    """AC12.4: an answer that nobody waits for."""

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            one.create_data_channel("x")
            await negotiate(one, other)
            answer = one.remote_description
            assert answer is not None
            before = state_of(one)
            for description in (answer, SessionDescription("rollback"), SessionDescription("pranswer", answer.sdp)):
                with pytest.raises(LocalProtocolError):
                    await one.set_remote_description(description)
            with pytest.raises(LocalProtocolError):
                await one.create_answer()
            with pytest.raises(LocalProtocolError):
                await one.set_local_description(SessionDescription("offer", "v=0"))
            assert state_of(one) == before
            assert one.connection_state in {"connecting", "connected"}

    run(main())


@pytest.mark.parametrize(
    "garbage",
    ["", "\0" * 1000, "m=audio 9 x y\r\n", "v=0\r\n" + "m=audio 9 UDP 0\r\n" * 5000, "a" * 3_000_000],
)
def test_garbage_as_a_description_changes_nothing(garbage: str) -> None:
    """AC12.2."""

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            one.create_data_channel("x")
            await offer_of(one)
            before, fresh = state_of(one), state_of(other)
            for kind in ("offer", "answer", "pranswer"):
                with pytest.raises((InvalidArgument, LocalProtocolError)):
                    await one.set_remote_description(SessionDescription(kind, garbage))
                assert state_of(one) == before
            with pytest.raises(InvalidArgument):
                await other.set_remote_description(SessionDescription("offer", garbage))
            assert state_of(other) == fresh
            await negotiate(one, other)
            await one.wait_connected(timeout=10)

    run(main())


def _exchange(sdp_of_offer: list[str]) -> str:
    async def main() -> str:
        async with peer_pair(MemoryNetwork(), quick()) as (one, _):
            one.add_transceiver("audio", track_id="a")
            one.create_data_channel("x")
            one.add_transceiver("video", track_id="b")
            return (await offer_of(one)).sdp

    return run(main())


OFFER = _exchange([])
LINES = OFFER.split("\r\n")[:-1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_bent_offer_is_taken_whole_or_not_at_all(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "number", "cut", "char"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "number":
                number = str(data.draw(st.sampled_from([0, 1, 15, 16, 96, 127, 128, 255, 256, 65536, 2**32, 2**64])))
                lines[at] = re.sub(r"\d+", number, lines[at], count=1)
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case "char":
                where = data.draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:where] + data.draw(st.characters()) + lines[at][where:]
    text = "\r\n".join(lines) + "\r\n"

    async def main() -> None:
        connection = PeerConnection(attrs.evolve(quick(), mux=MemoryNetwork()))
        before = state_of(connection)
        try:
            await connection.set_remote_description(SessionDescription("offer", text))
        except (InvalidArgument, LocalProtocolError):
            assert state_of(connection) == before
        else:
            assert connection.signaling_state == "have-remote-offer"
            try:
                await connection.set_local_description()
            except StackError:
                assert connection.signaling_state == "have-remote-offer"
                await connection.set_remote_description(SessionDescription("rollback"))
                assert state_of(connection) == before
            else:
                assert connection.signaling_state == "stable"
        connection.abort()

    run(main())


def test_credentials_that_ice_refuses_leave_the_state_untouched() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            one.create_data_channel("x")
            offer = await offer_of(one)
            before = state_of(other)

            def refuse(parameters: object) -> None:
                raise InvalidArgument("no such characters")

            take, other._ice.set_remote_parameters = other._ice.set_remote_parameters, refuse  # type: ignore[method-assign]
            with pytest.raises(InvalidArgument):
                await other.set_remote_description(offer)
            assert state_of(other) == before
            other._ice.set_remote_parameters = take  # type: ignore[method-assign]
            await other.set_remote_description(offer)
            await one.set_remote_description(await offer_of(other))
            await one.wait_connected(timeout=10)

    run(main())


@pytest.mark.parametrize("data_first", [False, True])
def test_data_and_media_may_come_in_any_order(data_first: bool) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            packets: list[bytes] = []
            messages: list[bytes | str] = []

            def hear(event: object) -> None:
                if isinstance(event, TrackAdded):
                    event.transceiver.receiver.on_packet = lambda packet, rid: packets.append(packet.payload)
                elif isinstance(event, DataChannelAdded):
                    event.channel.on_message = messages.append

            other.listen(hear)

            async def add_data() -> None:
                channel = one.create_data_channel("x")
                await negotiate(one, other)
                await channel.wait_open(timeout=10)
                await channel.write("m")

            async def add_media() -> None:
                audio = one.add_transceiver("audio", track_id="t")
                await negotiate(one, other)
                await one.wait_connected(timeout=10)
                codec = audio.sender.require_codec("opus")
                assert audio.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=1, payload=b"p"))

            for step in (add_data, add_media) if data_first else (add_media, add_data):
                await step()
            await asyncio.sleep(1)
            assert (packets, messages) == ([b"p"], ["m"])

    run(main())


def test_a_direction_can_go_away_and_come_back() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            video = one.add_transceiver("video", direction="sendonly", track_id="t")
            heard: list[Any] = []
            other.listen(heard.append)
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            for direction in ("inactive", "sendonly", "inactive", "sendonly"):
                video.direction = direction
                await negotiate(one, other)
                assert video.current_direction == direction
                assert video.sender.sending == (direction == "sendonly")
                assert other.transceivers[0].receiver.receiving == (direction == "sendonly")
            tracks = [type(event) for event in heard if isinstance(event, (TrackAdded, TrackRemoved))]
            assert tracks == [TrackAdded, TrackRemoved, TrackAdded, TrackRemoved, TrackAdded]
            await one.wait_connected(timeout=10)
            codec = video.sender.require_codec("VP8")
            assert video.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=7, payload=b"again"))
            packet, _ = await other.transceivers[0].receiver.read(timeout=5)
            assert packet.payload == b"again"

    run(main())


def test_a_stopped_transceiver_is_silent_at_once_and_gone_after_the_next_negotiation() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            video = one.add_transceiver("video", track_id="t")
            audio = one.add_transceiver("audio", track_id="u")
            await negotiate(one, other)
            reader = asyncio.create_task(video.receiver.read())
            theirs = asyncio.create_task(other.transceivers[0].receiver.read())
            await asyncio.sleep(1)
            video.stop()
            video.stop()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert isinstance(reader.exception(), Closed)
            with pytest.raises(Closed):
                video.sender.write(RtpPacket(payload_type=96, sequence_number=1, payload=b""))
            await negotiate(one, other)
            assert one.transceivers == (audio,)
            assert len(other.transceivers) == 1
            with pytest.raises(Closed):
                await theirs
            for n in range(3):
                unused = one.add_transceiver("video", track_id=str(n))
                unused.stop()
            assert one.transceivers == (audio,), "what never was in a description needs no negotiation to go"
            again = one.add_transceiver("video", track_id="v")
            await negotiate(one, other)
            assert again.sender.sending
            assert len(other.transceivers) == 2

    run(main())


def test_a_section_that_the_peer_rejects_does_not_ask_for_negotiation_for_ever() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        one = PeerConnection(quick(mux=network))
        other = PeerConnection(quick(mux=network, video_codecs=()))
        needed: list[Any] = []
        one.listen(lambda event: needed.append(event) if isinstance(event, NegotiationNeeded) else None)
        channel = one.create_data_channel("x")
        video = one.add_transceiver("video", track_id="t")
        for _ in range(3):
            await asyncio.sleep(1)
            await negotiate(one, other)
        await asyncio.sleep(1)
        await channel.wait_open(timeout=10)
        assert len(needed) == 1
        assert not video.sender.sending
        assert len(other.transceivers) == 0
        await one.close()
        await other.close()

    run(main())


def test_candidates_before_the_description_are_kept_within_a_bound_and_told_once() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            one.create_data_channel("x")
            offer = await offer_of(one)
            mid = re.search(r"a=mid:(\S+)", offer.sdp)
            assert mid is not None
            told: list[str | None] = []
            other._ice.add_remote_candidate = told.append  # type: ignore[method-assign, assignment]
            text = "candidate:{} 1 udp 1 10.9.9.9 {} typ host"
            for n in range(500):
                await other.add_ice_candidate(IceCandidate(text.format(n, 1000 + n), mid[1]))
            await other.set_remote_description(offer)
            early = [candidate for candidate in told if candidate and "10.9.9.9" in candidate]
            assert len(early) == 64
            for _ in range(3):
                await other.add_ice_candidate(text.format(1, 1001))
                await other.add_ice_candidate(IceCandidate(text.format(7777, 1), "another section"))
                await other.add_ice_candidate(IceCandidate(text.format(7777, 1), None, 5))
                await other.add_ice_candidate(IceCandidate(text.format(7777, 1), mid[1], 0, "another generation"))
            await one.set_remote_description(await offer_of(other))
            for _ in range(3):
                await negotiate(one, other)
            known = [candidate for candidate in told if candidate]
            assert len(known) == len(set(known))
            assert not any("7777" in candidate for candidate in known)

    run(main())


@pytest.mark.parametrize("who", ["asker", "peer", "both"])
def test_ice_restarts_and_data_goes_on(who: str) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            needed: list[Any] = []
            for connection in (one, other):
                connection.listen(lambda event: needed.append(event) if isinstance(event, NegotiationNeeded) else None)
            old = (one._ice.local_parameters, other._ice.local_parameters)
            if who in {"asker", "both"}:
                one.restart_ice()
                one.restart_ice()
            if who in {"peer", "both"}:
                other.restart_ice()
            assert old == (one._ice.local_parameters, other._ice.local_parameters), "not before the offer is made"
            await asyncio.sleep(0.1)
            assert len(needed) == (2 if who == "both" else 1)
            await negotiate(*((other, one) if who == "peer" else (one, other)))
            await asyncio.sleep(0.1)
            assert old[0] != one._ice.local_parameters
            assert old[1] != other._ice.local_parameters
            assert len(needed) == (2 if who == "both" else 1)
            await asyncio.sleep(60)
            assert one.connection_state == other.connection_state == "connected"
            await channel.write("alive")

    run(main())


def test_an_ice_restart_asked_for_during_an_offer_waits_for_its_answer() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            one.add_transceiver("audio")
            offer = await offer_of(one)
            one.restart_ice()
            await one.create_offer(ice_restart=True)
            await other.set_remote_description(offer)
            await one.set_remote_description(await offer_of(other))
            heard: list[Any] = []
            one.listen(lambda event: heard.append(event) if isinstance(event, NegotiationNeeded) else None)
            await asyncio.sleep(0.1)
            assert len(heard) == 1, "the restart is still wanted"
            await negotiate(one, other)
            await asyncio.sleep(60)
            assert one.connection_state == other.connection_state == "connected"

    run(main())


def test_an_offer_in_the_place_of_one_that_is_pending_can_restart_ice() -> None:
    """What became of the first is not known: its answer may be lost with the signalling; a restart heals that."""

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            before = credentials_of(one)
            one.add_transceiver("audio")
            await one.set_local_description(await one.create_offer())
            assert one.signaling_state == "have-local-offer"
            await one.set_local_description(await one.create_offer(ice_restart=True))
            assert one.local_description is not None
            await other.set_remote_description(one.local_description)
            await one.set_remote_description(await offer_of(other))
            after = credentials_of(one)
            assert before[0] != after[0]
            assert before[1] != after[1]
            incoming = await other.next_data_channel()
            await channel.write("still here")
            assert await incoming.read(timeout=10) == "still here"
            await stays_connected(one, other)

    run(main())


def credentials_of(connection: PeerConnection) -> tuple[Any, Any]:
    return connection._ice.local_parameters, connection._ice.remote_parameters


async def stays_connected(*connections: PeerConnection) -> None:
    await asyncio.sleep(60)
    assert [each.connection_state for each in connections] == ["connected"] * len(connections)
    assert [each.signaling_state for each in connections] == ["stable"] * len(connections)


def test_an_ice_restart_rolled_back_in_a_glare_is_undone_and_asked_for_again() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (polite, impolite):
            channel = polite.create_data_channel("x")
            await negotiate(polite, impolite)
            await channel.wait_open(timeout=10)
            before = (credentials_of(polite), credentials_of(impolite))
            needed: list[PeerConnection] = []
            for each in (polite, impolite):
                each.listen(
                    lambda event, each=each: needed.append(each) if isinstance(event, NegotiationNeeded) else None
                )
            await asyncio.sleep(0.1)
            needed.clear()
            await polite.set_local_description(await polite.create_offer(ice_restart=True))
            assert credentials_of(polite) != before[0]
            impolite.add_transceiver("audio", track_id="t")
            await polite.set_remote_description(await offer_of(impolite))
            await impolite.set_remote_description(await offer_of(polite))
            assert (credentials_of(polite), credentials_of(impolite)) == before, "nothing was restarted"
            await asyncio.sleep(0.1)
            assert needed == [polite], "the restart is still wanted, by whoever asked for it"
            await stays_connected(polite, impolite)
            await negotiate(polite, impolite)
            after = (credentials_of(polite), credentials_of(impolite))
            assert all(old != new for old, new in zip(before, after, strict=True))
            assert after[0] == after[1][::-1]
            await stays_connected(polite, impolite)
            assert needed == [polite]

    run(main())


def test_when_both_restart_ice_in_a_glare_one_restart_serves_both() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (polite, impolite):
            channel = polite.create_data_channel("x")
            await negotiate(polite, impolite)
            await channel.wait_open(timeout=10)
            before = (credentials_of(polite), credentials_of(impolite))
            for each in (polite, impolite):
                await each.set_local_description(await each.create_offer(ice_restart=True))
            offer = impolite.local_description
            assert offer is not None
            await polite.set_remote_description(offer)
            await impolite.set_remote_description(await offer_of(polite))
            after = (credentials_of(polite), credentials_of(impolite))
            assert all(old[0] != new[0] for old, new in zip(before, after, strict=True))
            assert after[0] == after[1][::-1]
            needed: list[Any] = []
            polite.listen(lambda event: needed.append(event) if isinstance(event, NegotiationNeeded) else None)
            needed.clear()
            await stays_connected(polite, impolite)
            assert not needed, "the polite side has what it wanted"
            await channel.write("alive")

    run(main())


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_an_ice_restart_that_is_rolled_back_is_undone_and_no_other_exchange_is_needed(whose: str) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            before = (credentials_of(one), credentials_of(other))
            offer = await one.create_offer(ice_restart=True)
            await one.set_local_description(offer)
            if whose == "theirs":
                await other.set_remote_description(offer)
                assert credentials_of(other) != before[1]
                await other.set_remote_description(SessionDescription("rollback"))
            await one.set_local_description(SessionDescription("rollback"))
            assert (credentials_of(one), credentials_of(other)) == before
            await stays_connected(one, other)
            await negotiate(other, one)  # the answer brings no surprise
            assert (credentials_of(one), credentials_of(other)) == before
            await channel.write("alive")
            await stays_connected(one, other)

    run(main())


def test_an_ice_restart_that_was_only_made_is_undone_by_the_peers_offer() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            one.create_data_channel("x")
            await negotiate(one, other)
            before = (credentials_of(one), credentials_of(other))
            stale = await one.create_offer(ice_restart=True)
            await one.set_remote_description(await offer_of(other))
            with pytest.raises(LocalProtocolError):
                await one.set_local_description(stale)
            await other.set_remote_description(await offer_of(one))
            assert (credentials_of(one), credentials_of(other)) == before
            await stays_connected(one, other)

    run(main())


def test_an_sctp_port_other_than_5000_is_used() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        one = PeerConnection(quick(mux=network))
        odd = SessionOptions(association=AssociationOptions(local_port=6001))
        other = PeerConnection(quick(mux=network, session=odd))
        channel = one.create_data_channel("x")
        negotiated = one.create_data_channel("n", negotiated=True, id=7)
        twin = other.create_data_channel("n", negotiated=True, id=7)
        await negotiate(one, other)
        assert "a=sctp-port:6001" in (one.remote_description or SessionDescription("offer")).sdp
        await channel.wait_open(timeout=10)
        await negotiated.write("over 6001")
        assert await twin.read(timeout=5) == "over 6001"
        await one.close()
        await other.close()

    run(main())


@pytest.mark.parametrize("only", ["audio", "data", "nothing"])
def test_a_description_with_little_in_it(only: str) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            if only == "audio":
                one.add_transceiver("audio", track_id="t")
            elif only == "data":
                one.create_data_channel("x")
            other.create_data_channel("theirs")
            other.add_transceiver("video", track_id="theirs")
            await one.set_local_description()
            offer = one.local_description
            assert offer is not None
            await other.set_remote_description(offer)
            await other.set_local_description()
            answer = other.local_description
            assert answer is not None
            await one.set_remote_description(answer)
            if only != "nothing":
                await one.wait_connected(timeout=10)
            await negotiate(other, one)
            await one.wait_connected(timeout=10)
            assert [t.kind for t in one.transceivers] == (["audio", "video"] if only == "audio" else ["video"])

    run(main())


def test_a_second_exchange_ends_soon_although_sctp_never_answers() -> None:
    """AC2.1, AC2.5, AC2.7: the association hangs; negotiation and new tracks do not."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with peer_pair(MemoryNetwork(), quick()) as (one, other):
            channels = [one.create_data_channel(str(n)) for n in range(3)]
            other._session.start_data = lambda *_: None  # type: ignore[method-assign]
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            association = one._session.channels.association
            start = loop.time()
            audio = one.add_transceiver("audio", track_id="t")
            await negotiate(one, other)
            assert one._operations.idle
            assert loop.time() - start < 1
            assert one._session.channels.association is association
            assert [(c.label, c.id, c.ready_state, c.buffered_amount) for c in channels] == [
                (str(n), channels[n].id, "connecting", 0) for n in range(3)
            ]
            codec = audio.sender.require_codec("opus")
            assert audio.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=1, payload=b"p"))
            packet, _ = await other.transceivers[0].receiver.read(timeout=5)
            assert packet.payload == b"p"

    run(main())


def test_offers_against_close() -> None:
    """AC12.1, AC12.3: every way in which an offer and an end can meet; nothing but Closed comes out."""

    async def main() -> None:
        network = MemoryNetwork()
        helper = PeerConnection(quick(mux=network))
        helper.create_data_channel("x")
        helper.add_transceiver("video", track_id="t")
        offer = await offer_of(helper)
        for n in range(150):
            victim = PeerConnection(quick(mux=network))
            after: list[Any] = []
            victim.listen(after.append)

            async def meet(victim: PeerConnection = victim) -> None:
                for _ in range(3):
                    await victim.set_remote_description(offer)
                    assert victim.pending_remote_description is not None or victim.reason is not None
                    await victim.create_answer()
                    await victim.set_local_description()

            tasks = [asyncio.create_task(meet()) for _ in range(2)]
            for _ in range(n % 15):
                await asyncio.sleep(0)
            if n % 2:
                victim.abort()
            await victim.close()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result is None or isinstance(result, (Closed, LocalProtocolError)) for result in results), (
                results
            )
            assert victim.pending_remote_description is None or victim.signaling_state == "closed"
            assert names(after)[-1] == "PeerConnectionClosed"
            assert names(after).count("PeerConnectionClosed") == 1
        await helper.close()

    run(main())
