"""A close in good order ends with the datagram that completes it, and an end that came early is no surprise."""

from __future__ import annotations

from math import inf
from typing import Literal

import pytest

from pystack.base import Ended, SeededRandomness
from pystack.dtls import Certificate, SeededProvider
from pystack.errors import LOCAL
from pystack.session import Session, SessionOptions

ROLES: tuple[Literal["client"], Literal["server"]] = ("client", "server")


def make_pair(now: float) -> list[Session]:
    certificates = [Certificate.generate(1.7e9, SeededProvider(SeededRandomness(role))) for role in ROLES]
    pair = []
    for own, role in enumerate(ROLES):
        randomness = SeededRandomness(f"session {role}")
        session = Session(certificates[own], SessionOptions(), randomness, provider=SeededProvider(randomness))
        session.start(role, (("sha-256", certificates[1 - own].fingerprint()),), now)
        session.start_data(0, now)
        pair.append(session)
    return pair


def exchange(pair: list[Session], now: float) -> None:
    """Carry datagrams both ways until none comes."""
    moved = True
    while moved:
        moved = False
        for own in (0, 1):
            for data in pair[own].flush(now):
                moved = True
                pair[1 - own].receive(data, now)


@pytest.mark.parametrize("closer", [0, 1], ids=ROLES)
def test_the_farewell_leaves_before_anybody_looks_at_the_events(closer: int) -> None:
    now = 100.0
    pair = make_pair(now)
    exchange(pair, now)
    one = pair[closer]
    one.channels.open("label", now)
    exchange(pair, now)
    for session in pair:
        session.take_events()
    one.close(now)
    exchange(pair, now)
    assert one.deadline == inf
    assert pair[1 - closer].deadline == inf  # it heard the farewell of every layer
    ended = [event.reason for event in one.take_events() if isinstance(event, Ended)]
    assert ended == [LOCAL]
    assert one.flush(now) == []
    assert [event for event in pair[1 - closer].take_events() if isinstance(event, Ended)] != []


def test_a_peer_that_never_answers_the_shutdown_is_given_up_by_the_timer() -> None:
    now = 100.0
    pair = make_pair(now)
    exchange(pair, now)
    one = pair[0]
    one.take_events()
    one.close(now)
    for _ in range(200):
        one.flush(now)
        if one.deadline == inf:
            break
        now = one.deadline
        one.tick(now)
    assert one.deadline == inf
    assert one.flush(now) == []
    assert sum(isinstance(event, Ended) for event in one.take_events()) == 1


def test_datagrams_from_before_the_start_may_end_it() -> None:
    """What came too early is kept and replayed; among it can be what no handshake survives."""
    now = 100.0
    certificate = Certificate.generate(1.7e9, SeededProvider(SeededRandomness("own")))
    other = Session(
        certificate, SessionOptions(), SeededRandomness("other"), provider=SeededProvider(SeededRandomness("o"))
    )
    other.start("client", (("sha-256", certificate.fingerprint()),), now)
    (hello,) = other.flush(now)
    early = [hello[:14] + bytes([0, at]) + hello[16:] for at in range(1, 12)]
    old = hello.replace(b"\xfe\xfd", b"\x03\x01")  # a version that nobody speaks any more
    ended = 0
    for data in (old, hello[:25] + b"\x03\x01" + hello[27:], *early):
        session = Session(
            certificate, SessionOptions(), SeededRandomness("s"), provider=SeededProvider(SeededRandomness("p"))
        )
        session.receive(data, now)
        session.start("server", (("sha-256", certificate.fingerprint()),), now)
        session.start_data(0, now)
        session.flush(now)
        ends = [event for event in session.take_events() if isinstance(event, Ended)]
        assert len(ends) <= 1
        if ends:
            ended += 1
            assert session.deadline == inf
            assert session.flush(now) == []
    assert ended > 0
