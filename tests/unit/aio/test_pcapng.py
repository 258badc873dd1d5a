"""Captures are written as the standard says: a reader of ours finds what was put in, and every checksum is right."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.aio.bounded_file import BoundedFile
from pystack.aio.pcapng import SCTP, checksum, file_header, packet_block, secrets_block
from pystack.testing import CapturedDatagram, read_capture

ADDRESSES = st.tuples(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str), st.integers(0, 65535))


def write(tmp: Path, *blocks: bytes) -> Path:
    path = tmp / "capture.pcapng"
    path.write_bytes(file_header("test", ["wire", "other"]) + b"".join(blocks))
    return path


@given(st.data(), st.booleans(), st.binary(max_size=1500), st.integers(0, 4_000_000_000_000_000))
def test_a_datagram_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, v6: bool, payload: bytes, micros: int
) -> None:
    hosts = st.ip_addresses(v=6 if v6 else 4).map(str)
    source, destination = (data.draw(st.tuples(hosts, st.integers(0, 65535))) for _ in range(2))
    path = write(
        tmp_path_factory.mktemp("pcapng"),
        secrets_block("CLIENT_RANDOM 00 11\n"),
        packet_block(micros / 1e6, source, destination, b"sctp", "in", interface=1, protocol=SCTP),
        packet_block(micros / 1e6, source, destination, payload, "out"),
    )
    (found,) = read_capture(path)
    assert found == CapturedDatagram(found.time, source, destination, payload)
    assert abs(found.time - micros / 1e6) < 2e-6


@given(ADDRESSES, ADDRESSES, st.binary(max_size=64))
def test_checksums_are_right_whatever_the_addresses(
    source: tuple[str, int], destination: tuple[str, int], payload: bytes
) -> None:
    block = packet_block(0.0, source, destination, payload, "in")
    size = int.from_bytes(block[20:24], "little")
    packet = block[28 : 28 + size]
    if packet[0] >> 4 == 4:
        assert int.from_bytes(packet[2:4], "big") == size
        assert checksum(packet[:20]) == 0
        assert packet[20 + 6 : 20 + 8] == b"\x00\x00"
    else:
        length = size - 40
        assert int.from_bytes(packet[4:6], "big") == length
        pseudo = packet[8:40] + length.to_bytes(4, "big") + (17).to_bytes(4, "big")
        assert checksum(pseudo + packet[40:]) == 0
        assert packet[46:48] != b"\x00\x00"


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert checksum(b"") == 0xFFFF
    assert checksum(b"\x01") == 0xFFFF - 0x0100


def test_an_address_that_is_none_and_a_scope_are_no_trouble() -> None:
    for host in ("", "some.local", "fe80::1%eth0"):
        assert packet_block(0.0, (host, 1), ("192.0.2.1", 2), b"x", "in")


def test_every_block_says_its_size_twice_and_is_whole_words() -> None:
    blocks = [
        secrets_block("x" * 5),
        packet_block(1.0, ("::1", 1), ("::2", 2), b"abc", "in"),
        packet_block(1.0, ("::1", 1), ("::2", 2), b"abc", "out", interface=1, protocol=SCTP),
    ]
    for block in blocks:
        assert len(block) % 4 == 0
        assert block[4:8] == block[-4:] == len(block).to_bytes(4, "little")


def test_a_bounded_file_takes_whole_records_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    file = BoundedFile(str(path), 10)
    file.write(b"12345")
    file.write(b"678901")
    file.write(b"6")
    assert path.read_bytes() == b"12345"
    assert (file.full, file.size) == (True, 5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.close()
    file.close()
    file.write(b"after the end")
    assert path.read_bytes() == b"12345"


def test_a_bound_of_0_makes_no_file(tmp_path: Path) -> None:
    file = BoundedFile(str(tmp_path / "file"), 0)
    file.write(b"")
    file.close()
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_told_once_and_harmless(caplog: pytest.LogCaptureFixture) -> None:
    file = BoundedFile("/dev/full", 1000)
    for _ in range(3):
        file.write(b"12345")
    assert file.full
    assert [record.getMessage() for record in caplog.records] == [
        f"nothing more is written to /dev/full: {os.strerror(errno.ENOSPC)}"
    ]
    file.close()


def test_a_folder_that_cannot_be_is_told_once_and_harmless(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    file = BoundedFile(str(tmp_path / "file" / "below"), 1000)
    file.write(b"12345")
    file.close()
    assert len(caplog.records) == 1
