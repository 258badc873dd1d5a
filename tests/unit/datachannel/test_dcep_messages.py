import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.datachannel import ChannelType, MessageType, Open, Ppid, read_open, write_open
from pystack.datachannel.messages import ACK
from pystack.errors import DecodeError, InvalidArgument

TEXT = st.text(max_size=40)
PARAMETER = st.none() | st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("what", "kind", "parameter"),
    [
        (Open(label="a"), 0x00, 0),
        (Open(label="a", ordered=False), 0x80, 0),
        (Open(label="a", max_retransmits=3), 0x01, 3),
        (Open(label="a", max_retransmits=0, ordered=False), 0x81, 0),
        (Open(label="a", max_lifetime_ms=250), 0x02, 250),
        (Open(label="a", max_lifetime_ms=250, ordered=False), 0x82, 250),
    ],
)
def test_the_six_channel_types_on_the_wire(what, kind, parameter):
    """RFC 8832 section 5.1, byte by byte."""
    wire = write_open(what)
    assert wire == bytes([0x03, kind]) + b"\x01\x00" + parameter.to_bytes(4, "big") + b"\x00\x01\x00\x00" + b"a"
    assert read_open(wire) == what


def test_numbers_of_the_registry():
    assert [int(ppid) for ppid in Ppid] == [50, 51, 52, 53, 54, 56, 57]
    assert (ACK, MessageType.OPEN, ChannelType.PARTIAL_LIFETIME) == (b"\x02", 3, 2)


@given(label=TEXT, protocol=TEXT, ordered=st.booleans(), retransmits=PARAMETER, priority=st.integers(0, 65535))
def test_what_is_written_is_read(label, protocol, ordered, retransmits, priority):
    what = Open(label=label, protocol=protocol, ordered=ordered, max_retransmits=retransmits, priority=priority)
    assert read_open(write_open(what)) == what


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_arbitrary_bytes_are_read_or_refused(data):
    try:
        what = read_open(data)
    except DecodeError:
        return
    assert data[12:].startswith((what.label + what.protocol).encode())


def test_every_truncation_is_refused():
    wire = write_open(Open(label="label", protocol="protocol"))
    for size in range(len(wire)):
        with pytest.raises(DecodeError, match="open-truncated"):
            read_open(wire[:size])


def test_unknown_channel_types_and_broken_text_are_refused():
    wire = bytearray(write_open(Open(label="label")))
    for kind in (0x03, 0x7F, 0x83, 0xFF):
        wire[1] = kind
        with pytest.raises(DecodeError, match="open-channel-type"):
            read_open(bytes(wire))
    wire[1] = 0
    wire[12] = 0xFF
    with pytest.raises(DecodeError, match="open-not-utf8"):
        read_open(bytes(wire))


def test_bytes_behind_the_protocol_are_ignored():
    assert read_open(write_open(Open(label="x")) + b"rest") == Open(label="x")


def test_label_and_protocol_of_65535_bytes():
    what = Open(label="ä" * 32767 + "x", protocol="y" * 65535)
    assert read_open(write_open(what)) == what


@pytest.mark.parametrize(
    "what",
    [
        Open(label="x" * 65536),
        Open(protocol="ä" * 32768),
        Open(label="\ud800"),
        Open(max_retransmits=1, max_lifetime_ms=1),
        Open(max_retransmits=-1),
        Open(max_lifetime_ms=2**32),
    ],
)
def test_what_cannot_be_said_is_an_invalid_argument(what):
    with pytest.raises(InvalidArgument):
        write_open(what)
