"""What a packet of a peer's costs: what it newly says, and not what we hold. Work is counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from pystack.sctp import AssociationOptions, IncomingReset, MessageReceived
from pystack.sctp.wire.data import BEGIN, END, UNORDERED
from pystack.sctp.wire.fast import encode_data, encode_idata
from pystack.sctp.wire.forward import ForwardTsnChunk, IForwardTsnChunk
from pystack.sctp.wire.params import ParameterType
from pystack.sctp.wire.reconfig import OutgoingResetRequest, encode_reconfig
from tests.sim.test_sctp_life import Scripted

INTERLEAVING = (
    (ParameterType.FORWARD_TSN_SUPPORTED, b""),
    (ParameterType.SUPPORTED_EXTENSIONS, bytes([130, 192, 64, 194])),
)
MANY = 8000


def work(step: Callable[[], Any]) -> int:
    """Instructions of the interpreter that ``step`` takes; loops in a comprehension count as well."""
    done = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal done
        frame.f_trace_opcodes = True
        done += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        step()
    finally:
        sys.settrace(before)
    return done


def peer_with(chunks: list[bytes], **init: Any) -> Scripted:
    """A peer that has sent all of these, a few to a packet."""
    peer = Scripted(AssociationOptions(heartbeat_interval=0), **init)
    for at in range(0, len(chunks), 40):
        peer.core.receive(peer.packet(*chunks[at : at + 40]), peer.now)
        peer.core.flush(peer.now)
    peer.core.take_events()
    return peer


def cost(peer: Scripted, *chunks: bytes) -> int:
    """Work of one packet, with what it is answered."""
    packet = peer.packet(*chunks)

    def step() -> None:
        peer.core.receive(packet, peer.now)
        peer.core.flush(peer.now)

    return work(step)


def holes(count: int) -> list[bytes]:
    return [encode_data(BEGIN, 1001 + 2 * n, 1, 0, 53, b"x") for n in range(count)]


def begun(count: int) -> list[bytes]:
    return [encode_idata(BEGIN | UNORDERED, 1001 + 2 * n, 1, 100_000 + n, 53, b"x") for n in range(count)]


def waiting(count: int) -> list[bytes]:
    """Whole messages behind earlier ones that do not come."""
    return [encode_data(BEGIN | END, 1001 + n, 1, 100 + n, 53, b"x") for n in range(count)]


def waiting_far(count: int) -> list[bytes]:
    return [encode_idata(BEGIN | END, 1001 + 2 * n, 1, (1 << 30) + n, 53, b"x") for n in range(count)]


@pytest.mark.parametrize(
    ("held", "init", "packet"),
    [
        (holes, {}, [ForwardTsnChunk(1000 + 2 * n).encode() for n in range(20)]),
        (holes, {}, [encode_data(BEGIN, 1100, 1, 0, 53, b"x")]),
        (
            begun,
            {"parameters": INTERLEAVING},
            [IForwardTsnChunk(1000 + 2 * n, [(1, True, 5 + n)]).encode() for n in range(20)],
        ),
        (waiting, {}, [ForwardTsnChunk(1000, [(1, n) for n in range(20)]).encode()]),
        (
            waiting_far,
            {"parameters": INTERLEAVING},
            [IForwardTsnChunk(1000 + 2 * n, [(1, False, 1000 * n)]).encode() for n in range(20)],
        ),
    ],
    ids=["FORWARD-TSN", "a hole filled", "I-FORWARD-TSN", "skipped numbers", "skipped identifiers"],
)
def test_a_packet_costs_the_same_however_much_is_held(
    held: Callable[[int], list[bytes]], init: dict[str, Any], packet: list[bytes]
) -> None:
    few, many = (cost(peer_with(held(count), **init), *packet) for count in (400, MANY))
    assert many < 1.5 * few


def test_many_forward_tsns_in_a_packet_are_acknowledged_once() -> None:
    peer = peer_with(holes(400))
    answers = peer.say(*(ForwardTsnChunk(1000 + 2 * n).encode() for n in range(60)))
    assert [kind for packet in answers for kind, _, _ in packet.chunks] == [3]


def test_resetting_all_streams_over_and_over_costs_as_much_as_came_on_them() -> None:
    """One packet of 1 KB took seconds: each of its requests named every stream that was ever used."""
    used = [encode_data(BEGIN | END, 1000 + n, n, 0, 53, b"x") for n in range(MANY)]
    peer = peer_with(used, outbound=65535)
    last = 1000 + MANY - 1
    numbers = iter(range(1000, 2000))

    def requests(count: int) -> list[bytes]:
        return [encode_reconfig(OutgoingResetRequest(next(numbers), 0, last, ())) for _ in range(count)]

    once = cost(peer, *requests(1))
    assert peer.core.take_events() == [IncomingReset(tuple(range(MANY)))]
    again = cost(peer, *requests(40))
    assert again < once / 10
    assert peer.core.take_events() == []


def test_what_was_skipped_over_is_handed_up_in_its_order() -> None:
    """P08: whole messages below a skipped number are good, wherever they were in the queue."""
    numbers = [7, 3, 5, 65535, 9]  # before and behind the wrap, out of order
    chunks = [encode_data(BEGIN | END, 1001 + n, 1, ssn, 53, b"%d" % ssn) for n, ssn in enumerate(numbers)]
    peer = peer_with([])
    peer.core._receiver._skip(1, 32000)
    peer.core._receiver._skip(1, 64000)
    peer.say(*chunks)
    peer.say(ForwardTsnChunk(1000, [(1, 5)]).encode())
    heard = [event.data for event in peer.core.take_events() if isinstance(event, MessageReceived)]
    assert heard == [b"65535", b"3", b"5"]
    peer.say(ForwardTsnChunk(1006, [(1, 8)]).encode())
    heard = [event.data for event in peer.core.take_events() if isinstance(event, MessageReceived)]
    assert heard == [b"7", b"9"]
