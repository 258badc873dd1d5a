"""The record layer: the fast twins equal the plain ones, numbers never repeat, replays and forgeries are dropped."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.dtls.keys import TrafficKeys
from pystack.dtls.records import PlainWriter, Reader, Writer, make_reader, make_writer
from pystack.dtls.replay import ReplayWindow
from pystack.dtls.suites import SUITES
from pystack.dtls.wire.record import APPLICATION_DATA, HANDSHAKE, HEADER, split_records
from pystack.errors import DecodeError, LocalProtocolError, MessageTooLarge

GCM, GCM_256, CHACHA = 0xC02B, 0xC02C, 0xCCA9
ALL = [GCM, GCM_256, CHACHA]


def keys(number: int) -> TrafficKeys:
    suite = SUITES[number]
    return TrafficKeys(
        suite, b"c" * suite.key_size, b"s" * suite.key_size, b"C" * suite.salt_size, b"S" * suite.salt_size
    )


def ends(number: int, window: int = 64) -> tuple[Writer, Reader]:
    return make_writer(keys(number), client=True), make_reader(keys(number), client=False, replay_window=window)


def plainly(reader: Reader, datagram: bytes) -> bytes:
    (record,) = split_records(datagram)
    return reader.unprotect(record)


def accepts(reader: Reader, datagram: bytes) -> bool:
    try:
        plainly(reader, datagram)
    except DecodeError:
        return False
    return True


@pytest.mark.parametrize("number", ALL)
def test_seal_equals_protect(number: int) -> None:
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.binary(max_size=1300), min_size=1, max_size=6))
    def check(payloads: list[bytes]) -> None:
        fast, plain = make_writer(keys(number), client=True), make_writer(keys(number), client=True)
        for payload in payloads:
            assert fast.seal(payload) == plain.protect(APPLICATION_DATA, payload)

    check()


@pytest.mark.parametrize("number", ALL)
def test_open_equals_unprotect(number: int) -> None:
    """On any schedule of records, damaged, repeated and out of order, both say the same and remember the same."""

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        writer, fast = ends(number, 8)
        _, plain = ends(number, 8)
        sent = [writer.seal(bytes([at]) * at) for at in range(20)]
        for _ in range(30):
            datagram = bytearray(data.draw(st.sampled_from(sent)))
            if data.draw(st.integers(0, 4)) == 0:
                at = data.draw(st.integers(0, len(datagram) - 1))
                datagram[at] ^= data.draw(st.integers(1, 255))
            opened = fast.open(bytes(datagram), 0.0)
            try:
                (record,) = split_records(bytes(datagram))
                expected = plain.unprotect(record) if record.kind == APPLICATION_DATA and record.epoch == 1 else None
            except (DecodeError, ValueError):
                expected = None
            assert opened == expected

    check()


@pytest.mark.parametrize("number", ALL)
def test_overhead_is_what_protection_adds(number: int) -> None:
    writer, _ = ends(number)
    assert len(writer.seal(b"x" * 100)) == 100 + writer.overhead
    assert len(writer.protect(HANDSHAKE, b"")) == writer.overhead


def test_gcm_record_as_the_rfcs_write_it() -> None:
    writer, _ = ends(GCM)
    writer.seal(b"first")
    record = writer.seal(b"hello")
    number = (1).to_bytes(2) + (1).to_bytes(6)
    assert record[:13] == b"\x17\xfe\xfd" + number + (5 + 24).to_bytes(2)
    sealed = AESGCM(b"c" * 16).encrypt(b"CCCC" + number, b"hello", number + b"\x17\xfe\xfd\x00\x05")
    assert record[13:] == number + sealed


def test_chacha_record_as_the_rfcs_write_it() -> None:
    writer, _ = ends(CHACHA)
    writer.seal(b"first")
    record = writer.seal(b"hello")
    number = (1).to_bytes(2) + (1).to_bytes(6)
    nonce = bytes(a ^ b for a, b in zip(b"C" * 12, bytes(4) + number, strict=True))
    assert record[:13] == b"\x17\xfe\xfd" + number + (5 + 16).to_bytes(2)
    assert record[13:] == ChaCha20Poly1305(b"c" * 32).encrypt(nonce, b"hello", number + b"\x17\xfe\xfd\x00\x05")


@pytest.mark.parametrize("number", ALL)
def test_replays_are_dropped(number: int) -> None:
    writer, reader = ends(number, 4)
    sent = [writer.seal(bytes([at])) for at in range(10)]
    assert reader.open(sent[5], 0.0) == b"\x05"
    assert reader.open(sent[5], 0.0) is None
    assert not accepts(reader, sent[5])
    assert reader.open(sent[3], 0.0) == b"\x03"
    assert reader.open(sent[3], 0.0) is None
    assert reader.open(sent[1], 0.0) is None  # behind the window: nobody can tell
    assert plainly(reader, sent[9]) == b"\x09"
    assert not accepts(reader, sent[5])
    assert accepts(reader, sent[6])


@pytest.mark.parametrize("number", ALL)
def test_a_forgery_does_not_move_the_window(number: int) -> None:
    writer, reader = ends(number, 4)
    sent = [writer.seal(bytes([at])) for at in range(10)]
    forged = bytearray(sent[9])
    forged[-1] ^= 1
    assert reader.open(bytes(forged), 0.0) is None
    assert not accepts(reader, bytes(forged))
    assert [reader.open(datagram, 0.0) for datagram in sent] == [bytes([at]) for at in range(10)]


@pytest.mark.parametrize("number", ALL)
def test_what_open_leaves_to_receive(number: int) -> None:
    writer, reader = ends(number)
    one, two = writer.seal(b"a"), writer.seal(b"b")
    handshake = writer.protect(HANDSHAKE, b"x")
    plain = PlainWriter().protect(APPLICATION_DATA, bytes(40))
    for datagram in (one + two, handshake, plain, b"", one[:-1], one[:12], one + b"x", HEADER.pack(23, 0xFEFD, 1, 0)):
        assert reader.open(datagram, 0.0) is None
    assert reader.open(one, 0.0) == b"a"


@pytest.mark.parametrize("number", ALL)
def test_wrong_versions_and_short_records(number: int) -> None:
    writer, reader = ends(number)
    datagram = bytearray(writer.seal(b"abc"))
    datagram[2] = 0xFF
    assert reader.open(bytes(datagram), 0.0) is None
    assert not accepts(reader, bytes(datagram))
    assert not accepts(reader, HEADER.pack(23, 0xFEFD, 1 << 48, 3) + b"abc")


@pytest.mark.parametrize("number", ALL)
def test_limits(number: int) -> None:
    writer, _ = ends(number)
    assert len(writer.seal(bytes(16384))) == 16384 + writer.overhead
    for refuse in (writer.seal, lambda payload: writer.protect(HANDSHAKE, payload)):
        with pytest.raises(MessageTooLarge):
            refuse(bytes(16385))
    writer._next = (2 << 48) - 1  # type: ignore[attr-defined]
    assert writer.seal(b"the last")
    for refuse in (writer.seal, lambda payload: writer.protect(HANDSHAKE, payload)):
        with pytest.raises(LocalProtocolError):
            refuse(b"one more")


def test_a_refused_message_takes_no_number() -> None:
    writer, reader = ends(GCM)
    with pytest.raises(MessageTooLarge):
        writer.seal(bytes(20000))
    assert HEADER.unpack_from(writer.seal(b"x"))[2] == 1 << 48
    assert reader.open(b"x", 0.0) is None


@given(st.integers(1, 70), st.lists(st.integers(0, 200), max_size=80))
def test_window_against_a_set(size: int, numbers: list[int]) -> None:
    window = ReplayWindow(size)
    seen: set[int] = set()
    for number in numbers:
        fresh = number not in seen and (not seen or number > max(seen) - size)
        assert window.fresh(number) == fresh
        if fresh:
            window.mark(number)
            seen.add(number)


def test_window_survives_a_huge_step() -> None:
    window = ReplayWindow(64)
    window.mark(5)
    window.mark(1 << 60)
    assert window.mask == 1
    assert not window.fresh(1 << 60)
    assert window.fresh((1 << 60) - 63)
    assert not window.fresh((1 << 60) - 64)
