"""The wire formats: what is written reads back, what is damaged raises DecodeError and nothing else."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.dtls.certificate import public_key
from pystack.dtls.fragments import FragmentAssembler
from pystack.dtls.handshake import Transcript, find_extension
from pystack.dtls.signatures import OFFERED_SCHEMES, verify
from pystack.dtls.wire import extensions as ext
from pystack.dtls.wire.alert import Alert
from pystack.dtls.wire.cursor import Cursor
from pystack.dtls.wire.handshake import (
    CertificateChain,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    Finished,
    HandshakeType,
    HelloVerifyRequest,
    ServerHello,
    ServerKeyExchange,
    pack_message_header,
    parse_fragments,
)
from pystack.dtls.wire.record import HANDSHAKE, HEADER, split_records
from pystack.errors import DecodeError

VECTORS = Path(__file__).parents[2] / "vectors" / "dtls"

u8, u16 = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
randoms = st.binary(min_size=32, max_size=32)
extensions = st.lists(st.tuples(u16, st.binary(max_size=40)), max_size=6, unique_by=lambda item: item[0]).map(tuple)
numbers = st.lists(u16, max_size=8).map(tuple)
MESSAGES: dict[type[Any], st.SearchStrategy[Any]] = {
    ClientHello: st.builds(
        ClientHello,
        u16,
        randoms,
        st.binary(max_size=32),
        st.binary(max_size=255),
        st.lists(u16, min_size=1, max_size=20).map(tuple),
        st.binary(min_size=1, max_size=4),
        extensions,
    ),
    ServerHello: st.builds(ServerHello, u16, randoms, st.binary(max_size=32), u16, u8, extensions),
    HelloVerifyRequest: st.builds(HelloVerifyRequest, u16, st.binary(max_size=255)),
    CertificateChain: st.builds(CertificateChain, st.lists(st.binary(max_size=300), max_size=3).map(tuple)),
    ServerKeyExchange: st.builds(ServerKeyExchange, u16, st.binary(max_size=133), u16, st.binary(max_size=300)),
    CertificateRequest: st.builds(CertificateRequest, st.binary(max_size=5), numbers, st.binary(max_size=50)),
    ClientKeyExchange: st.builds(ClientKeyExchange, st.binary(max_size=133)),
    CertificateVerify: st.builds(CertificateVerify, u16, st.binary(max_size=300)),
    Finished: st.builds(Finished, st.binary(min_size=12, max_size=12)),
}


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: str(kind.__name__))
def test_messages_read_back(kind: type[Any]) -> None:
    @settings(deadline=None, max_examples=40)
    @given(MESSAGES[kind])
    def check(message: Any) -> None:
        assert kind.parse(message.serialize()) == message

    check()


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: str(kind.__name__))
def test_damaged_messages_raise_only_decode_error(kind: type[Any]) -> None:
    @settings(deadline=None, max_examples=60)
    @given(MESSAGES[kind], st.data())
    def check(message: Any, data: st.DataObject) -> None:
        body = bytearray(message.serialize())
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(body)))
            body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        with contextlib.suppress(DecodeError):
            kind.parse(bytes(body))

    check()


@given(st.binary(max_size=80))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    parsers: list[Any] = [kind.parse for kind in MESSAGES]
    parsers += [ext.parse_numbers8, ext.parse_numbers16, ext.parse_use_srtp, ext.parse_point_formats]
    parsers += [ext.parse_renegotiation_info, lambda body: ext.parse_extensions(Cursor(body)), Alert.parse]
    parsers += [parse_fragments, lambda body: list(split_records(body))]
    for parse in parsers:
        with contextlib.suppress(DecodeError):
            parse(data)


def test_hello_without_extensions() -> None:
    hello = ServerHello(0xFEFD, bytes(32), b"", 0xC02B, 0, ())
    assert len(hello.serialize()) == 38
    assert ServerHello.parse(hello.serialize()) == hello


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (ClientHello, ClientHello(0xFEFD, bytes(32), b"", b"", (), b"\0", ()).serialize()),
        (ClientHello, ClientHello(0xFEFD, bytes(32), b"", b"", (1,), b"", ()).serialize()),
        (ClientHello, ClientHello(0xFEFD, bytes(32), bytes(33), b"", (1,), b"\0", ()).serialize()),
        (ClientHello, ClientHello(0xFEFD, bytes(32), b"", b"", (1,), b"\0", ((5, b""), (5, b""))).serialize()),
        (ServerHello, ServerHello(0xFEFD, bytes(32), bytes(33), 1, 0, ()).serialize()),
        (ServerKeyExchange, b"\x01" + bytes(8)),
        (Finished, bytes(11)),
        (CertificateRequest, b"\x01\x40\x00\x03\x04\x03\x04\x00\x00"),
    ],
)
def test_what_no_peer_may_send(kind: Any, body: bytes) -> None:
    with pytest.raises(DecodeError):
        kind.parse(body)


def test_several_fragments_in_one_record() -> None:
    one = pack_message_header(14, 7, 0, 0, 0)
    two = pack_message_header(11, 0x1234, 0x123456, 0x012345, 3) + b"abc"
    first, second = parse_fragments(one + two)
    assert first == (14, 7, 0, 0, b"")
    assert second == (11, 0x1234, 0x123456, 0x012345, b"abc")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(11),
        pack_message_header(1, 0, 4, 2, 3) + bytes(3),
        pack_message_header(1, 0, 4, 0, 3) + bytes(2),
        pack_message_header(14, 0, 0, 0, 0) + b"x",
    ],
)
def test_bad_fragments(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_fragments(payload)


def test_records_before_a_bad_one_are_read() -> None:
    good = HEADER.pack(22, 0xFEFD, 1 << 48 | 5, 3) + b"abc"
    for bad in (b"\x16\xfe", b"\x2f" + bytes(20), HEADER.pack(22, 0x0303, 0, 0), HEADER.pack(22, 0xFEFD, 0, 9) + b"x"):
        records = split_records(good + bad)
        record = next(records)
        assert (record.kind, record.epoch, record.payload) == (22, 1, b"abc")
        with pytest.raises(DecodeError):
            next(records)


def test_alerts_have_names() -> None:
    assert Alert.parse(b"\x02\x2a").name == "bad_certificate"
    assert Alert(1, 200).name == "alert_200"
    assert Alert.parse(Alert(1, 0).serialize()) == (1, 0)
    for bad in (b"", b"\x02", b"\x03\x00", b"\x02\x00\x00"):
        with pytest.raises(DecodeError):
            Alert.parse(bad)


def test_cursor_stops_at_the_end() -> None:
    cursor = Cursor(b"\x02ab\x00\x03abcd")
    assert cursor.vector(1) == b"ab"
    assert cursor.vector(2) == b"abc"
    with pytest.raises(DecodeError):
        cursor.finish()
    assert cursor.number(1) == ord("d")
    assert cursor.empty
    cursor.finish()
    with pytest.raises(DecodeError):
        cursor.take(1)


def datagrams(name: str) -> list[bytes]:
    lines = (VECTORS / name).read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    ("name", "groups", "profiles", "versions"),
    [
        ("chromium156.hex", (0x11EC, 29, 23, 24), (1, 8, 7), True),
        ("firefox153.hex", (0x11EC, 29, 23, 24, 256, 257), (7, 8, 1, 2), True),
        ("firefox153-dtls12.hex", None, (7, 8, 1, 2), False),
        ("livekit.hex", (29, 23, 24), (1, 8, 7), True),
    ],
)
def test_hellos_of_real_clients(
    name: str, groups: tuple[int, ...] | None, profiles: tuple[int, ...], versions: bool
) -> None:
    assembler = FragmentAssembler()
    for datagram in datagrams(name):
        for record in split_records(datagram):
            assert record.kind == HANDSHAKE
            for fragment in parse_fragments(record.payload):
                assembler.add(fragment)
    message = assembler.peek()
    assert message is not None
    assert message.kind == HandshakeType.CLIENT_HELLO
    hello = ClientHello.parse(message.body)
    assert hello.serialize() == message.body
    assert 0xC02B in hello.suites
    srtp = find_extension(hello.extensions, ext.USE_SRTP)
    assert srtp is not None
    assert ext.parse_use_srtp(srtp) == (profiles, b"")
    assert ext.serialize_use_srtp(profiles) == srtp
    offered = find_extension(hello.extensions, ext.SUPPORTED_VERSIONS)
    assert (offered is not None and 0xFEFC in ext.parse_numbers8(offered)) == versions
    if groups is not None:
        data = find_extension(hello.extensions, ext.SUPPORTED_GROUPS)
        assert data is not None
        assert ext.parse_numbers16(data) == groups


def test_a_real_handshake_reads_back_and_its_signatures_hold() -> None:
    """Firefox and Chromium speaking DTLS 1.2: our transcript is the one that they signed."""
    kinds = {
        1: ClientHello,
        2: ServerHello,
        11: CertificateChain,
        12: ServerKeyExchange,
        13: CertificateRequest,
        15: CertificateVerify,
        16: ClientKeyExchange,
    }
    sides = {">": FragmentAssembler(), "<": FragmentAssembler()}
    transcript = Transcript()
    chains: dict[str, CertificateChain] = {}
    values: dict[int, Any] = {}
    for line in (VECTORS / "handshake-firefox-chromium.hex").read_text().splitlines():
        if line.startswith("#"):
            continue
        side, datagram = line[0], bytes.fromhex(line[2:])
        for record in split_records(datagram):
            if record.kind != HANDSHAKE or record.epoch != 0:
                continue
            for fragment in parse_fragments(record.payload):
                sides[side].add(fragment)
            while (message := sides[side].peek()) is not None:
                sides[side].advance()
                if message.kind in kinds:
                    value = values[message.kind] = kinds[message.kind].parse(message.body)
                    assert value.serialize() == message.body
                    if isinstance(value, CertificateChain):
                        chains[side] = value
                if message.kind == HandshakeType.CERTIFICATE_VERIFY:
                    key = public_key(chains[">"].certificates[0])
                    proof = values[15]
                    assert verify(key, proof.scheme, proof.signature, transcript.messages, OFFERED_SCHEMES)
                    assert not verify(key, proof.scheme, proof.signature, transcript.messages[:-1], OFFERED_SCHEMES)
                transcript.add(message.kind, message.sequence, message.body)
    exchange = values[12]
    signed = values[1].random + values[2].random + exchange.parameters
    assert verify(public_key(chains["<"].certificates[0]), exchange.scheme, exchange.signature, signed, OFFERED_SCHEMES)
    assert 15 in values
