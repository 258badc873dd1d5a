"""The formats of SCTP: a packet and every chunk in it; what was read is written the same, and read again the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from fuzz.target import Target, check
from fuzz.targets.sctp_association import sample_chunks
from pystack.errors import DecodeError
from pystack.sctp.wire import fast
from pystack.sctp.wire.causes import decode_causes, describe_causes, encode_causes
from pystack.sctp.wire.control import heartbeat_information, shutdown_tsn
from pystack.sctp.wire.data import DataChunk
from pystack.sctp.wire.forward import ForwardTsnChunk, IForwardTsnChunk
from pystack.sctp.wire.idata import IDataChunk
from pystack.sctp.wire.init import InitChunk, sift_parameters
from pystack.sctp.wire.packet import ChunkType, Packet, checksum
from pystack.sctp.wire.params import decode_parameters, encode_parameters
from pystack.sctp.wire.reconfig import OtherRequest, decode_reconfig, encode_reconfig
from pystack.sctp.wire.sack import SackChunk

_PORTS: Final = bytes.fromhex("1388138800000001")


def run(data: bytes) -> None:
    """Input: what stands after the common header; the checksum is made right."""
    packet = _PORTS + bytes(4) + data
    packet = packet[:8] + checksum(packet).to_bytes(4, "little") + data
    body = fast.Seal(5000, 5000, 1).open(packet)
    check((body is None) == (len(data) < 4), "Seal.open takes what it should not, or the reverse")
    with suppress(DecodeError):
        read = Packet.decode(packet)
        again = Packet.decode(read.encode())
        check(again == read, "a packet reads otherwise when written again")
        for kind, flags, chunk in read.chunks:
            with suppress(DecodeError):
                _READERS.get(kind, _ignore)(kind, flags, chunk)


def _ignore(kind: int, flags: int, body: bytes) -> None:
    """An unknown chunk."""


def _data(kind: int, flags: int, body: bytes) -> None:
    read = DataChunk.decode(flags, body)
    written = read.encode()
    check(written[4 : 4 + len(body)] == body, "DATA is not written as it was read")
    check(
        fast.encode_data(flags, read.tsn, read.stream, read.ssn, read.ppid, read.payload) == written,
        "DATA: fast and plain differ",
    )


def _sack(kind: int, flags: int, body: bytes) -> None:
    read = SackChunk.decode(flags, body)
    check(SackChunk.decode(0, read.encode()[4:]) == read, "SACK reads otherwise when written again")


def _init(kind: int, flags: int, body: bytes) -> None:
    read = InitChunk.decode(body, ack=kind == ChunkType.INIT_ACK)
    check(InitChunk.decode(_body(read.encode()), ack=read.ack) == read, "INIT reads otherwise when written again")
    understood, reported = sift_parameters(read.parameters)
    check(len(understood) + len(reported) <= 2 * len(read.parameters), "parameters out of nothing")
    check(decode_parameters(encode_parameters(read.parameters)) == read.parameters, "parameters change")


def _forward(kind: int, flags: int, body: bytes) -> None:
    read = ForwardTsnChunk.decode(body)
    check(ForwardTsnChunk.decode(_body(read.encode())) == read, "FORWARD-TSN reads otherwise when written again")


def _idata(kind: int, flags: int, body: bytes) -> None:
    read = IDataChunk.decode(flags, body)
    written = read.encode()
    check(IDataChunk.decode(flags, _body(written)) == read, "I-DATA reads otherwise when written again")
    last = read.ppid or read.fsn
    check(
        fast.encode_idata(flags, read.tsn, read.stream, read.mid, last, read.payload) == written,
        "I-DATA: fast and plain differ",
    )


def _iforward(kind: int, flags: int, body: bytes) -> None:
    read = IForwardTsnChunk.decode(body)
    check(IForwardTsnChunk.decode(_body(read.encode())) == read, "I-FORWARD-TSN reads otherwise when written again")


def _reconfig(kind: int, flags: int, body: bytes) -> None:
    ours = [each for each in decode_reconfig(body) if not isinstance(each, OtherRequest)]
    check(decode_reconfig(_body(encode_reconfig(*ours))) == ours, "RE-CONFIG reads otherwise when written again")


def _causes(kind: int, flags: int, body: bytes) -> None:
    read = decode_causes(body)
    check(decode_causes(encode_causes(read)) == read, "causes read otherwise when written again")
    describe_causes(read)


def _heartbeat(kind: int, flags: int, body: bytes) -> None:
    heartbeat_information(body)


def _shutdown(kind: int, flags: int, body: bytes) -> None:
    check(shutdown_tsn(body) == int.from_bytes(body[:4], "big"), "SHUTDOWN")


def _body(chunk: bytes) -> bytes:
    """The body of one encoded chunk, without its padding."""
    return chunk[4 : int.from_bytes(chunk[2:4], "big")]


_READERS: Final[dict[int, Callable[[int, int, bytes], Any]]] = {
    ChunkType.DATA: _data,
    ChunkType.SACK: _sack,
    ChunkType.INIT: _init,
    ChunkType.INIT_ACK: _init,
    ChunkType.FORWARD_TSN: _forward,
    ChunkType.I_DATA: _idata,
    ChunkType.I_FORWARD_TSN: _iforward,
    ChunkType.RE_CONFIG: _reconfig,
    ChunkType.ABORT: _causes,
    ChunkType.ERROR: _causes,
    ChunkType.HEARTBEAT: _heartbeat,
    ChunkType.HEARTBEAT_ACK: _heartbeat,
    ChunkType.SHUTDOWN: _shutdown,
}


def _seeds() -> Iterator[bytes]:
    yield from sample_chunks()


TARGETS = {"sctp-packet": Target(name="sctp-packet", run=run, seeds=_seeds, packages=("pystack.sctp.wire",))}
