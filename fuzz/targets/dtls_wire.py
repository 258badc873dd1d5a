"""The formats of DTLS: records, handshake fragments, every message and extension; written again they read the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from fuzz.target import Target, check
from fuzz.targets.dtls_engine import record_of_each_flight
from pystack.dtls.wire import extensions
from pystack.dtls.wire.alert import Alert
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
    parse_fragments,
)
from pystack.dtls.wire.record import ALERT, HANDSHAKE, HEADER_SIZE, split_records
from pystack.errors import DecodeError

_MESSAGES: Final[dict[int, Any]] = {
    HandshakeType.CLIENT_HELLO: ClientHello,
    HandshakeType.SERVER_HELLO: ServerHello,
    HandshakeType.HELLO_VERIFY_REQUEST: HelloVerifyRequest,
    HandshakeType.CERTIFICATE: CertificateChain,
    HandshakeType.SERVER_KEY_EXCHANGE: ServerKeyExchange,
    HandshakeType.CERTIFICATE_REQUEST: CertificateRequest,
    HandshakeType.CLIENT_KEY_EXCHANGE: ClientKeyExchange,
    HandshakeType.CERTIFICATE_VERIFY: CertificateVerify,
    HandshakeType.FINISHED: Finished,
}
_EXTENSIONS: Final[tuple[Callable[[bytes], Any], ...]] = (
    extensions.parse_numbers16,
    extensions.parse_numbers8,
    extensions.parse_point_formats,
    extensions.parse_renegotiation_info,
    extensions.parse_use_srtp,
)


def run(data: bytes) -> None:
    total = 0
    with suppress(DecodeError):
        for record in split_records(data):
            total += HEADER_SIZE + len(record.payload)
            check(total <= len(data), "more than there is")
            with suppress(DecodeError):
                if record.kind == HANDSHAKE:
                    _handshake(record.payload)
                elif record.kind == ALERT:
                    check(Alert.parse(Alert.parse(record.payload).serialize()) == Alert.parse(record.payload), "alert")
                    assert Alert.parse(record.payload).name
    for parse in _EXTENSIONS:
        with suppress(DecodeError):
            parse(data)


def _handshake(payload: bytes) -> None:
    for fragment in parse_fragments(payload):
        kind = _MESSAGES.get(fragment.kind)
        if kind is None:
            continue
        with suppress(DecodeError):
            read = kind.parse(fragment.data)
            check(kind.parse(read.serialize()) == read, f"{kind.__name__} reads otherwise when written again")
            for _, value in getattr(read, "extensions", ()):
                for parse in _EXTENSIONS:
                    with suppress(DecodeError):
                        parse(value)


def _seeds() -> Iterator[bytes]:
    yield from record_of_each_flight()


TARGETS = {"dtls-wire": Target(name="dtls-wire", run=run, seeds=_seeds, packages=("pystack.dtls.wire",))}
