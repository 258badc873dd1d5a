"""STUN messages; what is understood can be built again, and reads the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from fuzz.recorded import recorded
from fuzz.target import Target, check
from pystack.errors import DecodeError
from pystack.ice import Candidate
from pystack.ice.stun import (
    Attribute,
    binding_request,
    build,
    decode_error_code,
    decode_xor_address,
    is_stun,
    parse,
    peek_username,
)


def run(data: bytes) -> None:
    is_stun(data)
    peeked = peek_username(data)
    with suppress(DecodeError):
        decode_error_code(data)
    with suppress(DecodeError):
        decode_xor_address(data, bytes(12))
    with suppress(DecodeError):
        text = data.decode("latin-1")
        read = Candidate.parse(text)
        check(Candidate.parse(read.write()) == read, "a candidate reads otherwise when written again")
        assert read.unusable_because != ""
    try:
        message = parse(data)
    except DecodeError:
        return
    check(is_stun(data) or data[0] >= 4, "parsed, but not taken for STUN")  # other methods belong to others (RFC 7983)
    check(peeked == message.get(Attribute.USERNAME), "the peeked name is another")
    for name in ("username", "priority", "controlling", "controlled", "use_candidate", "mapped_address", "error"):
        getattr(message, name)
    assert message.unknown_required is not None
    message.authentic(b"key")
    attributes = [
        (kind, value)
        for kind, value in message.attributes
        if kind not in {Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT}
    ]
    again = parse(build(message.method, message.message_class, message.transaction_id, attributes, key=b"key"))
    check(again.authentic(b"key"), "not authentic with its own key")
    check(
        [each for each in again.attributes if each[0] not in {Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT}]
        == attributes,
        "attributes change when written again",
    )


def _seeds() -> Iterator[bytes]:
    yield from recorded("stun")
    yield binding_request(bytes(12), "ours:theirs", b"key", priority=1, tie_breaker=2, use_candidate=True)
    yield b"candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host generation 0"


TARGETS = {"stun": Target(name="stun", run=run, seeds=_seeds, packages=("pystack.ice",))}
