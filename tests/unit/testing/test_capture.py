"""Captures are read whatever their container and link type; a recording keeps what a trace is told."""

import struct
from pathlib import Path

import pytest

from pystack.base import Trace
from pystack.errors import DecodeError
from pystack.testing import CapturedDatagram, Recording, read_capture

SOURCE, TARGET = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
SOURCE_6, TARGET_6 = ("fd00::1", 4000), ("fd00::2", 5000)


def udp(payload: bytes) -> bytes:
    return struct.pack(">HHHH", 4000, 5000, 8 + len(payload), 0) + payload


def ipv4(payload: bytes, protocol: int = 17) -> bytes:
    body = udp(payload)
    header = struct.pack(">BBHHHBBH", 0x46, 0, 24 + len(body), 0, 0, 64, protocol, 0)
    return header + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + b"\x01\x01\x01\x01" + body


def ipv6(payload: bytes) -> bytes:
    body = udp(payload)
    one, two = b"\xfd" + bytes(14) + b"\x01", b"\xfd" + bytes(14) + b"\x02"
    return struct.pack(">IHBB", 6 << 28, len(body), 17, 64) + one + two + body


LINKS = {
    "ethernet": (1, lambda ip, kind: bytes(12) + struct.pack(">H", kind) + ip),
    "vlan": (1, lambda ip, kind: bytes(12) + struct.pack(">HHH", 0x8100, 7, kind) + ip),
    "cooked": (113, lambda ip, kind: bytes(14) + struct.pack(">H", kind) + ip),
    "cooked 2": (276, lambda ip, kind: struct.pack(">H", kind) + bytes(18) + ip),
    "raw": (101, lambda ip, kind: ip),
}


def pcap(link_type: int, *frames: bytes, order: str = "<", nano: bool = False) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for number, frame in enumerate(frames):
        data += struct.pack(order + "IIII", 100 + number, 500, len(frame), len(frame)) + frame
    return data


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(link_type: int, *frames: bytes, order: str = "<", options: bytes = b"", ticks: int = 7_500_000) -> bytes:
    data = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options)
    data += block(order, 4, b"some other block")
    for frame in frames:
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        data += block(order, 6, head + frame)
    return data


@pytest.fixture
def read(tmp_path: Path):  # type: ignore[no-untyped-def]
    def read_bytes(data: bytes) -> list[CapturedDatagram]:
        file = tmp_path / "some.pcap"
        file.write_bytes(data)
        return read_capture(file)

    return read_bytes


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("order", "<>")
def test_every_link_type_in_both_containers(read, link: str, order: str) -> None:  # type: ignore[no-untyped-def]
    link_type, wrap = LINKS[link]
    frames = [wrap(ipv4(b"four"), 0x0800), wrap(ipv6(b"six"), 0x86DD), wrap(ipv4(b"icmp", protocol=1), 0x0800)]
    for data in (pcap(link_type, *frames, order=order), pcapng(link_type, *frames, order=order)):
        found = read(data)
        assert [(one.source, one.destination, one.payload) for one in found] == [
            (SOURCE, TARGET, b"four"),
            (SOURCE_6, TARGET_6, b"six"),
        ]


def test_packets_that_are_no_ip_are_passed_over(read) -> None:  # type: ignore[no-untyped-def]
    assert read(pcap(1, bytes(12) + b"\x08\x06" + bytes(28))) == []


def test_times_have_their_unit(read) -> None:  # type: ignore[no-untyped-def]
    assert read(pcap(101, ipv4(b"x")))[0].time == pytest.approx(100.0005)
    assert read(pcap(101, ipv4(b"x"), nano=True))[0].time == pytest.approx(100.0000005)
    assert read(pcapng(101, ipv4(b"x")))[0].time == pytest.approx(7.5)
    nano = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    assert read(pcapng(101, ipv4(b"x"), options=nano))[0].time == pytest.approx(0.0075)
    binary = struct.pack("<HH4sHHB3x", 2, 2, b"lo", 9, 1, 0x80 | 20)
    assert read(pcapng(101, ipv4(b"x"), options=binary, ticks=1 << 20))[0].time == pytest.approx(1.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a and so on",
        pcap(101, ipv4(b"cut"))[:-1],
        pcap(101, ipv4(b"cut"))[:30],
        pcapng(101, ipv4(b"cut"))[:-1],
        pcapng(101, ipv4(b"cut")) + b"\x06\0\0\0\0\0\0\0",
        pcap(101, b"\x45"),
        pcap(9999, ipv4(b"odd link")),
    ],
)
def test_what_is_no_capture_is_a_decode_error(read, data: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DecodeError):
        read(data)


def test_a_recording_is_a_trace_and_keeps_everything() -> None:
    recording = Recording()
    trace: Trace = recording
    trace.packet(1.0, "sctp", "in", b"x")
    trace.state(2.0, "sctp", "CLOSED", "OPEN")
    trace.timer(3.0, "sctp", "t1")
    trace.dropped(4.0, "sctp", "short")
    assert recording.packets == [(1.0, "sctp", "in", b"x")]
    assert recording.states == [(2.0, "sctp", "CLOSED", "OPEN")]
    assert recording.timers == [(3.0, "sctp", "t1")]
    assert recording.drops == [(4.0, "sctp", "short")]
