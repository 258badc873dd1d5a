"""What was seen: a trace that records, and captures of real sessions read back.

:class:`Recording` is a :class:`~pystack.base.Trace`. :func:`read_capture` reads pcap and pcapng files (Ethernet, raw IP
and Linux cooked captures of either version) just far enough to hand over UDP payloads for parser tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from pystack.errors import DecodeError

__all__ = ["CapturedDatagram", "Recording", "read_capture"]

_ETHERNET: Final = 1
_RAW: Final = frozenset({12, 14, 101, 228, 229})
_COOKED: Final = 113
_COOKED_2: Final = 276
_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_VLAN: Final = 0x8100
_UDP: Final = 17

Address: TypeAlias = tuple[str, int]


class Recording:
    """Keeps everything that a core tells its trace.

    Attributes:
        packets: ``(now, layer, direction, data)``.
        states: ``(now, layer, before, after)``.
        timers: ``(now, layer, name)``.
        drops: ``(now, layer, why)``.
    """

    def __init__(self) -> None:
        self.packets: list[tuple[float, str, str, bytes]] = []
        self.states: list[tuple[float, str, str, str]] = []
        self.timers: list[tuple[float, str, str]] = []
        self.drops: list[tuple[float, str, str]] = []

    def packet(self, now: float, layer: str, direction: str, data: bytes) -> None:
        """A packet passed."""
        self.packets.append((now, layer, direction, data))

    def state(self, now: float, layer: str, before: str, after: str) -> None:
        """A state machine moved."""
        self.states.append((now, layer, before, after))

    def timer(self, now: float, layer: str, name: str) -> None:
        """A named timer fired."""
        self.timers.append((now, layer, name))

    def dropped(self, now: float, layer: str, why: str) -> None:
        """Something was dropped."""
        self.drops.append((now, layer, why))


@attrs.frozen
class CapturedDatagram:
    """One UDP datagram of a capture; ``time`` in seconds since the epoch, addresses as ``(host, port)``."""

    time: float
    source: Address
    destination: Address
    payload: bytes


def read_capture(path: str | Path) -> list[CapturedDatagram]:
    """Read the UDP datagrams of a pcap or pcapng file, in its order; other packets are passed over.

    Raises:
        DecodeError: the file is neither, or ends in the middle of a packet.
    """
    data = Path(path).read_bytes()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        frames = _pcapng(data)
    elif data[:4] in {b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"}:
        frames = _pcap(data)
    else:
        raise DecodeError("neither pcap nor pcapng")
    found = []
    try:
        for time, link_type, frame in frames:
            datagram = _udp(time, link_type, frame)
            if datagram is not None:
                found.append(datagram)
    except (struct.error, IndexError) as error:
        raise DecodeError("the capture is cut off") from error
    return found


def _pcap(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    order = "<" if data[0] in {0xD4, 0x4D} else ">"
    unit = 1e-9 if b"\x3c" in data[:4] else 1e-6
    (link_type,) = struct.unpack_from(order + "I", data, 20)
    at = 24
    while at < len(data):
        seconds, fraction, size, _ = struct.unpack_from(order + "IIII", data, at)
        frame = data[at + 16 : at + 16 + size]
        if len(frame) < size:
            raise DecodeError("the capture is cut off")
        yield seconds + fraction * unit, link_type & 0xFFFF, frame
        at += 16 + size


def _pcapng(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    order = "<"
    interfaces: list[tuple[int, float]] = []
    at = 0
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces.clear()
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12 or at + size > len(data):
            raise DecodeError("the capture is cut off")
        if kind == 1:
            (link_type,) = struct.unpack_from(order + "H", data, at + 8)
            interfaces.append((link_type, _resolution(data[at + 16 : at + size - 4], order)))
        elif kind == 6:
            interface, high, low, length = struct.unpack_from(order + "IIII", data, at + 8)
            link_type, unit = interfaces[interface]
            yield ((high << 32) | low) * unit, link_type, data[at + 28 : at + 28 + length]
        at += size


def _resolution(options: bytes, order: str) -> float:
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from(order + "HH", options, at)
        if code == 0:
            break
        if code == 9 and size == 1:
            value = options[at + 4]
            return float(2.0 ** -(value & 0x7F) if value & 0x80 else 10.0**-value)
        at += 4 + (size + 3) // 4 * 4
    return 1e-6


def _udp(time: float, link_type: int, frame: bytes) -> CapturedDatagram | None:
    if link_type == _ETHERNET:
        (kind,) = struct.unpack_from(">H", frame, 12)
        at = 14
        if kind == _VLAN:
            (kind,) = struct.unpack_from(">H", frame, 16)
            at = 18
    elif link_type == _COOKED:
        (kind,) = struct.unpack_from(">H", frame, 14)
        at = 16
    elif link_type == _COOKED_2:
        (kind,) = struct.unpack_from(">H", frame, 0)
        at = 20
    elif link_type in _RAW:
        kind, at = (_IPV4 if frame[0] >> 4 == 4 else _IPV6), 0
    else:
        raise DecodeError(f"link type {link_type} is not known")
    if kind == _IPV4:
        header = (frame[at] & 0x0F) * 4
        protocol, size = frame[at + 9], 4
        addresses = at + 12
    elif kind == _IPV6:
        header, protocol, size = 40, frame[at + 6], 16
        addresses = at + 8
    else:
        return None
    if protocol != _UDP:
        return None
    source = str(ip_address(frame[addresses : addresses + size]))
    destination = str(ip_address(frame[addresses + size : addresses + 2 * size]))
    at += header
    from_port, to_port, length = struct.unpack_from(">HHH", frame, at)
    return CapturedDatagram(time, (source, from_port), (destination, to_port), frame[at + 8 : at + length])
