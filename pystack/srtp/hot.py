"""The shape of the functions that run per packet of one SSRC and roll-over counter; see :mod:`pystack.srtp.cipher`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Opener", "Sealer"]

Sealer: TypeAlias = Callable[[bytes, bytes, int], bytes]
"""``(header, payload, sequence number)`` to the protected packet."""
Opener: TypeAlias = Callable[[bytes, int, int], "bytes | None"]
"""``(packet, header length, sequence number)`` to the plain packet; ``None`` if it is not authentic."""
