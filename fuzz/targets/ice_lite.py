"""The lite agent under datagrams from many addresses; some are signed as the peer would sign them.

Input: pieces: a byte that says how and from where, and the datagram, or the attributes of a request to be signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any, Final

from fuzz.target import Program, Target, check, piece
from pystack.base import Ended
from pystack.errors import DecodeError
from pystack.ice import Credentials, LiteAgent, LiteOptions, LiteState, Path
from pystack.ice.stun import BINDING, StunClass, binding_request, build, parse
from pystack.testing.laws import footprint

_OURS: Final = Credentials("liteufrg", "l" * 24)
_NEXT: Final = Credentials("renewed1", "r" * 24)
_OPTIONS: Final = LiteOptions(max_paths=3)


def run(data: bytes) -> None:
    program = Program(data)
    agent = LiteAgent(_OURS, _OPTIONS)
    now = 1000.0
    ends = 0
    for _ in range(64):
        if not program:
            break
        how = program.byte()
        path = Path(0, "192.0.2.10", 5000 + (how >> 4 & 3))
        body = program.piece()
        if how & 1:
            key = _NEXT.key if how & 0x80 else _OURS.key
            body = build(BINDING, StunClass(how >> 2 & 3), bytes(12), _attributes(body), key=key)
        elif how & 2:
            _act(agent, how >> 2, body, now)
            body = b""
        if how & 0x40:
            now += 0.3
        agent.receive(body, path, now)
        if agent.deadline <= now:
            agent.tick(now)
        ends += _settle(agent, now)
        check(len(agent.paths) <= _OPTIONS.max_paths, "too many paths")
    check(footprint(agent) < 100_000, "holds too much")
    for _ in range(50):
        if agent.deadline == inf:
            break
        check(agent.deadline > now, "a deadline that does not move on")
        now = agent.deadline
        agent.tick(now)
        ends += _settle(agent, now)
    check(agent.deadline == inf, "a silent peer is not noticed")
    check(agent.state in {LiteState.FAILED, LiteState.NEW, LiteState.CLOSED}, f"waits for ever in {agent.state}")
    agent.abort(now)
    ends += _settle(agent, now)
    check(ends == 1, "not exactly one end")


def _attributes(data: bytes) -> list[tuple[int, bytes]]:
    reader = Program(data)
    found: list[tuple[int, bytes]] = []
    while reader and len(found) < 32:
        found.append((reader.word(), reader.take(reader.byte())))
    return found


def _act(agent: LiteAgent, what: int, body: bytes, now: float) -> None:
    if what & 3 == 0:
        agent.start(now)
    elif what & 3 == 1:
        agent.set_remote(body[:4].decode("latin-1") or None)
    elif what & 3 == 2 and agent.state is not LiteState.CLOSED:
        agent.restart(_NEXT, now)
    elif what & 15 == 15:
        agent.close(now)


def _settle(agent: LiteAgent, now: float) -> int:
    for datagram, path in agent.flush(now):
        try:
            parse(datagram)
        except DecodeError as error:
            check(False, f"an answer that is no STUN: {error}")
        check(isinstance(path, Path), "an answer to nowhere")
    events: list[Any] = agent.take_events()
    return sum(isinstance(event, Ended) for event in events)


def _signed(*attributes: tuple[int, bytes]) -> bytes:
    return b"".join(kind.to_bytes(2, "big") + bytes([len(value)]) + value for kind, value in attributes)


def _seeds() -> Iterator[bytes]:
    name = (0x0006, b"liteufrg:peer")
    check_ = _signed(name, (0x802A, bytes(8)), (0x0024, b"\1\2\3\4"))
    nominate = _signed(name, (0x802A, bytes(8)), (0x0025, b""), (0x0024, b"\1\2\3\4"))
    start, restart = b"\2\0\0", b"\x0a\0\0"
    yield start + b"\1" + piece(check_) + b"\1" + piece(nominate) + b"\x11" + piece(nominate)
    yield start + b"\1" + piece(nominate) + restart + b"\x81" + piece(_signed((6, b"renewed1:peer"), (0x25, b"")))
    yield start + b"\1" + piece(_signed(name, (0x8029, bytes(8)), (0x7777, b"x"))) + b"\x41" + piece(nominate)
    real = binding_request(bytes(12), "liteufrg:peer", _OURS.key, priority=1, tie_breaker=2, use_candidate=True)
    yield start + b"\0" + piece(real) + b"\x30" + piece(real) + b"\x3e\0\0"


TARGETS = {"ice-lite": Target(name="ice-lite", run=run, seeds=_seeds, packages=("pystack.ice",))}
