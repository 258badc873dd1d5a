"""RTCP datagrams: what was read and written again reads the same."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.recorded import recorded
from fuzz.target import Target, check
from pystack.errors import DecodeError
from pystack.rtp.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    parse_compound,
    serialize_compound,
)


def run(data: bytes) -> None:
    try:
        packets = parse_compound(data)
    except DecodeError:
        return
    written = serialize_compound(packets)
    again = parse_compound(written)
    check(serialize_compound(again) == written, "other bytes when written twice")
    check([type(each) for each in again] == [type(each) for each in packets], "other packets when written again")
    check(len(written) <= 8 * len(data) + 64, "grows without reason")


def _seeds() -> Iterator[bytes]:
    yield from recorded("rtcp")
    block = ReportBlock(200, 10, 1, 500)
    yield SenderReport(100, 1 << 60, 5, 6, 7, [block]).serialize() + Bye([300]).serialize()
    yield ReceiverReport(9, [block]).serialize() + Pli(9, 200).serialize() + Fir(9, 0, [(200, 1)]).serialize()
    yield Nack(9, 200, [0, 1, 2, 3, 40]).serialize() + Remb(9, 1_000_000, [200]).serialize()
    yield TransportFeedback(9, 200, 3, 5, 0, [1, None, 300]).serialize()
    yield TransportFeedback(9, 200, 65530, 5, 0, [1, None, None, None, None, None, None, None, 4, -9]).serialize()
    yield SourceDescription.parse(1, bytes.fromhex("000000010103616263000000")).serialize()


TARGETS = {"rtcp": Target(name="rtcp", run=run, seeds=_seeds, packages=("pystack.rtp.rtcp",))}
