"""Datagrams recorded from browsers, as the tests of the codecs use them: ``tests/vectors/KIND/browsers.hex``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["recorded", "recorded_descriptions"]

_VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"


def recorded(kind: str) -> list[bytes]:
    """One datagram of each shape; ``kind`` is ``rtp``, ``rtcp``, ``stun`` or ``sctp``, or an element:
    ``dependency`` or ``allocation``.
    """
    return [bytes.fromhex(line) for line in (_VECTORS / kind / "browsers.hex").read_text().splitlines()]


def recorded_descriptions() -> list[bytes]:
    """Offers and answers of browsers and SDKs."""
    return [path.read_bytes() for path in sorted((_VECTORS / "sdp").glob("*.sdp"))]
