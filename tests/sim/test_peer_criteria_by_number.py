"""Rows 1, 2, 8, 10 and 12 of the requirements, each criterion by its number; the others are in test_peer_criteria.py.

The parts that fail or hang are injected: a step of the operations chain that waits for ever, a part whose end raises.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import LOCAL, Closed, LocalProtocolError, StackError, TransportLost
from pystack.peer import (
    Configuration,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
    SessionDescription,
)
from pystack.rtp import RtpPacket
from pystack.sctp import AssociationState
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CERTIFICATE = Certificate.generate(1.7e9)
QUICK = Configuration(certificate=CERTIFICATE)


def now() -> float:
    return asyncio.get_running_loop().time()


def lone(network: MemoryNetwork | None = None) -> PeerConnection:
    return PeerConnection(Configuration(certificate=CERTIFICATE, mux=network or MemoryNetwork()))


async def offer_of(connection: PeerConnection) -> SessionDescription:
    await connection.set_local_description()
    description = connection.local_description
    assert description is not None
    return description


async def hang(connection: PeerConnection, name: str = "set remote description") -> asyncio.Task[bool]:
    """Put a step that never ends into the operations chain, and let it begin."""
    task = asyncio.create_task(connection._operations.run(name, asyncio.Event().wait))
    await asyncio.sleep(0)
    return task


# ---- row 1: close first, drain afterwards


def test_ac1_1_close_returns_and_releases_a_step_that_hangs() -> None:
    async def main() -> None:
        connection = lone()
        hanging = await hang(connection)
        begin = now()
        await connection.close()
        assert now() - begin <= 1
        assert isinstance((await asyncio.gather(hanging, return_exceptions=True))[0], Closed)
        assert now() - begin <= 1

    run(main())


def test_ac1_3_closing_twice_at_once_does_the_work_once() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network, QUICK) as (one, other):
            one.create_data_channel("x")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            network.black_hole()
            heard: list[PeerEvent] = []
            one.listen(heard.append)
            begin = now()
            await asyncio.gather(one.close(timeout=2), one.close(timeout=2))
            assert now() - begin <= 2.001
            assert heard.count(PeerConnectionClosed(LOCAL)) == 1

    run(main())


def test_ac1_6_closing_a_channel_of_a_closed_connection_does_nothing() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            ends: list[object] = []
            channel.on_close = ends.append
            await one.close()
            assert len(ends) == 1
            begin = now()
            await channel.close()
            channel.begin_close()
            assert now() == begin
            assert len(ends) == 1

    run(main())


def test_ac1_7_nothing_refers_to_the_owner_although_the_peer_never_acknowledged() -> None:
    class Participant:
        def __init__(self, connection: PeerConnection) -> None:
            self.connection = connection
            self.heard: list[PeerEvent] = []
            connection.listen(self.hear)

        def hear(self, event: PeerEvent) -> None:
            self.heard.append(event)

    async def main() -> list[weakref.ref[Any]]:
        network = MemoryNetwork()
        async with peer_pair(network, QUICK) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            network.black_hole()
            channel.write_nowait(b"never acknowledged")
            participant = Participant(one)
            await one.close(timeout=1)
            return [weakref.ref(one), weakref.ref(participant)]

    gone = run(main())
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


# ---- row 2: neither the association nor an OPEN runs inside of a negotiation


def test_ac2_1_and_ac2_5_another_exchange_ends_although_sctp_never_answers_and_starts_no_second_association() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            one.create_data_channel("x")
            other._session.start_data = lambda *_: None  # type: ignore[method-assign]
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            association = one._session._association
            for number in range(3):
                begin = now()
                one.add_transceiver("audio", track_id=f"t{number}")
                await negotiate(one, other)
                assert now() - begin < 1
                assert one._session._association is association
            assert association.state is AssociationState.COOKIE_WAIT

    run(main())


def test_ac2_2_the_queue_is_idle_at_once_although_the_peer_stops_acknowledging() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channels = [one.create_data_channel(f"{n}") for n in range(3)]
            link: Any = other._ice
            link.link.lose = lambda number, data: one._session._association.state is AssociationState.ESTABLISHED
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            await asyncio.sleep(0.1)
            assert one._operations.idle
            assert {channel.ready_state for channel in channels} == {"connecting"}

    run(main())


@pytest.mark.parametrize(
    ("port", "bundle_only", "lives"), [(9, False, True), (0, True, True), (0, False, False), (9, True, True)]
)
def test_ac2_4_port_zero_rejects_data_unless_it_is_bundle_only(port: int, bundle_only: bool, lives: bool) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            one.add_transceiver("audio", track_id="t")
            channel = one.create_data_channel("x")
            offer = await offer_of(one)
            head, data = offer.sdp.split("m=application 9 ")
            mark = data.replace("a=sctp-port", "a=bundle-only\r\na=sctp-port") if bundle_only else data
            await other.set_remote_description(SessionDescription("offer", f"{head}m=application {port} {mark}"))
            await one.set_remote_description(await _answer_of(other))
            await one.wait_connected(timeout=10)
            if lives:
                await channel.wait_open(timeout=5)
            else:
                with pytest.raises(Closed, match="rejected"):
                    await channel.wait_open()
            assert (other._session._association.state is AssociationState.ESTABLISHED) is lives

    run(main())


async def _answer_of(connection: PeerConnection) -> SessionDescription:
    await connection.set_local_description()
    await connection.wait_gathered(timeout=5)
    description = connection.local_description
    assert description is not None
    return description


def test_ac2_7_while_an_open_is_pending_the_channel_can_be_read_and_a_new_track_flows() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channel = one.create_data_channel("label")
            other._session.start_data = lambda *_: None  # type: ignore[method-assign]
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            begin = now()
            assert (channel.label, channel.ready_state, channel.buffered_amount) == ("label", "connecting", 0)
            assert channel.id in {0, 1}
            assert now() == begin
            audio = one.add_transceiver("audio", track_id="late")
            await negotiate(one, other)
            opus = audio.sender.require_codec("opus").payload_type
            assert audio.sender.write(RtpPacket(payload_type=opus, sequence_number=1, payload=b"flows"))
            track = await other.next_track(timeout=5)
            assert (await track.receiver.read(timeout=5))[0].payload == b"flows"

    run(main())


# ---- row 8: the watchdog


@pytest.mark.parametrize("name", ["set local description", "set remote description"])
def test_ac8_1_an_operation_that_hangs_closes_the_connection_once_and_says_what_hung(name: str) -> None:
    async def main() -> None:
        connection = lone()
        heard: list[PeerEvent] = []
        connection.listen(heard.append)
        connection.create_data_channel("x")
        await connection.set_local_description()
        begin = now()
        with pytest.raises(TimeoutError):
            await (await hang(connection, name))
        assert now() - begin == pytest.approx(Configuration().operation_timeout) == 15
        ends = [event for event in heard if isinstance(event, PeerConnectionClosed)]
        assert len(ends) == 1
        reason = ends[0].reason
        assert isinstance(reason, TransportLost)
        assert str(reason) == f"operation '{name}' did not end within 15 s (local offer, remote none)"

    run(main())


def test_ac8_2_the_watchdog_leaves_with_its_operation_and_never_bites_the_closed() -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        connection = lone()
        bites: list[str] = []
        connection._operations._on_timeout = bites.append
        connection.create_data_channel("x")
        await connection.set_local_description()
        await asyncio.sleep(60)
        assert connection.reason is None
        hanging = await hang(connection)
        await connection.close()
        await asyncio.gather(hanging, return_exceptions=True)
        await asyncio.sleep(60)
        assert bites == []
        assert connection.reason == LOCAL
        assert [handle for handle in loop._scheduled if not handle.cancelled()] == []

    run(main())


# ---- row 10: channels that were made before the connection


def test_ac10_1_no_message_is_made_before_the_association_is_established() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            association = one._session._association
            sent: list[tuple[AssociationState, int]] = []
            send = association.send

            def note(stream: int, *arguments: Any, **named: Any) -> bool:
                sent.append((association.state, named["ppid"]))
                return send(stream, *arguments, **named)

            association.send = note  # type: ignore[method-assign]
            channel = one.create_data_channel("x")
            assert channel.buffered_amount == 0
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            assert sent == [(AssociationState.ESTABLISHED, 50)]

    run(main())


def test_ac10_2_a_negotiated_channel_sends_no_open_and_is_open_when_the_association_is() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            sent: list[int] = []
            send = one._session._association.send

            def note(stream: int, *arguments: Any, **named: Any) -> bool:
                sent.append(named["ppid"])
                return send(stream, *arguments, **named)

            one._session._association.send = note  # type: ignore[method-assign]
            channel = one.create_data_channel("n", negotiated=True, id=4)
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            assert one._session._association.state is AssociationState.ESTABLISHED
            await asyncio.sleep(1)
            assert sent == []

    run(main())


def test_ac10_3_and_ac10_4_dcep_is_reliable_and_messages_are_ordered_until_the_peer_knows_the_channel() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            sent: list[tuple[int, bool, Any, Any]] = []
            for connection in (one, other):
                association = connection._session._association

                def note(
                    stream: int, *arguments: Any, send: Callable[..., bool] = association.send, **named: Any
                ) -> bool:
                    sent.append(
                        (
                            named["ppid"],
                            named.get("ordered", True),
                            named.get("max_retransmits"),
                            named.get("lifetime"),
                        )
                    )
                    return send(stream, *arguments, **named)

                association.send = note  # type: ignore[method-assign]
            first = one.create_data_channel("first")
            await negotiate(one, other)
            await first.wait_open(timeout=10)
            sent.clear()
            loose = one.create_data_channel("loose", ordered=False, max_retransmits=0)
            loose.write_nowait(b"right behind the OPEN")
            await loose.wait_open(timeout=10)
            loose.write_nowait(b"known")
            await asyncio.sleep(1)
            assert [entry[:3] for entry in sent if entry[0] == 50] == [(50, True, None)] * 2  # OPEN and ACK
            assert [entry[:3] for entry in sent if entry[0] == 53] == [(53, True, 0), (53, False, 0)]

    run(main())


def test_ac10_5_the_dtls_client_takes_even_streams_and_the_server_odd_ones_when_the_role_is_known() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            ours = [one.create_data_channel(f"{n}") for n in range(3)]
            theirs = [other.create_data_channel(f"{n}") for n in range(3)]
            assert {channel.id for channel in (*ours, *theirs)} == {None}
            await negotiate(one, other)
            for channel in (*ours, *theirs):
                await channel.wait_open(timeout=10)
            numbers = {"client": [0, 2, 4], "server": [1, 3, 5]}
            role = one._signaling.negotiation.dtls_role
            assert role is not None
            assert [channel.id for channel in ours] == numbers[role]
            assert [channel.id for channel in theirs] == numbers["server" if role == "client" else "client"]
            with pytest.raises(StackError):
                one.create_data_channel("too high", negotiated=True, id=65535)

    run(main())


# ---- row 12: no pending offer


def test_ac12_1_an_absent_pending_description_is_an_ordinary_value() -> None:
    async def main() -> None:
        connection = lone()
        assert connection.pending_remote_description is None
        with pytest.raises(LocalProtocolError):
            await connection.create_answer()
        connection.abort()
        assert connection.pending_remote_description is None
        assert connection.transceivers == ()

    run(main())


@pytest.mark.parametrize("text", ["", "v=0", "nonsense", "v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\nm=audio x y\r\n"])
def test_ac12_2_a_description_that_cannot_be_read_is_one_error_at_the_call(text: str) -> None:
    async def main() -> None:
        connection = lone()
        with pytest.raises(StackError, match="remote offer"):
            await connection.set_remote_description(SessionDescription("offer", text))
        assert connection.signaling_state == "stable"
        assert connection.reason is None
        await connection.close()

    run(main())


@pytest.mark.parametrize("iterations", [150, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_ac12_3_offers_against_close(iterations: int) -> None:
    """Fifty offers a second, and a close at any point of them; nobody sees anything but the end."""

    async def main() -> int:
        network = MemoryNetwork()
        helper = lone(network)
        helper.create_data_channel("x")
        helper.add_transceiver("video", track_id="t")
        offer = await offer_of(helper)
        ended = 0
        for number in range(iterations):
            victim = lone(network)

            async def offers(victim: PeerConnection = victim) -> None:
                while True:
                    await victim.set_remote_description(offer)
                    await victim.set_local_description()
                    await asyncio.sleep(0.02)

            task = asyncio.create_task(offers())
            if number % 3 == 0:
                await asyncio.sleep(0.001 * (number % 67))
            else:
                for _ in range(number % 17):
                    await asyncio.sleep(0)
            if number % 2:
                victim.abort()
            await victim.close(timeout=0.1)
            [result] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(result, Closed), result
            ended += 1
        await helper.close()
        return ended

    assert run(main(), limit=1e6) == iterations


def test_ac12_4_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            one.create_data_channel("x")
            await negotiate(one, other)
            answer = one.remote_description
            assert answer is not None
            fresh = lone()
            for connection in (one, fresh):
                with pytest.raises(LocalProtocolError):
                    await connection.set_remote_description(answer)
                assert connection.signaling_state == "stable"
                assert connection.reason is None
            await fresh.close()

    run(main())
