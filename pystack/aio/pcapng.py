"""Capture files that Wireshark reads: the blocks of pcapng, with IP packets made up around what was seen.

draft-ietf-opsawg-pcapng: section header, interface description (raw IP), enhanced packet, and decryption secrets, with
which the reader decrypts DTLS by itself. Pure: values to bytes. Called by :mod:`pystack.aio.debug`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final, Literal

__all__ = ["SCTP", "UDP", "checksum", "file_header", "packet_block", "secrets_block"]

UDP: Final = 17
SCTP: Final = 132
"""What lies in an IP packet, by its protocol number: a datagram on the wire, or an SCTP packet taken out of DTLS."""

_BLOCK = Struct("<II")
_SECTION = Struct("<IHHq")
_INTERFACE = Struct("<HHI")
_PACKET = Struct("<IIIII")
_SECRETS = Struct("<II")
_OPTION = Struct("<HH")
_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_UDP_HEADER = Struct("!HHHH")

_SECTION_TYPE: Final = 0x0A0D0D0A
_MAGIC: Final = 0x1A2B3C4D
_INTERFACE_TYPE: Final = 1
_PACKET_TYPE: Final = 6
_SECRETS_TYPE: Final = 10
_TLS_KEY_LOG: Final = 0x544C534B
_RAW_IP: Final = 101
_APPLICATION: Final = 4
_NAME: Final = 2
_FLAGS: Final = 2


def file_header(application: str, interfaces: Sequence[str]) -> bytes:
    """What a file begins with: who wrote it, and the names of its interfaces, whose times are in microseconds."""
    section = _SECTION.pack(_MAGIC, 1, 0, -1) + _options([(_APPLICATION, application.encode())])
    described = [_INTERFACE.pack(_RAW_IP, 0, 0) + _options([(_NAME, name.encode())]) for name in interfaces]
    return _block(_SECTION_TYPE, section) + b"".join([_block(_INTERFACE_TYPE, each) for each in described])


def packet_block(
    wall_time: float,
    source: tuple[str, int],
    destination: tuple[str, int],
    payload: bytes,
    direction: Literal["in", "out"],
    *,
    interface: int = 0,
    protocol: int = UDP,
) -> bytes:
    """One UDP datagram, or SCTP packet, between two addresses.

    ``wall_time`` is in seconds since 1970; an address that is no IP address becomes 0.0.0.0.
    """
    packet = _ip_packet(source, destination, payload, protocol)
    stamp = int(wall_time * 1_000_000)
    head = _PACKET.pack(interface, stamp >> 32 & 0xFFFFFFFF, stamp & 0xFFFFFFFF, len(packet), len(packet))
    flags = (1 if direction == "in" else 2).to_bytes(4, "little")
    return _block(_PACKET_TYPE, head + _padded(packet) + _options([(_FLAGS, flags)]))


def secrets_block(key_log: str) -> bytes:
    """Lines of an NSS key log; they count for the packets behind them."""
    data = key_log.encode()
    return _block(_SECRETS_TYPE, _SECRETS.pack(_TLS_KEY_LOG, len(data)) + _padded(data))


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return _BLOCK.pack(kind, size) + body + size.to_bytes(4, "little")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) & 3)


def _options(options: Sequence[tuple[int, bytes]]) -> bytes:
    return b"".join([_OPTION.pack(code, len(value)) + _padded(value) for code, value in options]) + bytes(4)


@lru_cache(maxsize=256)
def _address(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return IPv4Address(0)


def _ip_packet(source: tuple[str, int], destination: tuple[str, int], payload: bytes, protocol: int) -> bytes:
    from_host, to_host = _address(source[0]), _address(destination[0])
    size = len(payload) + (8 if protocol == UDP else 0)
    if isinstance(from_host, IPv4Address) and isinstance(to_host, IPv4Address):
        header = _IPV4.pack(0x45, 0, 20 + size, 0, 0x4000, 64, protocol, 0, from_host.packed, to_host.packed)
        header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
        # In IPv4 a UDP checksum of 0 says that there is none (RFC 768).
        udp = _UDP_HEADER.pack(source[1], destination[1], size, 0) if protocol == UDP else b""
        return header + udp + payload
    one, other = (
        host if isinstance(host, IPv6Address) else IPv6Address(0xFFFF_0000_0000 + int(host))
        for host in (from_host, to_host)
    )
    header = _IPV6.pack(0x6000_0000, size, protocol, 64, one.packed, other.packed)
    if protocol != UDP:
        return header + payload
    udp = _UDP_HEADER.pack(source[1], destination[1], size, 0)
    pseudo = one.packed + other.packed + size.to_bytes(4, "big") + protocol.to_bytes(4, "big")
    return header + udp[:6] + (checksum(pseudo + udp + payload) or 0xFFFF).to_bytes(2, "big") + payload


def checksum(data: bytes) -> int:
    """RFC 1071: the sum of the 16-bit words modulo 65535, complemented."""
    number = int.from_bytes(data + bytes(len(data) & 1), "big")
    # In ones' complement the sum of what is not all zero is never 0, but 65535.
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))
