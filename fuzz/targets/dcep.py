"""DATA_CHANNEL_OPEN (RFC 8832 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.target import Target, check
from pystack.datachannel import Open, read_open, write_open
from pystack.errors import DecodeError


def run(data: bytes) -> None:
    try:
        read = read_open(data)
    except DecodeError:
        return
    written = write_open(read)
    check(read_open(written) == read, "an OPEN reads otherwise when written again")
    check(len(written) <= len(data), "an OPEN grows")


def _seeds() -> Iterator[bytes]:
    yield write_open(Open(label="chat", protocol="json"))
    yield write_open(Open(label="ä" * 100, ordered=False, max_retransmits=3))
    yield write_open(Open(protocol="x" * 300, max_lifetime_ms=70000, priority=1024))
    yield b"\3" + bytes(11)


TARGETS = {"dcep": Target(name="dcep", run=run, seeds=_seeds, packages=("pystack.datachannel.messages",))}
