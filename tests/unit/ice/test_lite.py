"""The lite agent: who is let in, which path is used, and when it gives up."""

from math import inf

import pytest

from pystack.base import Ended, SeededRandomness
from pystack.errors import LOCAL, LocalProtocolError, TransportLost
from pystack.ice import (
    Credentials,
    GenerationRetired,
    LiteAgent,
    LiteOptions,
    LiteState,
    Path,
    PathAuthenticated,
    PathForgotten,
    PathSelected,
    StateChanged,
    make_credentials,
)
from pystack.ice.stun import BINDING, Attribute, StunClass, binding_request, build, parse

OURS = Credentials("ourufrag", "our-password-of-24-chars"[:24].replace("-", "+"))
NEXT = Credentials("nextufrg", "another+password+24+char")
A = Path(0, "192.0.2.10", 5000)
B = Path(0, "2001:db8::9", 6000)
START = 100.0


class Trace:
    def __init__(self):
        self.seen = []

    def __getattr__(self, name):
        return lambda *arguments: self.seen.append((name, *arguments[1:]))


def agent(*, started=True, trace=None, **options):
    lite = LiteAgent(OURS, LiteOptions(**options), trace)
    if started:
        lite.start(START)
        lite.take_events()
    return lite


_count = iter(range(10**6))


def request(credentials=OURS, theirs="peer", *, nominate=False, key=None, controlling=True, priority=1000, extra=()):
    return binding_request(
        next(_count).to_bytes(12),
        f"{credentials.ufrag}:{theirs}",
        credentials.key if key is None else key,
        priority=priority,
        tie_breaker=42,
        controlling=controlling,
        use_candidate=nominate,
        extra=extra,
    )


def ask(lite, data, path=A, now=START):
    """Give it a request; return the one answer, parsed."""
    lite.receive(data, path, now)
    out = lite.flush(now)
    assert [where for _, where in out] == [path] * len(out)
    assert lite.flush(now) == []
    assert len(out) <= 1
    return parse(out[0][0]) if out else None


def connected(**options):
    lite = agent(**options)
    ask(lite, request(nominate=True))
    lite.take_events()
    return lite


def test_a_check_is_answered_with_the_address_that_it_came_from():
    lite = agent()
    data = request()
    answer = ask(lite, data)
    assert answer.message_class is StunClass.SUCCESS
    assert answer.transaction_id == parse(data).transaction_id
    assert answer.mapped_address == (A.host, A.port)
    assert answer.authentic(OURS.key)
    assert lite.take_events() == [PathAuthenticated(A)]
    assert ask(lite, request(), B).mapped_address == (B.host, B.port)
    assert lite.paths == (A, B)
    assert lite.selected is None


def test_a_nomination_selects_the_path_and_connects():
    lite = agent()
    ask(lite, request(nominate=True))
    assert lite.take_events() == [PathAuthenticated(A), PathSelected(A), StateChanged(LiteState.CONNECTED)]
    assert lite.selected == A
    ask(lite, request(nominate=True))
    assert lite.take_events() == []


def test_a_nomination_before_the_start_counts_from_the_start():
    lite = agent(started=False)
    ask(lite, request(nominate=True), now=50.0)
    assert lite.take_events() == [PathAuthenticated(A), PathSelected(A)]
    assert lite.deadline == inf
    lite.start(START)
    lite.start(START)
    assert lite.take_events() == [StateChanged(LiteState.CHECKING), StateChanged(LiteState.CONNECTED)]
    assert lite.deadline == START + 10


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (build(BINDING, StunClass.REQUEST, bytes(12)), 400, "bad-request"),
        (build(BINDING, StunClass.REQUEST, bytes(12), [(Attribute.USERNAME, b"ourufrag:peer")]), 400, "bad-request"),
        (build(BINDING, StunClass.REQUEST, bytes(12), key=OURS.key), 400, "bad-request"),
        (request(Credentials("stranger", OURS.pwd)), 401, "username"),
        (request(Credentials("ourufrag", OURS.pwd), theirs="someone-else"), 401, "username"),
        (request(key=b"guessed"), 401, "integrity"),
        (request(extra=[(0x7777, b"")]), 420, "unknown-attribute"),
        (request(controlling=False), 487, "role-conflict"),
    ],
    ids=lambda value: "request" if isinstance(value, bytes) else str(value),
)
def test_what_is_not_right_is_refused_and_lets_nobody_in(data, code, why):
    lite = agent()
    lite.set_remote("peer")
    answer = ask(lite, data)
    assert answer.message_class is StunClass.ERROR
    assert answer.error[0] == code
    assert answer.integrity_present == (code in {420, 487})
    assert dict(lite.drops) == {why: 1}
    assert lite.paths == ()
    assert lite.take_events() == []
    if code == 420:
        assert answer.get(Attribute.UNKNOWN_ATTRIBUTES) == b"\x77\x77"


def test_a_username_without_a_colon_is_refused():
    data = build(BINDING, StunClass.REQUEST, bytes(12), [(Attribute.USERNAME, b"ourufrag")], key=OURS.key)
    assert ask(agent(), data).error[0] == 401


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\0\1", "malformed"),
        (build(BINDING, StunClass.INDICATION, bytes(12)), "indication"),
        (build(BINDING, StunClass.SUCCESS, bytes(12), key=OURS.key), "unexpected"),
        (build(3, StunClass.REQUEST, bytes(12), key=OURS.key), "unexpected"),
    ],
    ids=lambda value: "datagram" if isinstance(value, bytes) else value,
)
def test_what_needs_no_answer_gets_none(data, why):
    lite = agent()
    assert ask(lite, data) is None
    assert dict(lite.drops) == {why: 1}


def test_the_path_moves_when_the_peer_nominates_another():
    lite = connected()
    ask(lite, request(), B)
    assert lite.selected == A
    ask(lite, request(nominate=True), B)
    assert lite.selected == B
    assert lite.take_events() == [PathAuthenticated(B), PathSelected(B)]


def test_a_fresh_nomination_resists_a_worse_one_and_only_for_a_moment():
    lite = agent()
    ask(lite, request(nominate=True, priority=2000), A, START)
    ask(lite, request(nominate=True, priority=1000), B, START + 0.1)
    assert lite.selected == A
    ask(lite, request(nominate=True, priority=1000), B, START + 0.7)
    assert lite.selected == B


def test_the_address_that_was_quiet_longest_makes_room_but_never_the_selected_one():
    lite = agent(max_paths=3)
    paths = [Path(0, "192.0.2.1", port) for port in range(1, 6)]
    for path in paths[:3]:
        ask(lite, request(nominate=path is paths[0]), path)
    lite.take_events()
    ask(lite, request(), paths[1])
    ask(lite, request(), paths[3])
    assert lite.take_events() == [PathForgotten(paths[2]), PathAuthenticated(paths[3])]
    assert set(lite.paths) == {paths[0], paths[1], paths[3]}


def test_with_room_for_one_the_selected_path_stays():
    lite = agent(max_paths=1)
    ask(lite, request(nominate=True), A)
    ask(lite, request(nominate=True), B)
    assert lite.selected == B
    assert len(lite.paths) <= 2


def test_silence_disconnects_after_ten_seconds_and_fails_five_later():
    lite = connected()
    assert lite.deadline == START + 10
    lite.tick(START + 9.9)
    assert lite.take_events() == []
    lite.tick(START + 10)
    assert lite.take_events() == [StateChanged(LiteState.DISCONNECTED)]
    assert lite.deadline == START + 15
    lite.tick(START + 15)
    (event,) = lite.take_events()
    assert event.state is LiteState.FAILED
    assert isinstance(event.reason, TransportLost)
    assert "consent" in str(event.reason)
    assert lite.deadline == inf


def test_a_check_in_time_reconnects():
    lite = connected()
    lite.tick(START + 10)
    ask(lite, request(), A, START + 12)
    assert [event.state for event in lite.take_events()] == [LiteState.DISCONNECTED, LiteState.CONNECTED]
    assert lite.deadline == START + 22


def test_garbage_does_not_keep_it_alive():
    lite = connected()
    for second in range(10):
        ask(lite, request(key=b"no"), A, START + second)
    lite.tick(START + 10)
    assert lite.state is LiteState.DISCONNECTED


def test_without_a_nomination_it_fails():
    lite = agent(connect_timeout=7.0)
    ask(lite, request())
    assert lite.deadline == START + 7
    lite.tick(START + 7)
    assert lite.state is LiteState.FAILED


def failed():
    lite = connected()
    lite.tick(START + 10)
    lite.tick(START + 15)
    lite.take_events()
    return lite


def test_a_failed_agent_is_silent_until_it_is_restarted():
    lite = failed()
    assert ask(lite, request(), A, START + 16) is None
    assert lite.drops["failed"] == 1
    lite.restart(NEXT, START + 17)
    assert lite.take_events() == [StateChanged(LiteState.CHECKING)]
    ask(lite, request(NEXT, nominate=True), B, START + 18)
    assert lite.state is LiteState.CONNECTED
    assert lite.selected == B


def test_a_restart_honours_the_old_credentials_until_the_new_are_used():
    lite = connected()
    lite.restart(NEXT, START + 1)
    lite.set_remote("newpeer")
    assert lite.credentials == NEXT
    assert lite.ufrags == (OURS.ufrag, NEXT.ufrag)
    assert ask(lite, request()).message_class is StunClass.SUCCESS
    assert ask(lite, request(NEXT)).error[0] == 401  # names the old peer
    assert ask(lite, request(NEXT, "newpeer"), B).message_class is StunClass.SUCCESS
    assert lite.selected == A
    assert ask(lite, request()).message_class is StunClass.SUCCESS
    ask(lite, request(NEXT, "newpeer", nominate=True, priority=1), B)  # worse, and yet
    assert lite.selected == B
    assert lite.ufrags == (NEXT.ufrag,)
    assert GenerationRetired(OURS.ufrag) in lite.take_events()
    assert ask(lite, request()).error[0] == 401


def test_a_second_restart_replaces_the_first():
    lite = connected()
    lite.restart(NEXT, START)
    third = make_credentials(SeededRandomness(3))
    lite.restart(third, START)
    assert lite.take_events() == [GenerationRetired(NEXT.ufrag)]
    assert lite.ufrags == (OURS.ufrag, third.ufrag)


def test_a_restart_under_way_gets_the_time_of_a_beginning():
    lite = connected()
    lite.restart(NEXT, START + 1)
    lite.tick(START + 10)
    assert [event.state for event in lite.take_events()] == [LiteState.DISCONNECTED, LiteState.CHECKING]
    assert lite.deadline == START + 40
    lite.tick(START + 40)
    assert lite.state is LiteState.FAILED
    assert lite.ufrags == (NEXT.ufrag,)


def test_a_restart_of_a_disconnected_agent_checks_again():
    lite = connected()
    lite.tick(START + 10)
    lite.restart(NEXT, START + 11)
    assert lite.state is LiteState.CHECKING
    assert lite.deadline == START + 41


@pytest.mark.parametrize("end", [lambda lite: lite.close(START), lambda lite: lite.abort(START)])
def test_after_the_end_nothing_happens(end):
    lite = connected()
    lite.receive(request(), A, START)
    end(lite)
    end(lite)
    assert lite.take_events() == [Ended(LOCAL)]
    assert ask(lite, request()) is None
    assert lite.deadline == inf
    assert lite.paths == ()
    assert lite.state is LiteState.CLOSED
    lite.start(START)
    with pytest.raises(LocalProtocolError):
        lite.restart(NEXT, START)


def test_answers_wait_within_a_bound():
    lite = agent()
    for _ in range(1000):
        lite.receive(request(), A, START)
    assert len(lite.flush(START, 10)) == 10
    assert len(lite.flush(START)) <= 64


def test_a_trace_sees_what_happens():
    trace = Trace()
    lite = agent(trace=trace)
    ask(lite, request(nominate=True))
    ask(lite, b"\0")
    lite.tick(START + 10)
    assert [entry[0] for entry in trace.seen] == ["state", "state", "packet", "dropped", "timer", "state"]
