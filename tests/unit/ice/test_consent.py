"""Consent: how often it is asked, whose answers count, and when it is gone."""

from itertools import pairwise
from math import inf

import pytest

from pystack.base import Ended, SeededRandomness
from pystack.errors import LOCAL, TransportLost
from pystack.ice import Consent, ConsentOptions, Credentials, LiteState, StateChanged
from pystack.ice.stun import BINDING, StunClass, build, parse

OURS = Credentials("ourufrag", "o" * 24)
THEIRS = Credentials("peer", "p" * 24)
START = 100.0


def consent(**options):
    return Consent(
        OURS,
        THEIRS,
        SeededRandomness(1),
        controlling=True,
        tie_breaker=5,
        now=START,
        options=ConsentOptions(**options),
    )


def asked(core):
    """Let it ask; return the time and the request."""
    now = core.deadline
    core.tick(now)
    (data,) = core.flush(now)
    assert core.flush(now) == []
    return now, parse(data)


def answer(request, key=THEIRS.key, kind=StunClass.SUCCESS):
    return build(BINDING, kind, request.transaction_id, key=key)


def test_it_asks_every_two_seconds_or_so_with_the_peers_password():
    core = consent()
    times = [START]
    for _ in range(50):
        now, request = asked(core)
        times.append(now)
        assert request.username == "peer:ourufrag"
        assert request.authentic(THEIRS.key)
        assert request.controlling == 5
        assert not request.use_candidate
        core.receive(answer(request), now)
    gaps = [b - a for a, b in pairwise(times)]
    assert 1.6 <= min(gaps) < 1.8
    assert 2.2 < max(gaps) <= 2.4
    assert core.take_events() == []


def test_each_request_is_a_new_transaction():
    core = consent()
    seen = {asked(core)[1].transaction_id for _ in range(4)}
    assert len(seen) == 4


def test_silence_disconnects_and_then_ends():
    core = consent()
    while core.state is LiteState.CONNECTED:
        core.tick(now := core.deadline)
        core.flush(now)
    assert now == START + 10
    assert core.take_events() == [StateChanged(LiteState.DISCONNECTED)]
    while core.state is not LiteState.CLOSED:
        core.tick(now := core.deadline)
    assert now == START + 15
    (event,) = core.take_events()
    assert isinstance(event, Ended)
    assert isinstance(event.reason, TransportLost)
    assert core.deadline == inf
    assert core.flush(now) == []


def test_a_late_answer_reconnects():
    core = consent()
    _, request = asked(core)
    while core.state is LiteState.CONNECTED:
        core.tick(core.deadline)
    core.receive(answer(request), START + 14)
    assert core.take_events() == [StateChanged(LiteState.DISCONNECTED), StateChanged(LiteState.CONNECTED)]
    assert not core.accepts(answer(request), START + 14)  # counted once


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda request: answer(request, key=b"guessed"), "integrity"),
        (lambda request: answer(request, kind=StunClass.ERROR), "refused"),
        (lambda request: answer(request, kind=StunClass.REQUEST), "unexpected"),
        (lambda request: answer(request)[:-1], "malformed"),
    ],
)
def test_only_an_authentic_answer_counts(make, why):
    core = consent()
    now, request = asked(core)
    assert core.accepts(make(request), now)
    assert dict(core.drops) == {why: 1}
    while core.state is LiteState.CONNECTED:
        core.tick(core.deadline)
    assert core.take_events() == [StateChanged(LiteState.DISCONNECTED)]


def test_what_was_not_asked_is_not_ours():
    core = consent()
    assert not core.accepts(build(BINDING, StunClass.SUCCESS, bytes(12), key=THEIRS.key), START)


def test_the_role_follows():
    core = consent()
    core.set_controlling(False)
    assert asked(core)[1].controlled == 5


def test_it_stops_when_told():
    core = consent()
    core.tick(core.deadline)
    core.close(START + 3)
    core.abort(START + 3)
    assert core.take_events() == [Ended(LOCAL)]
    assert core.flush(START + 3) == []
    assert core.deadline == inf
    assert core.flush(START, 0) == []


def test_a_trace_sees_what_happens():
    seen = []

    class Trace:
        def __getattr__(self, name):
            return lambda *_: seen.append(name)

    core = Consent(OURS, THEIRS, SeededRandomness(1), controlling=True, tie_breaker=5, now=START, trace=Trace())
    now, request = asked(core)
    core.receive(answer(request, key=b"x"), now)
    assert seen == ["timer", "packet", "dropped"]
