"""Wire formats: round trips, what is refused, and the hot path against its plain twin."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.sctp.wire import control
from pystack.sctp.wire.causes import CauseCode, decode_causes, describe_causes, encode_causes
from pystack.sctp.wire.data import DataChunk
from pystack.sctp.wire.fast import (
    Seal,
    encode_data,
    encode_idata,
    encode_sack,
    shift_gaps,
    unpack_data,
    unpack_gaps,
    unpack_idata,
    unpack_sack,
)
from pystack.sctp.wire.forward import ForwardTsnChunk, IForwardTsnChunk
from pystack.sctp.wire.idata import IDataChunk
from pystack.sctp.wire.init import InitChunk, sift_parameters
from pystack.sctp.wire.packet import ChunkType, Packet, checksum, iter_chunks
from pystack.sctp.wire.params import decode_parameters, encode_parameters
from pystack.sctp.wire.reconfig import (
    OtherRequest,
    OutgoingResetRequest,
    ReconfigResponse,
    decode_reconfig,
    encode_reconfig,
)
from pystack.sctp.wire.sack import SackChunk
from pystack.testing.strategies import mutate

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
BODIES = st.binary(max_size=60)
CHUNKS = st.lists(st.tuples(U8, U8, BODIES), min_size=1, max_size=5)
GAPS = st.lists(st.integers(1, 0xFFFE), max_size=40, unique=True).map(
    lambda cuts: [(start, start) for start in sorted(cuts)]
)


@settings(deadline=None)
@given(U16, U16, U32, CHUNKS, st.booleans())
def test_packets_round_trip_and_equal_the_sealed_ones(source, destination, tag, chunks, zero):
    packet = Packet(source, destination, tag, chunks)
    data = packet.encode(zero_checksum=zero)
    assert len(data) % 4 == 0
    assert Packet.decode(data, accept_zero=zero) == packet
    seal = Seal(source, destination, tag, zero=zero)
    assert seal.close(data[12:]) == data
    assert seal.open(data) == data[12:]
    assert list(iter_chunks(data[12:])) == chunks


@settings(deadline=None)
@given(CHUNKS, st.integers(0, 2**16), st.booleans())
def test_the_seal_opens_exactly_what_the_plain_reading_accepts(chunks, seed, zero):
    data = mutate(Packet(5000, 5001, 77, chunks).encode(), random.Random(seed))
    body = Seal(5000, 5001, 77, zero=zero).open(data)
    if len(data) < 16:
        assert body is None
        return
    given_checksum = int.from_bytes(data[8:12], "little")
    right = given_checksum == checksum(data) or (zero and given_checksum == 0)
    addressed = data[:8] == Packet(5000, 5001, 77, chunks).encode()[:8]
    assert body == (data[12:] if right and addressed else None)


@settings(deadline=None)
@given(st.integers(0, 15), U32, U16, U16, U32, st.binary(min_size=1, max_size=50))
def test_data_chunks_equal_their_plain_twin(flags, tsn, stream, ssn, ppid, payload):
    chunk = DataChunk(flags, tsn, stream, ssn, ppid, payload)
    wire = encode_data(flags, tsn, stream, ssn, ppid, payload)
    assert wire == chunk.encode()
    assert unpack_data(b"xx" + wire, 2) == (0, flags, 16 + len(payload), tsn, stream, ssn, ppid)
    ((kind, read_flags, body),) = iter_chunks(wire)
    assert kind == ChunkType.DATA
    assert DataChunk.decode(read_flags, body) == chunk


@settings(deadline=None)
@given(st.integers(0, 15), U32, U16, U32, U32, st.binary(min_size=1, max_size=50))
def test_i_data_chunks_equal_their_plain_twin(flags, tsn, stream, mid, last, payload):
    ppid, fsn = (last, 0) if flags & 2 else (0, last)
    chunk = IDataChunk(flags, tsn, stream, mid, ppid, fsn, payload)
    wire = encode_idata(flags, tsn, stream, mid, last, payload)
    assert wire == chunk.encode()
    assert unpack_idata(b"xx" + wire, 2) == (64, flags, 20 + len(payload), tsn, stream, 0, mid, last)
    ((kind, read_flags, body),) = iter_chunks(wire)
    assert kind == ChunkType.I_DATA
    assert IDataChunk.decode(read_flags, body) == chunk


@settings(deadline=None)
@given(U32, st.lists(st.tuples(U16, st.booleans(), U32), max_size=20))
def test_i_forward_tsn_round_trips(tsn, skips):
    chunk = IForwardTsnChunk(tsn, skips)
    ((kind, _, body),) = iter_chunks(chunk.encode())
    assert kind == ChunkType.I_FORWARD_TSN
    assert IForwardTsnChunk.decode(body) == chunk


@settings(deadline=None)
@given(U32, U32, GAPS, st.lists(U32, max_size=20))
def test_sacks_equal_their_plain_twin(cumulative, a_rwnd, gaps, duplicates):
    chunk = SackChunk(cumulative, a_rwnd, gaps, duplicates)
    blocks = b"".join(start.to_bytes(2, "big") + end.to_bytes(2, "big") for start, end in gaps)
    wire = encode_sack(cumulative, a_rwnd, blocks, b"".join(tsn.to_bytes(4, "big") for tsn in duplicates))
    assert wire == chunk.encode()
    assert unpack_sack(wire, 4) == (cumulative, a_rwnd, len(gaps), len(duplicates))
    assert unpack_gaps(blocks) == tuple(value for gap in gaps for value in gap)
    ((_, flags, body),) = iter_chunks(wire)
    assert SackChunk.decode(flags, body) == chunk


@settings(deadline=None)
@given(st.lists(st.tuples(U16, BODIES), max_size=6), U32, U32, U16, U16, U32, st.booleans())
def test_init_and_parameters_round_trip(parameters, tag, rwnd, outbound, inbound, tsn, ack):
    chunk = InitChunk(tag, rwnd, outbound, inbound, tsn, parameters, ack)
    ((kind, _, body),) = iter_chunks(chunk.encode())
    assert kind == (ChunkType.INIT_ACK if ack else ChunkType.INIT)
    assert InitChunk.decode(body, ack=ack) == chunk
    assert decode_parameters(encode_parameters(parameters)) == parameters


def test_unknown_parameters_by_their_upper_bits():
    known = (0xC000, b"")
    assert sift_parameters([(0x0050, b"stop"), known]) == ([], [])
    assert sift_parameters([(0x4050, b"stop"), known]) == ([], [(0x4050, b"stop")])
    assert sift_parameters([(0x8050, b"skip"), known]) == ([known], [])
    assert sift_parameters([(0xC050, b"skip"), known]) == ([known], [(0xC050, b"skip")])


@settings(deadline=None)
@given(U32, st.lists(st.tuples(U16, U16), max_size=9))
def test_forward_tsn_round_trips(tsn, skips):
    ((_, _, body),) = iter_chunks(ForwardTsnChunk(tsn, skips).encode())
    assert ForwardTsnChunk.decode(body) == ForwardTsnChunk(tsn, skips)


@settings(deadline=None)
@given(U32, U32, U32, st.lists(U16, max_size=9), U32, U8)
def test_reconfig_round_trips(sequence, response, tsn, streams, answered, result):
    request = OutgoingResetRequest(sequence, response, tsn, tuple(streams))
    answer = ReconfigResponse(answered, result)
    ((_, _, body),) = iter_chunks(encode_reconfig(request, answer))
    assert decode_reconfig(body) == [request, answer]


def test_other_reconfig_requests_are_read_by_their_number():
    body = encode_parameters([(kind, b"\0\0\0\x07" + bytes(4)) for kind in (14, 15, 17, 18)])
    assert [one.request_sequence for one in decode_reconfig(body) if isinstance(one, OtherRequest)] == [7] * 4


@settings(deadline=None)
@given(st.lists(st.tuples(U16, BODIES), max_size=5))
def test_causes_round_trip_and_print(causes):
    assert decode_causes(encode_causes(causes)) == causes
    assert describe_causes(causes)


def test_causes_are_described_for_people():
    assert describe_causes([]) == "no cause given"
    assert (
        describe_causes([(12, b"bye"), (4, b""), (999, b"")])
        == 'user initiated abort "bye", out of resource, cause 999'
    )
    for code in CauseCode:
        assert describe_causes([(code, b"")])


def test_truncated_causes_are_read_as_far_as_they_go():
    assert decode_causes(b"\x00\x0c\x00\x20hello") == [(12, b"hello")]
    assert decode_causes(b"\x00\x0c\x00\x02") == []
    assert decode_causes(b"\x00") == []


@pytest.mark.parametrize(
    ("decode", "bad"),
    [
        (Packet.decode, bytes(10)),
        (Packet.decode, bytes(16)),
        (lambda body: list(iter_chunks(body)), b"\0\0\0\x03"),
        (lambda body: list(iter_chunks(body)), b"\0\0\0\x09abcd"),
        (lambda body: DataChunk.decode(3, body), bytes(11)),
        (lambda body: SackChunk.decode(0, body), bytes(11)),
        (lambda body: SackChunk.decode(0, body), bytes(8) + b"\0\x01\0\0"),
        (lambda body: SackChunk.decode(0, body), bytes(8) + b"\0\x01\0\0" + b"\0\x05\0\x04"),
        (lambda body: SackChunk.decode(0, body), bytes(8) + b"\0\x01\0\0" + b"\0\0\0\x04"),
        (lambda body: InitChunk.decode(body, ack=False), bytes(15)),
        (decode_parameters, b"\0\x01\0\x03"),
        (decode_parameters, b"\0\x01\0\x09"),
        (ForwardTsnChunk.decode, bytes(3)),
        (ForwardTsnChunk.decode, bytes(6)),
        (decode_reconfig, b""),
        (decode_reconfig, encode_parameters([(13, bytes(11))])),
        (decode_reconfig, encode_parameters([(13, bytes(13))])),
        (decode_reconfig, encode_parameters([(14, bytes(3))])),
        (decode_reconfig, encode_parameters([(16, bytes(7))])),
        (control.shutdown_tsn, bytes(3)),
        (control.heartbeat_information, bytes(3)),
        (control.heartbeat_information, b"\0\x02\0\x04"),
        (control.heartbeat_information, b"\0\x01\0\x09"),
    ],
)
def test_what_cannot_be_read_is_a_decode_error(decode, bad):
    with pytest.raises(DecodeError):
        decode(bad)


@settings(deadline=None)
@given(st.lists(st.integers(0, 60_000), max_size=700).map(sorted), st.integers(0, 5000))
def test_shifted_gaps_equal_each_one_shifted(offsets, by):
    gaps = b"".join((by + one).to_bytes(2, "big") for one in offsets)
    assert list(unpack_gaps(shift_gaps(gaps, by))) == offsets


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9)), max_size=4))
def test_the_length_of_a_chunk_does_not_count_the_padding_of_its_last_parameter(parameters):
    """RFC 9260 section 3.2; Wireshark calls it malformed."""
    chunk = InitChunk(1, 2, 3, 4, 5, parameters, ack=True).encode()
    sizes = [4 + len(value) for _, value in parameters]
    padded = [size + (-size & 3) for size in sizes[:-1]] + sizes[-1:]
    assert int.from_bytes(chunk[2:4], "big") == 20 + sum(padded)
    assert len(chunk) % 4 == 0
    assert decode_parameters(chunk[20 : int.from_bytes(chunk[2:4], "big")]) == parameters
