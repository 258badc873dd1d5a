"""A DTLS handshake on a bad network: lost, repeated, reordered, delayed and forged datagrams. It always connects."""

import random
from itertools import combinations
from typing import Any

import pytest

from pystack.base import Ended, SeededRandomness
from pystack.dtls import Certificate, Connected, DtlsEngine, DtlsOptions, EngineState, SeededProvider
from pystack.dtls.wire.record import ALERT, HANDSHAKE, HEADER
from pystack.errors import HandshakeFailed, TransportLost
from pystack.testing import LinkOptions, Pair

CERTIFICATES = {
    role: Certificate.generate(1.7e9, SeededProvider(SeededRandomness(role))) for role in ("client", "server")
}


class Talker(DtlsEngine):
    """Says ten things as soon as it is connected, and notes what it hears."""

    def __init__(self, role: Any, seed: object, options: DtlsOptions) -> None:
        randomness = SeededRandomness(f"{role} {seed}")
        super().__init__(role, CERTIFICATES[role], options, randomness, SeededProvider(randomness))
        self.said: list[bytes] = []
        self.heard: list[bytes] = []

    def take_events(self) -> list[Any]:
        events: list[Any] = list(super().take_events())
        if any(isinstance(event, Connected) for event in events):
            self.said = [b"%s %d" % (self.role.encode(), at) for at in range(10)]
        return events

    def flush(self, now: float, limit: float = float("inf")) -> list[bytes]:
        out = super().flush(now, limit)
        if self.state is EngineState.CONNECTED:
            out += [self.seal(line) for line in self.said]
        self.said = []
        return out

    def receive(self, data: bytes, now: float) -> None:
        opened = self.open(data, now)
        if opened is None:
            super().receive(data, now)
            self.heard += self.take_data()
        else:
            self.heard.append(opened)


def pair(link: LinkOptions | None = None, *, seed: object = 0, **options: Any) -> Pair[Talker]:
    given = DtlsOptions(**options)
    client, server = Talker("client", seed, given), Talker("server", seed, given)
    both = Pair(client, server, link or LinkOptions(delay=0.02), seed=str(seed))
    client.trust([("sha-256", CERTIFICATES["server"].fingerprint())], both.now)
    server.trust([("sha-256", CERTIFICATES["client"].fingerprint())], both.now)
    server.start(both.now)
    client.start(both.now)
    return both


def connected(both: Pair[Talker]) -> bool:
    return both.a.saw(Connected) and both.b.saw(Connected)


def check(both: Pair[Talker], limit: float) -> float:
    """It connects within ``limit`` seconds, with equal keys, and then rests."""
    took = both.run(lambda: connected(both), limit=limit)
    client, server = both.a.core, both.b.core
    assert client.srtp_keying_material() == server.srtp_keying_material()
    both.run()
    assert client.state is server.state is EngineState.CONNECTED
    return took


def test_two_round_trips_without_loss() -> None:
    both = pair()
    assert check(both, 1.0) == pytest.approx(0.08)
    assert both.there.sent + both.back.sent == 4 + 20
    assert both.a.core.repetitions == both.b.core.repetitions == 0
    assert both.b.core.heard == [b"client %d" % at for at in range(10)]
    assert both.a.core.heard == [b"server %d" % at for at in range(10)]


@pytest.mark.parametrize("mtu", [200, 300, 1200])
@pytest.mark.parametrize("cookie", [False, True])
def test_each_datagram_lost_in_turn(mtu: int, cookie: bool) -> None:
    """Whichever datagram is lost, of either side, the first retransmission repairs it."""
    perfect = pair(mtu=mtu, cookie_exchange=cookie)
    check(perfect, 1.0)
    counts = [perfect.there.sent - 10, perfect.back.sent - 10]
    assert sum(counts) >= 4
    for side, count in enumerate(counts):
        for lost in range(count):
            both = pair(mtu=mtu, cookie_exchange=cookie, seed=(side, lost))
            link = both.there if side == 0 else both.back
            link.lose = lambda number, _, lost=lost: number == lost  # type: ignore[misc]
            check(both, 0.5)
            assert link.lost == 1
            assert (
                not both.b.core.drops.keys()
                - {"repeated handshake message", "epoch 0 after the handshake"}
                - {"handshake message after the handshake"}
            )


def test_each_pair_of_datagrams_lost() -> None:
    for lost in combinations(range(8), 2):
        both = pair(mtu=300, seed=lost)
        sent = 0

        def lose(number: int, item: object, lost: tuple[int, ...] = lost) -> bool:
            nonlocal sent
            sent += 1
            return sent - 1 in lost

        both.there.lose = both.back.lose = lose
        check(both, 1.5)


@pytest.mark.parametrize("mtu", [300, 1200])
@pytest.mark.parametrize("seed", range(25))
def test_loss_duplication_and_reordering_together(mtu: int, seed: int) -> None:
    link = LinkOptions(delay=0.03, jitter=0.02, loss=0.25, duplicate=0.2, reorder=0.2, reorder_delay=0.1)
    both = pair(link, seed=seed, mtu=mtu)
    check(both, 55.0)
    for node in (both.a, both.b):
        assert not node.core.drops.keys() & {"unexpected handshake message", "record not authentic"}


@pytest.mark.parametrize("seed", range(10))
def test_duplication_and_reordering_alone_cost_no_second(seed: int) -> None:
    link = LinkOptions(delay=0.02, duplicate=0.5, reorder=0.5, reorder_delay=0.03)
    assert check(pair(link, seed=seed, mtu=250), 1.0) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_half_of_everything_lost(seed: int) -> None:
    both = pair(LinkOptions(delay=0.05, loss=0.5), seed=seed, handshake_timeout=120.0)
    check(both, 120.0)


def test_a_slow_path() -> None:
    """A second each way: flights are repeated before they can be answered, and it connects all the same."""
    both = pair(LinkOptions(delay=1.0))
    assert check(both, 6.0) < 4.5
    assert both.a.core.repetitions > 0


def test_data_of_a_server_whose_last_flight_was_lost_is_not_lost() -> None:
    both = pair()
    both.back.lose = lambda number, _: number == 1
    check(both, 1.0)
    assert both.a.core.heard == [b"server %d" % at for at in range(10)]


def test_a_black_hole_ends_both_in_time() -> None:
    both = pair(handshake_timeout=30.0)
    both.run(for_=0.03)
    both.black_hole()
    both.run()
    for node in (both.a, both.b):
        (ended,) = node.all(Ended)
        assert isinstance(ended.reason, HandshakeFailed)
        assert node.core.deadline == float("inf")
    (client_end,) = both.a.all(Ended)
    assert isinstance(client_end.reason.cause, TransportLost)


def test_a_path_that_heals() -> None:
    both = pair()
    both.black_hole()
    both.run(for_=20.0)
    both.heal()
    assert check(both, 6.0) < DtlsOptions().retransmit_maximum + 0.5


def test_an_attacker_who_can_only_inject_does_not_stop_it() -> None:
    """Alerts, junk and forged records on both sides, all the time: nothing of it is believed."""
    both = pair(LinkOptions(delay=0.05))
    chance = random.Random(1)
    forged = [
        HEADER.pack(ALERT, 0xFEFD, 7, 2) + b"\x02\x28",
        HEADER.pack(ALERT, 0xFEFD, 1 << 48 | 3, 40) + bytes(40),
        HEADER.pack(23, 0xFEFD, 1 << 48 | 0xFFFFFFFFFFFF, 40) + bytes(40),
        HEADER.pack(HANDSHAKE, 0xFEFD, 9, 24)
        + bytes.fromhex("140000 0c 0003 000000 00000c".replace(" ", ""))
        + bytes(12),
    ]
    for step in range(200):
        for node in (both.a, both.b):
            datagram = chance.choice([*forged, chance.randbytes(chance.randrange(60))])
            both.world.after(step * 0.005, lambda node=node, datagram=datagram: node.core.receive(datagram, both.now))  # type: ignore[misc]
    check(both, 2.0)
    assert len(both.a.core.heard) == len(both.b.core.heard) == 10


def test_close_reaches_the_other_side() -> None:
    both = pair()
    check(both, 1.0)
    both.a.core.close(both.now)
    both.run(lambda: both.a.saw(Ended) and both.b.saw(Ended), limit=1.0)
    both.run()


def test_two_runs_of_one_seed_are_equal() -> None:
    link = LinkOptions(delay=0.03, jitter=0.02, loss=0.2, duplicate=0.2)
    runs = []
    for _ in range(2):
        both = pair(link, seed="same")
        check(both, 55.0)
        runs.append((both.now, both.there.sent, both.back.sent, both.there.bytes_delivered))
    assert runs[0] == runs[1]
