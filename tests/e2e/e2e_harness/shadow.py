"""Speaks as the browser inside its encryption, with the keys of the server's own session.

For DTLS 1.2 every record of the browser is opened and sealed again under a number of ours, so that records which we add
in between do not push the browser's own out of the replay window. For SRTP we speak under SSRCs of our own, and for
SRTCP with an index space of our own, so the browser's numbers are untouched.
"""

from __future__ import annotations

import gc
import random
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crc32c import crc32c

import pystack.dtls.engine
from pystack.dtls.keys import TrafficKeys
from pystack.dtls.records import make_reader, make_writer
from pystack.dtls.wire.record import Record
from pystack.session import Session
from pystack.srtp import SrtpReceiver, SrtpSender
from tests.e2e.e2e_harness.relay import classify

_RECORD = struct.Struct("!BHQH")  # type, version, epoch and number, length
FOREIGN = (0xFEED0001, 0xFEED0002, 0xFEED0003, 0xFEED0004)
"""SSRCs that no browser here uses."""
_APPLICATION_DATA = 23


class KeyLog:
    """Remembers the traffic keys of each engine in this process while it is installed."""

    def __init__(self) -> None:
        self._by_reader: dict[int, tuple[Any, TrafficKeys]] = {}

    @contextmanager
    def installed(self) -> Iterator[KeyLog]:
        plain = pystack.dtls.engine.make_reader

        def remember(keys: TrafficKeys, **rest: Any) -> Any:
            reader = plain(keys, **rest)
            self._by_reader[id(reader)] = (reader, keys)
            return reader

        pystack.dtls.engine.make_reader = remember
        try:
            yield self
        finally:
            pystack.dtls.engine.make_reader = plain
            self._by_reader.clear()

    def keys_of(self, session: Session) -> TrafficKeys:
        """The keys of a session of the server's."""
        assert session._engine is not None
        reader, keys = self._by_reader[id(session._engine._reader)]
        assert reader is session._engine._reader
        return keys

    def session_of(self, record: bytes) -> Session:
        """The live session whose keys open ``record``, an application-data record of its peer."""
        for session in (each for each in gc.get_objects() if isinstance(each, Session)):
            engine = session._engine
            if engine is None or engine._reader is None or id(engine._reader) not in self._by_reader:
                continue
            reader = make_reader(self.keys_of(session), client=engine._client, replay_window=64)
            if reader.open(record, 0.0) is not None:
                return session
        raise AssertionError("no session has the keys of this record")


class Shadow:
    """The browser's voice on one leg.

    Attributes:
        plain: the browser's latest SCTP, RTP and RTCP packets in clear, to mutate.
    """

    def __init__(self, session: Session, keys: TrafficKeys) -> None:
        engine = session._engine
        assert engine is not None
        server_is_client = engine._client
        self._reader = make_reader(keys, client=server_is_client, replay_window=4096)
        self._writer = make_writer(keys, client=not server_is_client)
        self._started = False
        client_key, server_key, client_salt, server_salt = engine.srtp_keying_material()
        key, salt = (server_key, server_salt) if server_is_client else (client_key, client_salt)
        profile = engine._agreement.srtp_profile
        assert profile is not None
        self._opener = SrtpReceiver(profile, key, salt)
        self._srtp = SrtpSender(profile, key, salt)
        self._numbers = dict.fromkeys(FOREIGN, 0)
        self.plain: dict[str, deque[bytes]] = {name: deque(maxlen=64) for name in ("sctp", "rtp", "rtcp")}

    def rewrite(self, data: bytes) -> bytes:
        """Give the browser's protected records numbers of ours; everything else passes, and is looked into."""
        kind = classify(data)
        if kind != "dtls":
            self._look(kind, data)
            return data
        out = []
        at = 0
        while at + _RECORD.size <= len(data):
            content, version, number, length = _RECORD.unpack_from(data, at)
            end = at + _RECORD.size + length
            record, at = data[at:end], end
            if number >> 48 != 1:
                out.append(record)
                continue
            if not self._started:
                # Numbers go on above whatever the browser used before we stepped in.
                self._started = True
                self._writer._next = number + 1000
            plain = self._reader.unprotect(Record(content, version, number, record[_RECORD.size :]))
            if content == _APPLICATION_DATA:
                self.plain["sctp"].append(plain)
            out.append(self._writer.protect(content, plain))
        return b"".join(out)

    def _look(self, kind: str, data: bytes) -> None:
        plain = (
            self._opener.unprotect(data)
            if kind == "rtp"
            else self._opener.unprotect_rtcp(data)
            if kind == "rtcp"
            else None
        )
        if plain is not None:
            self.plain[kind].append(plain)

    @property
    def ready(self) -> bool:
        """Whether there is something of everything to mutate."""
        return self._started and all(self.plain.values())

    def seal(self, plain: bytes) -> bytes:
        """A record of the browser's with anything inside."""
        assert self._started, "a record of the browser's own has to come first"
        return self._writer.seal(plain)

    def protect_rtp(self, plain: bytes, chance: random.Random) -> bytes:
        """An authentic SRTP packet with anything inside, under an SSRC of ours and its next number."""
        ssrc = chance.choice(FOREIGN)
        number = self._numbers[ssrc] = (self._numbers[ssrc] + 1) & 0xFFFF
        plain = plain[:2] + number.to_bytes(2) + plain[4:8] + ssrc.to_bytes(4) + plain[12:]
        return self._srtp.protect(plain)

    def protect_rtcp(self, plain: bytes) -> bytes:
        """An authentic SRTCP packet with anything inside, under a sender's SSRC of ours."""
        return self._srtp.protect_rtcp(plain[:4] + FOREIGN[0].to_bytes(4) + plain[8:])


def fix_crc(packet: bytes) -> bytes:
    """Give an SCTP packet the right checksum."""
    if len(packet) < 12:
        return packet
    return packet[:8] + crc32c(packet[:8] + bytes(4) + packet[12:]).to_bytes(4, "little") + packet[12:]


def damage(data: bytes, chance: random.Random, start: int = 0) -> bytes:
    """Change some bytes at and behind ``start``; the length stays."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        if start < len(changed):
            changed[chance.randrange(start, len(changed))] = chance.randrange(256)
    return bytes(changed)
