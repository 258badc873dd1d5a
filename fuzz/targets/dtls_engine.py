"""A DTLS engine in each role, at each step of a real handshake and behind it.

Input: a byte for the step, then pieces: a byte that says how, and bytes. They arrive as they are, or as a record, as a
whole handshake message with the number that is due, or sealed with the real peer's keys as any content type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from math import inf
from typing import Any, Final, Literal
from zlib import crc32

from fuzz.target import Program, Target, check, piece
from pystack.base import Ended, SeededRandomness
from pystack.dtls import Certificate, DtlsEngine, DtlsOptions, EngineState, SeededProvider
from pystack.dtls.wire.handshake import pack_message_header
from pystack.dtls.wire.record import DTLS_1_2, HANDSHAKE, HEADER
from pystack.errors import Closed, LocalError
from pystack.testing.laws import footprint

__all__ = ["record_of_each_flight"]

_Role = Literal["client", "server"]
_CERTIFICATES: Final = {
    role: Certificate.generate(1.7e9, SeededProvider(SeededRandomness(role))) for role in ("client", "server")
}
_OPTIONS: Final = DtlsOptions(mtu=400, held_bytes=8192, data_bytes=16384, handshake_timeout=30.0)
_HELD: Final = 300_000
_STEPS: Final = ("started", "one datagram", "half a flight", "a flight", "untrusting", "connected")


class _Meeting:
    """The engine that is fuzzed, and its real peer."""

    def __init__(self, role: _Role, step: int) -> None:
        other: _Role = "server" if role == "client" else "client"
        self.role = role
        self.now = 1000.0
        self.engine, self.peer = _engine(role), _engine(other)
        self.number = 1 << 20
        for each in (self.engine, self.peer):
            each.start(self.now)
        self.peer.trust([("sha-256", _CERTIFICATES[role].fingerprint())], self.now)
        if step != 4:
            self.engine.trust([("sha-256", _CERTIFICATES[other].fingerprint())], self.now)
        self.rest: list[bytes] = []
        if step >= 4:
            self._exchange(99)
        else:
            self._exchange(step)

    def _exchange(self, limit: int) -> None:
        """Until the engine has heard ``limit`` datagrams."""
        heard = 0
        for _ in range(12):
            out = self.engine.flush(self.now)
            for datagram in out:
                self.peer.receive(datagram, self.now)
            self.rest += self.peer.flush(self.now)
            while self.rest and heard < limit:
                self.engine.receive(self.rest.pop(0), self.now)
                heard += 1
            if heard >= limit or (not out and not self.rest):
                break

    def datagram(self, how: int, body: bytes) -> bytes:
        kind = how & 3
        if kind == 1:
            return self._record(20 + (how >> 2 & 3), body)
        if kind == 2:
            sequence = self.engine._fragments.next
            message = pack_message_header(
                body[0] if body else 0, sequence, max(0, len(body) - 1), 0, max(0, len(body) - 1)
            )
            return self._record(HANDSHAKE, message + body[1:])
        writer = self.peer._writer
        if kind == 3 and writer is not None:
            return writer.protect(20 + (how >> 2 & 3), body[:8000])
        return body

    def _record(self, kind: int, payload: bytes) -> bytes:
        self.number += 1
        return HEADER.pack(kind, DTLS_1_2, self.number, len(payload)) + payload


def _engine(role: _Role) -> DtlsEngine:
    randomness = SeededRandomness(f"fuzz {role}")
    return DtlsEngine(role, _CERTIFICATES[role], _OPTIONS, randomness, SeededProvider(randomness))


def run(role: _Role, data: bytes) -> None:
    program = Program(data)
    met = _Meeting(role, program.byte() % len(_STEPS))
    engine = met.engine
    ends = 0
    for _ in range(32):
        if not program:
            break
        how = program.byte()
        if how & 0x10 and engine.deadline < inf:
            met.now = max(met.now, engine.deadline)
            engine.tick(met.now)
        if how & 0x20:
            with suppress(LocalError, Closed):
                engine.seal(b"data")
        datagram = met.datagram(how, program.piece())
        if how & 0x40:
            opened = engine.open(datagram, met.now)
            check(opened is None or engine.state is EngineState.CONNECTED, "opened without a connection")
        engine.receive(datagram, met.now)
        ends += _settle(met)
    check(ends <= 1, "ended twice")
    if crc32(data) % 16 == 0:
        check(footprint(engine) < _HELD + footprint(_CERTIFICATES[role]), "holds too much")
    for _ in range(500):  # silence: the handshake ends by its time-out, a connection stays
        if engine.deadline == inf:
            break
        check(engine.deadline >= met.now - 1e-9, "a deadline that does not move on")
        met.now = max(met.now, engine.deadline)
        engine.tick(met.now)
        ends += _settle(met)
    check(engine.state in {EngineState.CONNECTED, EngineState.ENDED}, f"waits for ever in {engine.state.name}")
    engine.abort(met.now)
    ends += _settle(met)
    check(ends == 1, "not exactly one end")
    check(engine.deadline == inf, "a timer after the end")
    engine.receive(datagram if data[1:] else b"", met.now)
    check(not engine.flush(met.now) and not engine.take_events(), "not silent after the end")


def _settle(met: _Meeting) -> int:
    for datagram in met.engine.flush(met.now):
        check(len(datagram) <= _OPTIONS.mtu, "a datagram above the MTU")
    met.engine.take_data()
    events: list[Any] = met.engine.take_events()
    return sum(isinstance(event, Ended) for event in events)


@cache
def record_of_each_flight() -> tuple[bytes, ...]:
    """The datagrams of a whole handshake in both directions."""
    met = _Meeting("server", 0)
    found = list(met.rest)
    for datagram in met.rest:
        met.engine.receive(datagram, met.now)
    for _ in range(12):
        for one, other in ((met.peer, met.engine), (met.engine, met.peer)):
            for datagram in one.flush(met.now):
                found.append(datagram)
                other.receive(datagram, met.now)
    return tuple(found)


def _seeds(role: _Role) -> Iterator[bytes]:
    for step in range(len(_STEPS)):
        met = _Meeting(role, step)
        yield bytes([step])
        coming = (met.rest + met.peer.flush(met.now))[:6]
        yield bytes([step]) + b"".join(b"\0" + piece(datagram) for datagram in coming)
        for datagram in coming:  # each message by itself, to be wrapped anew
            yield bytes([step, 2]) + piece(datagram[13:14] + datagram[25:])
        yield bytes([step, 5]) + piece(b"\2\x28")
        yield bytes([step, 7]) + piece(b"\1\0")
        yield bytes([step, 15]) + piece(b"application data") + bytes([0x4F]) + piece(b"more")
        yield bytes([step, 11]) + piece(pack_message_header(20, 4, 12, 0, 12) + bytes(12))
        for datagram in record_of_each_flight():
            yield bytes([step, 0]) + piece(datagram)


def _group(data: bytes) -> str:
    return _STEPS[(data[0] if data else 0) % len(_STEPS)]


def _target(role: _Role) -> Target:
    runner: Callable[[bytes], None] = partial(run, role)
    return Target(
        name=f"dtls-{role}", run=runner, seeds=partial(_seeds, role), group=_group, packages=("pystack.dtls",)
    )


TARGETS = {f"dtls-{role}": _target(role) for role in ("client", "server")}
