"""The STUN codec: published vectors, round trips, damage."""

import random
import struct
from pathlib import Path as FilePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.ice import stun
from pystack.ice.stun import Attribute, StunClass, build, is_stun, parse, peek_username
from pystack.testing.strategies import mutate

RECORDED = (FilePath(__file__).parents[2] / "vectors" / "stun" / "browsers.hex").read_text().split()
TID = bytes(range(12))

# RFC 5769 section 2.1 to 2.3: SOFTWARE "STUN test client"/"test vector", USERNAME "evtj:h6vY", this password.
KEY = b"VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e740024000"
    "46e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb"
    "56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a14"
    "7e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a14"
    "70113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed418028"
    "0004c8fb0b4c"
)


def test_the_published_request_is_understood_and_authentic():
    message = parse(REQUEST)
    assert (message.method, message.message_class) == (stun.BINDING, StunClass.REQUEST)
    assert message.username == "evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert message.controlled == 0x932FF9B151263B36
    assert message.controlling is None
    assert not message.use_candidate
    assert message.authentic(KEY)
    assert not message.authentic(KEY + b"x")
    assert peek_username(REQUEST) == b"evtj:h6vY"


@pytest.mark.parametrize(
    ("data", "address"),
    [(RESPONSE_V4, ("192.0.2.1", 32853)), (RESPONSE_V6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
)
def test_the_published_responses_are_understood_and_authentic(data, address):
    message = parse(data)
    assert message.message_class is StunClass.SUCCESS
    assert message.mapped_address == address
    assert message.authentic(KEY)


def test_a_check_carries_what_ice_demands():
    data = stun.binding_request(TID, "them:us", KEY, priority=1862270975, tie_breaker=7, use_candidate=True)
    message = parse(data)
    assert message.username == "them:us"
    assert (message.priority, message.controlling, message.controlled) == (1862270975, 7, None)
    assert message.use_candidate
    assert message.authentic(KEY)
    assert [kind for kind, _ in message.attributes][-2:] == [Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT]
    assert is_stun(data)


def test_what_browsers_add_is_kept_and_does_not_matter():
    extra = [(0xC057, b"\0\1\0\x0a"), (0xC070, bytes(300)), (0xC071, b"")]
    message = parse(stun.binding_request(TID, "a:b", KEY, priority=1, tie_breaker=1, extra=extra))
    assert message.get(0xC057) == b"\0\1\0\x0a"
    assert message.get(0xC071) == b""
    assert message.unknown_required == ()
    assert message.authentic(KEY)


def test_what_must_be_understood_and_is_not_is_named():
    message = parse(stun.binding_request(TID, "a:b", KEY, priority=1, tie_breaker=1, extra=[(0x7ABC, b"?")]))
    assert message.unknown_required == (0x7ABC,)


def test_what_follows_the_signature_is_not_believed():
    signed = build(stun.BINDING, StunClass.REQUEST, TID, [(Attribute.USERNAME, b"a:b")], key=KEY, fingerprint=False)
    late = struct.pack("!HH", Attribute.USE_CANDIDATE, 0)
    data = signed[:2] + struct.pack("!H", len(signed) - 20 + len(late)) + signed[4:] + late
    message = parse(data)
    assert message.authentic(KEY)
    assert not message.use_candidate
    assert message.attributes[-1] == (Attribute.USE_CANDIDATE, b"")


def test_a_message_without_a_signature_is_not_authentic():
    message = parse(build(stun.BINDING, StunClass.REQUEST, TID))
    assert not message.integrity_present
    assert not message.authentic(KEY)
    assert message.username is message.priority is message.mapped_address is message.error is None
    assert message.controlling is message.controlled is None


def test_attributes_of_a_wrong_shape_read_as_absent():
    attributes = [
        (Attribute.USERNAME, b"\xff"),
        (Attribute.PRIORITY, b"\0\0"),
        (Attribute.ICE_CONTROLLING, b"1"),
        (Attribute.ICE_CONTROLLED, b"1"),
        (Attribute.XOR_MAPPED_ADDRESS, b"\0\3\0\0\0\0\0\0"),
        (Attribute.ERROR_CODE, b"\0\0\7\0"),
    ]
    message = parse(build(stun.BINDING, StunClass.ERROR, TID, attributes))
    assert message.username is message.priority is message.mapped_address is message.error is None
    assert message.controlling is message.controlled is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:19],
        b"\x80" + REQUEST[1:],  # not the two zero bits
        REQUEST[:4] + b"\0\0\0\0" + REQUEST[8:],  # no cookie
        REQUEST[:2] + b"\0\x59" + REQUEST[4:],  # a length that is no multiple of four
        REQUEST + b"\0\0\0\0",
        REQUEST[:-1] + b"\0",  # fingerprint
        build(stun.BINDING, StunClass.REQUEST, TID, [(Attribute.MESSAGE_INTEGRITY, b"short")]),
        build(stun.BINDING, StunClass.REQUEST, TID, [(Attribute.FINGERPRINT, b"1234")], fingerprint=False),
        build(stun.BINDING, StunClass.REQUEST, TID, [(Attribute.FINGERPRINT, b"123")], fingerprint=False),
        b"\0\1\0\4\x21\x12\xa4\x42" + TID + b"\0\6\0\x08",  # an attribute beyond the end
    ],
)
def test_what_is_no_stun_message_is_refused(data):
    with pytest.raises(DecodeError):
        parse(data)


@pytest.mark.parametrize("text", RECORDED)
def test_what_browsers_send_is_read_and_damage_is_read_or_refused(text):
    data = bytes.fromhex(text)
    message = parse(data)
    assert (message.method, message.message_class) == (stun.BINDING, StunClass.REQUEST)
    survives(data)
    rng = random.Random(text)
    for _ in range(200):
        survives(mutate(data, rng))


def survives(data):
    peek_username(data)
    is_stun(data)
    try:
        message = parse(data)
    except DecodeError:
        return
    message.authentic(KEY)
    for name in ("username", "priority", "mapped_address", "error", "unknown_required", "controlling", "controlled"):
        getattr(message, name)
    # Padding may be anything on the way in and is zero on the way out, so the fingerprint is made anew.
    kept = [(kind, value) for kind, value in message.attributes if kind != Attribute.FINGERPRINT]
    again = parse(build(message.method, message.message_class, message.transaction_id, kept))
    assert again.attributes[:-1] == kept


@given(st.integers(0, 0xFFF), st.sampled_from(StunClass), st.binary(min_size=12, max_size=12), st.data())
@settings(deadline=None, max_examples=100)
def test_every_message_survives_the_wire(method, message_class, transaction_id, data):
    kinds = st.integers(0, 0xFFFF).filter(lambda k: k not in {Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT})
    attributes = data.draw(st.lists(st.tuples(kinds, st.binary(max_size=40)), max_size=6))
    key = data.draw(st.none() | st.binary(max_size=30))
    fingerprint = data.draw(st.booleans())
    wire = build(method, message_class, transaction_id, attributes, key=key, fingerprint=fingerprint)
    message = parse(wire)
    assert (message.method, message.message_class, message.transaction_id) == (method, message_class, transaction_id)
    assert message.attributes[: len(attributes)] == attributes
    assert message.integrity_present == (key is not None)
    if key is not None:
        assert message.authentic(key)
        assert not message.authentic(key + b"!")


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: REQUEST[:20] + tail))
@settings(deadline=None, max_examples=200)
def test_arbitrary_bytes_are_read_or_refused(data):
    survives(data)


@given(st.integers(0, len(REQUEST) * 8 - 1))
@settings(deadline=None, max_examples=100)
def test_no_flipped_bit_goes_unnoticed(bit):
    damaged = bytearray(REQUEST)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        message = parse(bytes(damaged))
    except DecodeError:
        return
    # The type of the fingerprint itself may be hit: then the signature still stands, and covers all that is read.
    assert message.attributes[-1][0] != Attribute.FINGERPRINT
    assert message.authentic(KEY)


@given(st.ip_addresses().map(str), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
@settings(deadline=None, max_examples=100)
def test_addresses_survive_the_mixing(host, port, transaction_id):
    value = stun.encode_xor_address(host, port, transaction_id)
    assert stun.decode_xor_address(value, transaction_id) == (host, port)


def test_a_scope_is_left_out_and_a_name_is_no_address():
    value = stun.encode_xor_address("fe80::1%eth0", 1, TID)
    assert stun.decode_xor_address(value, TID) == ("fe80::1", 1)
    with pytest.raises(DecodeError):
        stun.encode_xor_address("host.example", 1, TID)


@pytest.mark.parametrize("code", [300, 400, 401, 420, 487, 699])
def test_error_codes_survive(code):
    assert stun.decode_error_code(stun.encode_error_code(code, "Why")) == (code, "Why")


@pytest.mark.parametrize("value", [b"", b"\0\0\4", b"\0\0\0\0", b"\0\0\4\x64"])
def test_malformed_error_codes_are_refused(value):
    with pytest.raises(DecodeError):
        stun.decode_error_code(value)


def test_a_username_that_is_cut_off_is_none():
    assert peek_username(REQUEST[:20]) is None
    assert peek_username(REQUEST[:20] + b"\0\6\0\x09abc") is None
